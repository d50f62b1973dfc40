"""Live ingest from a Mastodon server over WebSocket, and several sources at once."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import Request, Response, ServerConnection, serve

from tests.service.test_listen_http import texts
from trinch.service.listen import listen, listen_all
from trinch.sources.live import Refused
from trinch.sources.mastodon_client import Mastodon
from trinch.store.source_state import read_states
from trinch.store.writer import Totals

Handle = Callable[[ServerConnection, int], Awaitable[None]]


def status(n: int) -> str:
    account = {"acct": "quay", "uri": "https://masto.example/users/quay"}
    return json.dumps(
        {"id": str(n), "uri": f"https://masto.example/{n}", "content": f"<p>post {n}</p>", "account": account}
    )


def frame(event: str, payload: str) -> str:
    return json.dumps({"stream": ["public", "local"], "event": event, "payload": payload})


def run(
    data: Path, handle: Handle, enough: Callable[[Totals], bool], check: Any = None, sources: int = 1
) -> Any:
    async def running() -> Any:
        stop, number = asyncio.Event(), 0

        async def counted(socket: ServerConnection) -> None:
            nonlocal number
            number += 1
            await handle(socket, number)

        asyncio.get_running_loop().call_later(60, stop.set)
        async with serve(counted, "127.0.0.1", 0, process_request=check) as server:
            port = server.sockets[0].getsockname()[1]
            address = f"ws://127.0.0.1:{port}/public/local"
            if sources == 1:
                return await listen(data, Mastodon(address, "token"), stop=stop, until=enough)
            several = [Mastodon(f"ws://127.0.0.1:{port}/hashtag?tag=t{n}") for n in range(sources)]
            return await listen_all(data, several, stop=stop, posts=sources)

    return asyncio.run(running())


def test_posts_edits_deletions_garbage_and_a_lost_connection(tmp_path: Path) -> None:
    asked: list[Request] = []

    def check(_: ServerConnection, request: Request) -> Response | None:
        asked.append(request)
        return None

    async def handle(socket: ServerConnection, number: int) -> None:
        if number == 1:
            await socket.send(frame("update", status(1)))
            await socket.send(frame("update", status(2)))
            await socket.send("{not json")
            await socket.send(frame("announcement", "{}"))
            await socket.send(frame("delete", "1"))
            await asyncio.sleep(0.3)
            socket.transport.abort()
            return
        await socket.send(frame("update", status(2)))
        await socket.send(frame("update", status(3)))
        await socket.wait_closed()

    totals = run(tmp_path, handle, lambda totals: totals.read >= 7, check)
    assert set(texts(tmp_path).values()) == {"post 2", "post 3"}
    assert (totals.rejected, totals.deleted) == (1, 1)
    assert asked[0].path == "/api/v1/streaming?stream=public%3Alocal"
    assert asked[0].headers["Authorization"] == "Bearer token"
    (state,) = read_states(tmp_path)
    assert state.name.endswith("/public/local")
    assert (state.reconnects, state.rejected) == (1, 1)


def test_refused_credentials(tmp_path: Path) -> None:
    def check(socket: ServerConnection, _: Request) -> Response:
        return socket.respond(HTTPStatus.UNAUTHORIZED, "Invalid access token")

    async def handle(_: ServerConnection, __: int) -> None: ...

    with pytest.raises(Refused, match="401: Invalid access token"):
        run(tmp_path, handle, lambda _: False, check)


def test_several_sources_at_once_each_with_its_own_state(tmp_path: Path) -> None:
    async def handle(socket: ServerConnection, number: int) -> None:
        await socket.send(frame("update", status(number)))
        await socket.wait_closed()

    done = run(tmp_path, handle, lambda _: False, sources=3)
    assert [(one.totals.accepted, one.refused) for one in done] == [(1, "")] * 3
    assert set(texts(tmp_path).values()) == {"post 1", "post 2", "post 3"}
    assert len(read_states(tmp_path)) == 3
