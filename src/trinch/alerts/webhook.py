"""Send a signed webhook: one POST, signed as the Standard Webhooks specification says (standardwebhooks.com, v1).

A receiver has SECONDS in all. Of its answer the head is read, and of the body at most MOST_BODY bytes, which are
dropped. Redirects that keep the method (307, 308) are followed, at most MOST_REDIRECTS; each hop is resolved and checked
anew. Proxies of the environment are not used: what is checked must be what is connected to.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ssl
import time
from functools import cache
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

import trinch
from trinch.alerts.addresses import resolve
from trinch.alerts.channels import Result
from trinch.alerts.types import check_address

SECONDS = 15.0
MOST_HEAD, MOST_BODY = 16_384, 65_536
BODY_SECONDS = 1.0
"""Time to read the body, so that the receiver can finish before the connection closes."""
MOST_REDIRECTS = 3
MOST_WAIT = 3600.0
"""Longest wait that a receiver can ask for with `Retry-After`."""


class _Answer(NamedTuple):
    status: int
    headers: dict[str, str]


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """The value of the header `webhook-signature`."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


async def send(address: str, secret: str, id: str, body: bytes, allow_private: bool) -> Result:
    """Make one attempt; `id` is the idempotency key. Never raises for what a receiver does."""
    try:
        async with asyncio.timeout(SECONDS):
            return await _send(address, secret, id, body, allow_private)
    except TimeoutError:
        return Result(False, f"no answer within {SECONDS:g} s")
    except (OSError, ssl.SSLError, ValueError) as error:
        return Result(False, str(error) or type(error).__name__)
    except h11.RemoteProtocolError as error:
        return Result(False, f"the answer is not HTTP: {error}")


async def _send(address: str, secret: str, id: str, body: bytes, allow_private: bool) -> Result:
    for _ in range(MOST_REDIRECTS + 1):
        check_address(address)
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "user-agent": f"Trinch/{trinch.__version__} (alerts)",
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(secret, id, timestamp, body),
        }
        answer = await _post(urlsplit(address), headers, body, allow_private)
        if answer.status in (307, 308) and answer.headers.get("location"):
            address = urljoin(address, answer.headers["location"])
            continue
        return _result(answer)
    return Result(False, f"more than {MOST_REDIRECTS} redirects")


def _result(answer: _Answer) -> Result:
    asked = answer.headers.get("retry-after", "")
    wait = min(float(asked), MOST_WAIT) if asked.isascii() and asked.isdigit() else 0.0
    return Result(200 <= answer.status < 300, f"HTTP {answer.status}", answer.status == 410, wait)


async def _post(parts: SplitResult, headers: dict[str, str], body: bytes, allow_private: bool) -> _Answer:
    """The answer of one server. Raises OSError, ssl.SSLError and h11.RemoteProtocolError."""
    host, secure = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    ip = await resolve(host, port, allow_private)
    tls = {"ssl": _tls(), "server_hostname": host} if secure else {}
    reader, writer = await asyncio.open_connection(ip, port, **tls)  # type: ignore[arg-type]
    try:
        shown = f"[{host}]" if ":" in host else host
        named = shown if parts.port is None else f"{shown}:{port}"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEAD)
        request = h11.Request(
            method="POST", target=target, headers=[("host", named), ("connection", "close"), *headers.items()]
        )
        for event in (request, h11.Data(data=body), h11.EndOfMessage()):
            writer.write(connection.send(event) or b"")
        await writer.drain()
        answer = await _head(reader, connection)
        with contextlib.suppress(OSError, h11.RemoteProtocolError, TimeoutError):
            async with asyncio.timeout(BODY_SECONDS):
                await _drop_body(reader, connection)
        return answer
    finally:
        writer.transport.abort()


async def _head(reader: asyncio.StreamReader, connection: h11.Connection) -> _Answer:
    """Status and headers; answers with 1xx come before them."""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            received = await reader.read(4096)
            if not received:
                raise ConnectionError("the receiver closed the connection without an answer")
            connection.receive_data(received)
        elif isinstance(event, h11.Response):
            headers = {name.decode().lower(): value.decode("latin-1") for name, value in event.headers}
            return _Answer(event.status_code, headers)


async def _drop_body(reader: asyncio.StreamReader, connection: h11.Connection) -> None:
    length = 0
    while length < MOST_BODY:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(4096))
        elif isinstance(event, h11.Data):
            length += len(event.data)
        else:
            return


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
