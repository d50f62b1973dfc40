"""HTTP endpoints of alerts and feeds.

A key sees and changes the alerts that it made; one with the scope `admin`, like the start-up token, those of all.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.alerts.types import AlertError, AlertSettings
from trinch.server.app_state import AppState, state_of
from trinch.server.http import codec
from trinch.server.http.access import Access
from trinch.server.http.errors import Problem
from trinch.server.workers.worker_pool import WorkerPool
from trinch.service import alerts as service
from trinch.service import feeds
from trinch.store.query import MAX_LENGTH, QueryError

POLL = 0.25
"""Seconds between two looks for new firings of an event stream."""
KEEP_ALIVE = 15.0
"""Seconds of silence after which an event stream sends a comment, so that no proxy closes it."""


class Events(msgspec.Struct):
    """Parameters of /v1/alerts/events."""

    after: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Feed(msgspec.Struct):
    """Parameters of /v1/feed: one of `q` and `story`."""

    q: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)] = ""
    story: Annotated[str, msgspec.Meta(max_length=300)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 30


class Parts(Protocol):
    """What alerts need of a server."""

    @property
    def data(self) -> Path: ...
    @property
    def search_pool(self) -> WorkerPool: ...
    @property
    def alerts(self) -> service.AlertRules: ...


def owner_of(access: Access) -> str | None:
    """Whose alerts a client sees; None: those of all."""
    return None if "admin" in access.scopes else access.key or ""


async def add_alert(state: Parts, given: AlertSettings, access: Access) -> dict[str, Any]:
    """Save an alert. Raises Problem."""
    is_admin = owner_of(access) is None
    if given.email and not is_admin:
        raise Problem(
            403,
            "only a key with the scope 'admin' may have e-mail sent",
            param="email",
            code="email_not_allowed",
        )
    if given.channel and not is_admin:
        raise Problem(
            403,
            "only a key with the scope 'admin' may use a channel of a package",
            param="channel",
            code="channel_not_allowed",
        )
    most = {} if is_admin else {"most": state.alerts.per_key}
    try:
        return await state.search_pool.run(service.add_alert, given, access.key or "", **most)
    except AlertError as error:
        raise Problem(400, str(error), param=error.param, code="bad_alert") from None


async def show_alert(state: Parts, id: str, access: Access) -> dict[str, Any]:
    """One alert. Raises Problem."""
    found = await state.search_pool.run(service.show_alert, id, owner_of(access))
    return found or _missing()


async def remove_alert(state: Parts, id: str, access: Access) -> None:
    """Remove an alert. Raises Problem."""
    if not await asyncio.to_thread(service.remove_alert, state.data, id, owner_of(access)):
        _missing()


async def test_alert(state: Parts, id: str, access: Access) -> dict[str, Any]:
    """What an alert matched of late, and what became of a test delivery. Raises Problem."""
    found = await state.search_pool.run(service.preview_alert, id, owner_of(access)) or _missing()
    sent = await service.send_test(state.data, id, owner_of(access), state.alerts.allow_private)
    return found | {"deliveries": sent}


def _missing() -> dict[str, Any]:
    raise Problem(404, "there is no alert with this id", param="id", code="not_found")


def _access(request: Request) -> Access:
    return Access(request.state.scopes, request.state.key)


async def alerts(request: Request) -> Response:
    """GET: the alerts. POST: save one; the secret of its webhooks is in this response only."""
    state, access = state_of(request), _access(request)
    if request.method == "GET":
        return codec.Json(await state.search_pool.run(service.list_alerts, owner_of(access)))
    given = await codec.read_body(request, AlertSettings)
    added = await add_alert(state, given, access)
    state.audit.write(event="alert made", key=access.key, alert=added["id"])
    return codec.Json(added, 201)


async def alert(request: Request) -> Response:
    """GET: one alert. DELETE: remove it."""
    state, access, id = state_of(request), _access(request), request.path_params["id"]
    if request.method == "GET":
        return codec.Json(await show_alert(state, id, access))
    await remove_alert(state, id, access)
    state.audit.write(event="alert removed", key=access.key, alert=id)
    return Response(status_code=204)


async def test(request: Request) -> Response:
    return codec.Json(await test_alert(state_of(request), request.path_params["id"], _access(request)))


async def events(request: Request) -> Response:
    """The firings of the client's alerts as server-sent events, from now on or behind a number."""
    after = codec.read_query(request, Events).after
    last = request.headers.get("last-event-id", "")
    if after is None and last.isascii() and last.isdigit():
        after = int(last)
    state = state_of(request)
    if after is None:
        after = await state.search_pool.run(service.newest_firing)
    return codec.EventStream(_events(state, owner_of(_access(request)), after))


async def _events(state: AppState, owner: str | None, after: int) -> AsyncIterator[bytes]:
    silent = 0.0
    with service.firing_watch(state.data) as newest:
        yield b": firings\n\n"
        while not state.stopping.is_set():
            if newest() > after:
                silent = 0.0
                for one in await state.search_pool.run(service.firings_after, after, owner):
                    after = one["n"]
                    if "alert" in one:
                        yield f"id: {after}\n".encode() + codec.sse_event(one, "alert")
                continue
            silent += POLL
            if silent >= KEEP_ALIVE:
                silent = 0.0
                yield b": still here\n\n"
            await asyncio.sleep(POLL)


async def alert_feed(request: Request) -> Response:
    found = await show_alert(state_of(request), request.path_params["id"], _access(request))
    return _atom(feeds.alert_feed(found, str(request.url)))


async def feed(request: Request) -> Response:
    """A search or a story as an Atom feed."""
    given, state, address = codec.read_query(request, Feed), state_of(request), str(request.url)
    if bool(given.q) == bool(given.story):
        raise Problem(400, "give either q or story", param="q", code="invalid_value")
    if given.story:
        shown = await state.answer_pool.run(feeds.story_feed, given.story, address)
        if shown is None:
            raise Problem(404, "there is no story with this id", param="story", code="not_found")
        return _atom(shown)
    try:
        return _atom(await state.search_pool.run(feeds.search_feed, given.q, given.limit, address))
    except QueryError as error:
        raise Problem(400, str(error), param="q", code="bad_query") from None


def _atom(text: str) -> Response:
    return Response(text, media_type="application/atom+xml; charset=utf-8")


routes = [
    Route("/v1/alerts", alerts, methods=["GET", "POST"]),
    Route("/v1/alerts/events", events),
    Route("/v1/alerts/{id}", alert, methods=["GET", "DELETE"]),
    Route("/v1/alerts/{id}/test", test, methods=["POST"]),
    Route("/v1/alerts/{id}/feed", alert_feed),
    Route("/v1/feed", feed),
]
