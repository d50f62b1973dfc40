"""Endpoints for operators: health, readiness, metrics, keys."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from trinch.server.app_state import AppState, state_of
from trinch.server.http import codec
from trinch.server.http.connection_limits import LimitedConnection
from trinch.server.http.errors import Problem
from trinch.service.alerts import alert_counts, remove_alerts_of
from trinch.store.source_state import read_states
from trinch.store.writer import MAX_BEHIND

SEARCH_SECONDS = 5.0
"""A server whose last search was answered longer ago than this is not ready."""


class NewKey(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /v1/keys."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    scopes: Annotated[
        list[Literal["read", "ingest", "alerts", "admin"]], msgspec.Meta(min_length=1, max_length=4)
    ]


async def health(_: Request) -> Response:
    """The process responds."""
    return codec.Json({"status": "ok"})


async def ready(request: Request) -> Response:
    """Whether searches are answered and see new posts: the indexer runs and is not far behind."""
    state = state_of(request)
    reasons = [
        f"{child.name}: {child.state}"
        for child in state.children
        if child.name in ("indexer", "partitions") and not child.running
    ]
    if not state.live.current:
        reasons.append("no search was answered yet")
    elif asyncio.get_running_loop().time() - state.live.searched_at > SEARCH_SECONDS:
        reasons.append(f"no search was answered in the last {SEARCH_SECONDS:g} s")
    elif state.live.behind() > 2 * MAX_BEHIND:
        reasons.append(f"the index is {state.live.behind():,} events behind")
    status, code = ("not ready", 503) if reasons else ("ready", 200)
    reasons += state.live.current.get(
        "missing", []
    )  # nodes that do not answer: results are partial, which is better than none
    return codec.Json({"status": status, "reasons": reasons}, code)


async def metrics(request: Request) -> Response:
    state = state_of(request)
    return PlainTextResponse(state.metrics.text(_gauges(state)), media_type="text/plain; version=0.0.4")


def _gauges(state: AppState) -> Iterator[tuple[str, Mapping[str, str], float]]:
    live = state.live.current
    yield "trinch_evicted_connections_total", {}, LimitedConnection.evicted
    yield "trinch_connections", {}, LimitedConnection.count()
    pools = {"search": state.search_pool, "answer": state.answer_pool, "ingest": state.ingest_pool}
    for name, pool in pools.items():
        yield "trinch_waiting", {"pool": name}, pool.busy
    yield from state.model_use.gauges()
    for child in state.children:
        yield "trinch_child_restarts_total", {"name": child.name}, child.restarts
    yield from _alert_gauges(state)
    for source in read_states(state.data):
        labels = {"source": source.name}
        yield "trinch_source_accepted_total", labels, source.accepted
        yield "trinch_source_rejected_total", labels, source.rejected
        yield "trinch_source_reconnects_total", labels, source.reconnects
        yield "trinch_source_events_per_second", labels, source.events_per_second
        yield "trinch_source_updated_seconds", labels, source.updated
        if source.lag_seconds is not None:
            yield "trinch_source_lag_seconds", labels, source.lag_seconds
    for name in ("events", "posts", "events_per_second", "behind"):
        yield f"trinch_{name}", {}, live.get(name, 0)
    if live.get("lag_seconds") is not None:
        yield "trinch_lag_seconds", {}, live["lag_seconds"]


def _alert_gauges(state: AppState) -> Iterator[tuple[str, Mapping[str, str], float]]:
    counts = alert_counts(state.data)
    if not counts:
        return
    saved, position = counts.pop("saved"), counts.pop("position")
    yield "trinch_alerts", {}, saved
    yield "trinch_alerts_behind", {}, max(0, state.live.newest_seq - position) if saved else 0
    yield "trinch_alert_deliveries_pending", {}, counts.pop("pending")
    for name in ("matched", "fired", "overflowed"):
        yield f"trinch_alert_{name}_total", {}, counts.pop(name, 0)
    for name, number in counts.items():
        channel, _, result = name.partition(" ")
        yield "trinch_alert_deliveries_total", {"channel": channel, "result": result}, number


async def keys(request: Request) -> Response:
    """GET: every key without its hash. POST: make a key; its token is in this response only."""
    state = state_of(request)
    if request.method == "GET":
        return codec.Json({"keys": [_public_fields(key) for key in state.keys.all()]})
    given = await codec.read_body(request, NewKey)
    key, token = state.keys.add(given.name, given.scopes)
    state.audit.write(event="key made", key=key.id, scopes=list(key.scopes))
    return codec.Json(_public_fields(key) | {"token": token}, 201)


async def revoke(request: Request) -> Response:
    state, id = state_of(request), request.path_params["id"]
    if not state.keys.revoke(id):
        raise Problem(404, "no key with this id", param="id", code="not_found")
    removed = await asyncio.to_thread(remove_alerts_of, state.data, id)
    state.audit.write(event="key revoked", key=id, alerts=removed)
    return Response(status_code=204)


def _public_fields(key: msgspec.Struct) -> dict[str, object]:
    fields: dict[str, object] = msgspec.to_builtins(key)
    del fields["hash"]
    return fields


routes = [
    Route("/healthz", health),
    Route("/readyz", ready),
    Route("/metrics", metrics),
    Route("/v1/keys", keys, methods=["GET", "POST"]),
    Route("/v1/keys/{id}", revoke, methods=["DELETE"]),
]
