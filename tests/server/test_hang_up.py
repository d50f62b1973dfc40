"""A request ends when its client hangs up, so that hostile clients do not stop the others."""

import asyncio
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.server.http import codec, connection_limits
from trinch.server.http.access import AccessControl, access_rules
from trinch.server.http.audit import Audit
from trinch.server.http.errors import Problem
from trinch.server.http.keys import Keys
from trinch.server.http.metrics import Metrics
from trinch.server.http.middleware import CLIENT_CLOSED, Middleware
from trinch.server.workers.worker_pool import WorkerPool
from trinch.store.store import Store


def _burn(_: Store) -> int:
    """Minutes of native code."""
    return len(hashlib.pbkdf2_hmac("sha256", b"x", b"y", 10**9))


def _count(store: Store) -> int:
    return store.num_posts


class Served:
    """The middleware and a pool of two workers behind a real socket: /burn, with or without a body, and /count."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.pool = WorkerPool(data, 2, queue_size=100, cpu_seconds=600)
        self.metrics = Metrics()

        async def burn(request: Request) -> Response:
            if request.method == "POST":
                await codec.read_body(request, dict)
            return codec.Json(await self.pool.run(_burn))

        async def count(_: Request) -> Response:
            return codec.Json(await self.pool.run(_count))

        async def problem(_: Request, error: Exception) -> Response:
            assert isinstance(error, Problem)
            return error.response()

        routes = [Route("/burn", burn, methods=["GET", "POST"]), Route("/count", count)]
        rules = access_rules("127.0.0.1", keys=False, unix_socket=True)
        app = Middleware(
            Starlette(routes=routes, exception_handlers={Problem: problem}),
            AccessControl(rules, Keys(folder)),
            Audit(folder),
            self.metrics,
            lambda scope: scope["path"],
        )
        config = uvicorn.Config(
            app, http=connection_limits.LimitedConnection, ws="none", lifespan="off", log_level="error",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self.server = uvicorn.Server(config)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.socket.getsockname()
        self.url = f"http://127.0.0.1:{self.address[1]}"


@pytest.fixture
def served(sample_data: Path, tmp_path: Path) -> Iterator[Served]:
    one = Served(sample_data, tmp_path)
    thread = threading.Thread(target=lambda: asyncio.run(one.server.serve([one.socket])))
    thread.start()
    while not one.server.started:
        time.sleep(0.01)
    yield one
    one.pool.close()
    one.server.should_exit = one.server.force_exit = True
    thread.join()


GET = b"GET /burn HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = (
    b"POST /burn HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)


def hang_up_after(address: tuple[str, int], request: bytes, seconds: float) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(request)
        time.sleep(seconds)


@pytest.mark.parametrize("request_bytes", [GET, POST])
def test_clients_that_hang_up_do_not_stop_the_others(served: Served, request_bytes: bytes) -> None:
    assert httpx.get(f"{served.url}/count", timeout=60).json() > 2000
    hostile = [
        threading.Thread(target=hang_up_after, args=(served.address, request_bytes, 0.3)) for _ in range(4)
    ]
    for thread in hostile:
        thread.start()
    for thread in hostile:
        thread.join()
    # Without the end of their tasks both workers would be busy for minutes.
    for _ in range(5):
        assert httpx.get(f"{served.url}/count", timeout=30).json() > 2000
    deadline = time.monotonic() + 10
    while served.pool.busy or served.metrics.in_flight:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    method = request_bytes.split()[0].decode()
    assert served.metrics.requests["/burn", method, CLIENT_CLOSED] == 4


def test_a_response_is_whole_when_its_client_stays(served: Served) -> None:
    with httpx.Client(base_url=served.url, timeout=60) as client:
        assert {client.get("/count").status_code for _ in range(20)} == {200}
    assert served.metrics.requests["/count", "GET", 200] == 20


def test_what_is_not_done_when_the_server_stops_is_refused_for_now(served: Served) -> None:
    responses: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: responses.append(httpx.get(f"{served.url}/burn", timeout=60)))
    asking.start()
    while not served.metrics.in_flight:
        time.sleep(0.01)
    served.server.should_exit = True
    asking.join()
    (response,) = responses
    assert (response.status_code, response.json()["error"]["code"]) == (503, "stopping")
    assert served.metrics.requests["/burn", "GET", 503] == 1
