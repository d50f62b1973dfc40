"""The web application: every route in one table, and what runs as long as it lives.

Owns putting the parts together and turning errors into answers. Knows nothing of processes and sockets (`serve.py`).
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from trinch.server import native, page
from trinch.server.desk import Desk
from trinch.server.errors import Problem
from trinch.server.live import Live
from trinch.server.state import State

log = logging.getLogger("trinch.server")


def build(data: Path) -> Starlette:
    """The application over the ocean in `data`."""
    readers, askers = Desk(data, threads=4, line=400), Desk(data, threads=2, line=100)
    live = Live(data, readers, list)
    state = State(data, readers, askers, live)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(live.watch())
        yield
        watching.cancel()
        readers.close()
        askers.close()

    app = Starlette(
        routes=[*native.routes, *page.routes()],
        lifespan=lifespan,
        exception_handlers={Problem: _problem, HTTPException: _http, Exception: _unexpected},
    )
    app.state.trinch = state
    return app


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _http(request: Request, error: Exception) -> Response:
    """Starlette's own: no such path, no such method."""
    assert isinstance(error, HTTPException)
    reason = {404: f"no such path: {request.url.path}", 405: f"{request.method} is not for this path"}
    response = Problem(error.status_code, reason.get(error.status_code, error.detail)).response()
    response.headers.update(error.headers or {})
    return response


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return Problem(500, "something went wrong on our side; the log of the server says what").response()
