"""A client that is slow with its body gets 408 and is disconnected, through a real socket; others are not held up."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.server.test_connection_limits import closed, served
from trinch.server.api import upload
from trinch.server.http import codec, connection_limits, middleware
from trinch.server.http.access import AccessControl, access_rules
from trinch.server.http.audit import Audit
from trinch.server.http.errors import Problem
from trinch.server.http.keys import Keys
from trinch.server.http.metrics import Metrics

PAUSE, WHOLE = 0.5, 1.5
HEAD = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: 1000\r\n\r\n"


ended = threading.Event()
"""The stream without an end has ended."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The middleware and the readers of bodies, with short time limits."""
    monkeypatch.setattr(middleware, "PAUSE_SECONDS", PAUSE)
    monkeypatch.setattr(middleware, "BODY_SECONDS", WHOLE)
    monkeypatch.setattr(connection_limits, "WRITE_SECONDS", PAUSE)

    async def takes(request: Request) -> Response:
        return codec.Json(await codec.read_body(request, dict))

    async def takes_lines(request: Request) -> Response:
        return codec.Json([line.decode() async for line in upload._lines(request)])

    async def problem(_: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return error.response()

    async def here(_: Request) -> Response:
        return Response("ok")

    async def endless(_: Request) -> Response:
        return codec.EventStream(flood())

    async def flood() -> AsyncIterator[bytes]:
        try:
            while True:
                yield codec.sse_event("x" * 65536)
                await asyncio.sleep(0)
        finally:
            ended.set()

    routes = [
        Route("/", here),
        Route("/endless", endless),
        Route("/json", takes, methods=["POST"]),
        Route("/lines", takes_lines, methods=["POST"]),
    ]
    app = middleware.Middleware(
        Starlette(routes=routes, exception_handlers={Problem: problem}),
        AccessControl(
            access_rules("127.0.0.1", keys=False, allow_hosts=["x"], unix_socket=True), Keys(tmp_path)
        ),
        Audit(tmp_path),
        Metrics(),
        lambda _: "test",
    )
    config = uvicorn.Config(
        app, http=connection_limits.LimitedConnection, ws="none", lifespan="off", log_level="error"
    )
    running = uvicorn.Server(config)
    opened = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(running.serve([opened])))
    thread.start()
    while not running.started:
        time.sleep(0.01)
    ended.clear()
    yield opened.getsockname()
    running.should_exit = running.force_exit = True
    thread.join()


def answer_of(connection: socket.socket) -> bytes:
    connection.settimeout(5)
    answer = b""
    while b"}}" not in answer and (more := connection.recv(65536)):
        answer += more
    return answer


@pytest.mark.parametrize(
    ("path", "kind"), [(b"/json", b"application/json"), (b"/lines", b"application/x-ndjson")]
)
def test_a_body_that_stops_is_answered_408(address: tuple[str, int], path: bytes, kind: bytes) -> None:
    with socket.create_connection(address) as connection:
        started = time.monotonic()
        connection.sendall(HEAD % (path, kind) + b'{"a": ')
        answer = answer_of(connection)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b'"code":"timeout"' in answer
        assert PAUSE * 0.9 < time.monotonic() - started < 4
        assert closed(connection, 2)  # what comes late is not read as the next request


def test_a_body_that_trickles_is_answered_408(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        started = time.monotonic()
        connection.sendall(HEAD % (b"/json", b"application/json"))
        connection.settimeout(PAUSE / 5)
        answer = b""
        while not answer and time.monotonic() - started < 8:  # each byte well within the pause
            connection.sendall(b" ")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408")
        assert WHOLE * 0.9 < time.monotonic() - started < 5


def test_whoever_leaves_a_stream_unread_ends_it(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(PAUSE / 2)
        assert not ended.is_set()
        assert served(address).startswith(b"HTTP/1.1 200")
        assert ended.wait(5)
        assert closed(slow, 5)


def test_many_that_dawdle_hold_up_nobody(address: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    pause = 3.0  # a busy machine serves within it too
    monkeypatch.setattr(middleware, "PAUSE_SECONDS", pause)
    monkeypatch.setattr(middleware, "BODY_SECONDS", pause)
    slow = [socket.create_connection(address) for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(HEAD % (b"/json", b"application/json") + b"{")
        started = time.monotonic()
        assert served(address).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - started < pause
        assert all(answer_of(connection).startswith(b"HTTP/1.1 408") for connection in slow)
    finally:
        for connection in slow:
            connection.close()
