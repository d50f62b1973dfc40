"""Slow, silent and many connections hold up nobody else."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from trinch.server.http import connection_limits

BLOCK = b"x" * 65536


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server with the same connections and short patience, whose one page never ends."""
    monkeypatch.setattr(connection_limits, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(connection_limits, "WRITE_SECONDS", 1.0)
    monkeypatch.setattr(connection_limits.LimitedConnection, "max_open", 20)

    async def app(scope: object, receive: object, send: object) -> None:
        path = scope["path"]  # type: ignore[index]  # a scope of ASGI
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        for _ in range(1000 if path == "/big" else 0):
            await send({"type": "http.response.body", "body": BLOCK, "more_body": True})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]

    config = uvicorn.Config(
        app, http=connection_limits.LimitedConnection, ws="none", lifespan="off", log_level="error"
    )  # type: ignore[arg-type]
    running = uvicorn.Server(config)
    opened = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve([opened])))
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield opened.getsockname()
    running.should_exit = True
    thread.join()


def closed(connection: socket.socket, within: float) -> bool:
    connection.settimeout(within)
    try:
        while connection.recv(2**20):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        return True
    return True


def served(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while more := connection.recv(65536):
            answer += more
        return answer


def test_half_a_request_is_waited_for_only_so_long(address: tuple[str, int]) -> None:
    for head in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT"):
        with socket.create_connection(address) as connection:
            connection.sendall(head)
            started = time.monotonic()
            assert closed(connection, 5)
            assert time.monotonic() - started < 4


def test_a_trickle_does_not_buy_time(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        started = time.monotonic()
        with pytest.raises(ConnectionError):  # noqa: PT012  # whichever byte is one too many
            for byte in b"GET / HTTP/1.1\r\nHost: " + b"x" * 100:
                connection.sendall(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - started < 6


def test_who_does_not_read_is_cut_off(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2.0)
        received = 0
        slow.settimeout(5)
        try:
            while more := slow.recv(2**20):
                received += len(more)
        except ConnectionError:
            pass
        assert received < 60_000_000  # of 65 million


def test_many_silent_connections_leave_room_for_one_that_speaks(address: tuple[str, int]) -> None:
    before = connection_limits.LimitedConnection.count()
    silent = [socket.create_connection(address) for _ in range(40)]
    try:
        for _ in range(5):
            assert served(address).startswith(b"HTTP/1.1 200")
        time.sleep(0.1)
        assert connection_limits.LimitedConnection.count() - before <= 21
    finally:
        for connection in silent:
            connection.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\n",
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n",
    ],
)
def test_an_ambiguous_head_is_refused_and_the_connection_closed(
    address: tuple[str, int], head: bytes
) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(head + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while more := connection.recv(65536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


def test_a_line_feed_in_a_body_is_no_head(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\na\nb\n")
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while more := connection.recv(65536):
            answer += more
    assert answer.count(b"HTTP/1.1 200") == 2
