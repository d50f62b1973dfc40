"""`/v1/live/search`: the posts that match a search as they arrive, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.server.api.v1 import Where
from trinch.server.app_state import AppState, state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.service.live_search import end_of_index, new_matches, query_hints
from trinch.store.query import MAX_LENGTH, QueryError
from trinch.store.text_index import INDEX, read_position

POLL_SECONDS = 0.5
"""Time between two checks for new posts."""

HEARTBEAT_SECONDS = 2.0
"""Time without an event after which `status` is sent: it detects closed connections."""


class LiveSearch(msgspec.Struct):
    """Parameters of /v1/live/search."""

    q: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)] = ""
    where: Where = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10
    """Most posts a second; of more the newest are sent and the others counted."""


async def live_search(request: Request) -> Response:
    given, state = codec.read_query(request, LiveSearch), state_of(request)
    try:
        hints = await state.search_pool.run(query_hints, given.q, given.where)
    except QueryError as error:
        raise Problem(400, str(error), param="q", code="bad_query") from None
    return codec.EventStream(_arriving(state, given, hints))


async def _arriving(state: AppState, given: LiveSearch, hints: list[str]) -> AsyncIterator[bytes]:
    """`status` first, then each new match as `post`, and a `status` after every batch or HEARTBEAT_SECONDS."""
    loop, index = asyncio.get_running_loop(), state.data / INDEX
    position, limit = await state.search_pool.run(end_of_index), max(1, round(given.limit * POLL_SECONDS))
    status = {"matched": 0, "skipped": 0, "partial": False, "hints": hints}
    yield codec.sse_event(status, "status")
    beat = loop.time()
    while not state.stopping.is_set():
        await asyncio.sleep(POLL_SECONDS)
        hits = []
        if read_position(index) > position:
            try:
                found = await state.search_pool.run(new_matches, given.q, given.where, position, limit)
            except Problem:  # too busy: these posts come with the next check
                continue
            position, hits = found["position"], found["hits"]
            status["matched"] += found["matched"]
            status["skipped"] += found["skipped"]
            status["partial"] = found["partial"]
        for hit in hits:
            yield codec.sse_event(hit, "post")
        if hits or loop.time() - beat >= HEARTBEAT_SECONDS:
            beat = loop.time()
            yield codec.sse_event(status, "status")


routes = [Route("/v1/live/search", live_search)]
