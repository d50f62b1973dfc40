"""Receivers that misbehave, addresses that are not public, e-mail, and when a delivery is due."""

import asyncio
import socketserver
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.alerts import mail, webhook
from trinch.alerts.addresses import NotAllowed, is_public, resolve
from trinch.alerts.schedule import due
from trinch.alerts.types import HOUR, Alert

SECRET = "whsec_" + "QUFB" * 8
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.9.9", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "::1", "::",
     "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1", "192.0.2.1"],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_public_addresses() -> None:
    assert all(map(is_public, ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "64:ff9b::101:101"]))


@pytest.mark.parametrize("host", ["localhost", "127.1", "0x7f000001", "2130706433", "[::1]".strip("[]")])
def test_a_name_of_this_machine_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises((NotAllowed, OSError)):
        asyncio.run(resolve(host, 80, allow_private=False))


def sent(serve: Serve, path: str = "/", seconds: float = 30.0, allow_private: bool = True) -> webhook.Result:
    """What becomes of a webhook to a server that behaves as `serve`."""

    async def run() -> webhook.Result:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            address = f"http://127.0.0.1:{port}{path}"
            return await asyncio.wait_for(webhook.send(address, SECRET, "id", b"{}", allow_private), seconds)

    return asyncio.run(run())


def answering(raw: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(raw)
        await writer.drain()
        writer.close()

    return serve


@pytest.mark.parametrize(
    ("raw", "delivered", "note"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True, "HTTP 204"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", True, "HTTP 200"),
        (b"HTTP/1.1 500 Oops\r\n\r\n", False, "HTTP 500"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\n\r\n", False, "HTTP 302"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", False, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: " + b"y" * 40_000, False, "not HTTP"),
        (b"", False, "without an answer"),
        (b"HTTP/1.1 307 T\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n", False, "http://"),
        (
            b"HTTP/1.1 307 T\r\nlocation: http://u:p@example.org/\r\ncontent-length: 0\r\n\r\n",
            False,
            "user name",
        ),
        (b"HTTP/1.1 307 T\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n", False, "redirects"),
    ],
)
def test_answers(raw: bytes, delivered: bool, note: str) -> None:
    result = sent(answering(raw))
    assert result.delivered is delivered
    assert note in result.note


def test_each_hop_of_a_redirect_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first address counts as public, the second is this machine under another name."""
    asked: list[str] = []

    async def resolved(host: str, port: int, allow_private: bool) -> str:
        asked.append(host)
        return "127.0.0.1" if host == "127.0.0.1" else await resolve(host, port, allow_private)

    monkeypatch.setattr(webhook, "resolve", resolved)
    raw = b"HTTP/1.1 308 Moved\r\nlocation: http://localhost:1/x\r\ncontent-length: 0\r\n\r\n"
    result = sent(answering(raw), allow_private=False)
    assert asked == ["127.0.0.1", "localhost"]
    assert "not a public address" in result.note


def test_a_huge_answer_and_one_that_never_ends_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 2.0)
    written = 0

    async def huge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                written += 65536
                await writer.drain()
        except OSError:
            pass

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
                await writer.drain()
                await asyncio.sleep(0.01)
        except OSError:
            pass

    assert sent(huge).delivered
    assert written < 50_000_000
    for serve in (silent, endless):
        assert sent(serve) == webhook.Result(False, "no answer within 2 s")


class Mailbox(socketserver.StreamRequestHandler):
    """As much of an SMTP server as takes one message."""

    received: list[str] = []  # noqa: RUF012 - shared by the requests of a test

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline().decode():
            verb = line[:4].upper().strip()
            if verb == "DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (one := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(one.decode())
                self.received.append("".join(lines))
            if verb == "QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


def test_e_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        port = server.server_address[1]
        monkeypatch.setenv("TRINCH_SMTP", f"smtp://127.0.0.1:{port}")
        monkeypatch.setenv("TRINCH_MAIL_FROM", "Trinch <alerts@example.org>")
        subject = "Floods: 2 posts\r\nBcc: all@example.org"
        assert mail.send(
            mail.mail_server(), "desk@example.org", "a1-email-1-2", subject, "é text\n"
        ).delivered
        monkeypatch.setenv("TRINCH_SMTP", f"smtp://user:secret@127.0.0.1:{port}")
        refused = mail.send(mail.mail_server(), "desk@example.org", "a1-email-3-3", "x", "y")
        server.shutdown()
    (raw,) = Mailbox.received
    headers, _, text = raw.partition("\r\n\r\n")
    assert "Message-ID: <a1-email-1-2@example.org>" in headers
    assert "\nBcc" not in headers
    assert "=C3=A9 text" in text or "é text" in text
    assert "no TLS" in refused.note
    assert not mail.send(None, "desk@example.org", "id", "x", "y").delivered
    monkeypatch.setenv("TRINCH_SMTP", "ftp://example.org")
    with pytest.raises(mail.MailSettingError):
        mail.mail_server()


def alert(**settings: Any) -> Alert:
    return Alert(id="a", created=0, after=0, secret=SECRET, query="x", **settings)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("settings", "first", "expected"),
    [
        ({}, "2026-07-01T12:30:10", "2026-07-01T12:30:10"),
        ({"digest": "1h"}, "2026-07-01T12:30:10", "2026-07-01T13:00:00"),
        ({"digest": "1d"}, "2026-07-01T00:00:00", "2026-07-02T00:00:00"),
        ({"quiet": "22:00-07:00"}, "2026-07-01T23:10:00", "2026-07-02T07:00:00"),
        ({"quiet": "22:00-07:00"}, "2026-07-01T06:59:59", "2026-07-01T07:00:00"),
        ({"quiet": "22:00-07:00"}, "2026-07-01T07:00:00", "2026-07-01T07:00:00"),
        ({"quiet": "22:00-07:00", "zone": "Europe/Paris"}, "2026-07-01T20:30:00", "2026-07-02T05:00:00"),
        ({"quiet": "09:00-17:30"}, "2026-07-01T12:00:00", "2026-07-01T17:30:00"),
        ({"quiet": "22:00-07:00", "digest": "1d"}, "2026-07-01T12:00:00", "2026-07-02T07:00:00"),
    ],
)
def test_when_a_delivery_is_due(settings: dict[str, str], first: str, expected: str) -> None:
    assert due(alert(**settings), at(first), []) == at(expected)


@given(st.lists(st.integers(0, 3 * HOUR), max_size=60), st.integers(1, 5))
def test_no_hour_has_more_deliveries_than_the_cap(fired: list[int], cap: int) -> None:
    sent_at: list[int] = []
    for first in sorted(fired):
        begin = max(first, sent_at[-1] if sent_at else 0)
        sent_at.append(due(alert(cap=cap), begin, [one for one in sent_at if one > begin - HOUR]))
    assert all(sum(start <= one < start + HOUR for one in sent_at) <= cap for start in sent_at)
