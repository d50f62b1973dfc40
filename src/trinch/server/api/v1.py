"""Trinch's own HTTP endpoints: search, counts, ask, posts, evidence, statistics, the live view."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.posts.times import iso
from trinch.server import answering
from trinch.server.app_state import AppState, state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.server.workers.worker_pool import WorkerPool
from trinch.service import serialize
from trinch.service.ask import AskRequest, QuestionError, interpret
from trinch.service.places import LIMIT, places_json
from trinch.service.search import searched_json
from trinch.service.volume import Unit, counts_json, evidence_json
from trinch.store.pages import CursorError
from trinch.store.query import MAX_LENGTH, QueryError, parse_time
from trinch.store.stats import stats
from trinch.store.store import Store

Question = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Where = Annotated[str, msgspec.Meta(max_length=1000)]
Style = Annotated[str, msgspec.Meta(max_length=2000)]
Earlier = Annotated[list[Annotated[str, msgspec.Meta(max_length=2000)]], msgspec.Meta(max_length=100)]


class Search(msgspec.Struct):
    """Parameters of /v1/search."""

    q: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)]
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    sort: Literal["relevance", "latest"] = "relevance"
    as_of: str | None = None
    where: Where = ""
    earlier: Earlier = []
    cursor: Annotated[str, msgspec.Meta(max_length=500)] = ""
    total: bool = False


class Places(msgspec.Struct):
    """Parameters of /v1/places."""

    q: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)] = ""
    where: Where = ""
    as_of: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=1000)] = LIMIT


class Counts(msgspec.Struct):
    """Parameters of /v1/counts."""

    q: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)]
    by: Unit = "day"
    as_of: str | None = None
    where: Where = ""
    earlier: Earlier = []


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """Parameters of /v1/ask."""

    question: Question
    as_of: str | None = None
    where: Where = ""
    earlier: Earlier = []
    stream: bool = False
    style: Style = ""
    model: Annotated[str, msgspec.Meta(max_length=64)] = ""


class Evidence(msgspec.Struct):
    """Parameters of /v1/evidence."""

    question: Question
    as_of: str | None = None
    where: Where = ""
    earlier: Earlier = []


class Fetch(msgspec.Struct):
    """Parameters of /v1/posts/{key}."""

    as_of: str | None = None


class Visible(msgspec.Struct, forbid_unknown_fields=True):
    """Body of /v1/visible."""

    keys: Annotated[list[Annotated[str, msgspec.Meta(max_length=1000)]], msgspec.Meta(max_length=200)]
    as_of: str | None = None


def parse_as_of(text: str | None) -> int | None:
    """An `as_of` in microseconds since 1970. Raises Problem."""
    if not text:
        return None
    try:
        moment = parse_time(text)
        iso(moment)  # what is outside the years 1 to 9999 in UTC cannot be written
    except (ValueError, OverflowError) as error:
        raise Problem(400, f"cannot use this time: {error}", param="as_of", code="bad_time") from None
    return moment


def question_from(given: Ask | Evidence) -> AskRequest:
    """The question of a request. Raises Problem for operators that cannot be read."""
    return parse_question(
        given.question,
        earlier=given.earlier,
        where=given.where,
        as_of=parse_as_of(given.as_of),
        style=given.style if isinstance(given, Ask) else "",
    )


def parse_question(
    text: str, *, earlier: list[str], where: str, as_of: int | None, style: str = ""
) -> AskRequest:
    """`interpret`, with a Problem for a QueryError."""
    try:
        return interpret(text, earlier=earlier, where=where, as_of=as_of, style=style)
    except QuestionError as error:
        raise Problem(400, str(error), param="question", code="empty_question") from None
    except QueryError as error:
        raise Problem(400, str(error), param="where", code="bad_query") from None


async def search(request: Request) -> Response:
    given = codec.read_query(request, Search)
    return codec.Json(await run_search(state_of(request).search_pool, given))


async def run_search(pool: WorkerPool, given: Search) -> dict[str, Any]:
    """A page of a search, as JSON. Raises Problem."""
    options = {"earlier": given.earlier, "where": given.where, "limit": given.limit, "sort": given.sort}
    options |= {"as_of": parse_as_of(given.as_of), "cursor": given.cursor, "total": given.total}
    try:
        found: dict[str, Any] = await pool.run(searched_json, given.q, **options)
    except QueryError as error:
        raise Problem(400, str(error), param="q", code="bad_query") from None
    except CursorError as error:
        raise Problem(400, str(error), param="cursor", code="bad_cursor") from None
    return found


async def places(request: Request) -> Response:
    given = codec.read_query(request, Places)
    as_of = parse_as_of(given.as_of)
    try:
        found = await state_of(request).answer_pool.run(
            places_json, given.q, given.where, as_of, given.limit, limited=True
        )
        return codec.Json(found)
    except QueryError as error:
        raise Problem(400, str(error), param="q", code="bad_query") from None


async def counts(request: Request) -> Response:
    given = codec.read_query(request, Counts)
    as_of = parse_as_of(given.as_of)
    try:
        found = await state_of(request).answer_pool.run(
            counts_json,
            given.q,
            given.by,
            earlier=given.earlier,
            where=given.where,
            as_of=as_of,
            limited=True,
        )
    except QueryError as error:
        raise Problem(400, str(error), param="q", code="bad_query") from None
    return codec.Json(found)


async def ask(request: Request) -> Response:
    given = codec.read_query(request, Ask) if request.method == "GET" else await codec.read_body(request, Ask)
    question, state = question_from(given)._replace(model=given.model), state_of(request)
    answering.model_name(state, given.model)
    if given.stream or "text/event-stream" in request.headers.get("accept", ""):
        return codec.EventStream(_answer_events(state, question, request.state.key))
    return codec.Json(await answering.answer(state, question, request.state.key))


async def _answer_events(state: AppState, question: AskRequest, key: str | None) -> AsyncIterator[bytes]:
    """An answer as server-sent events: status, then sources and claims, then done."""
    asking = {"state": "searching", "question": question.text, "asked": question.question}
    yield codec.sse_event(asking | {"as_of": iso(question.as_of)}, "status")
    try:
        async for update in answering.stream(state, question, key):
            for source in update.new_sources:
                yield codec.sse_event(source, "source")
            if update.claim:
                yield codec.sse_event(update.claim, "claim")
            else:
                yield codec.sse_event(update.answer, "done")
    except Problem as problem:
        yield codec.sse_event(problem.body, "error")


async def evidence(request: Request) -> Response:
    question = question_from(codec.read_query(request, Evidence))
    return codec.Json(await state_of(request).answer_pool.run(evidence_json, question))


async def post(request: Request) -> Response:
    key, as_of = request.path_params["key"], parse_as_of(codec.read_query(request, Fetch).as_of)
    hit = await state_of(request).search_pool.run(Store.get, key, as_of)
    if hit is None:
        raise Problem(404, "there is no visible post with this key", param="key", code="not_found")
    return codec.Json(serialize.post_json(hit))


async def visible(request: Request) -> Response:
    given = await codec.read_body(request, Visible)
    shown = await state_of(request).search_pool.run(
        serialize.visible_keys, given.keys, parse_as_of(given.as_of)
    )
    return codec.Json({"visible": shown})


async def statistics(request: Request) -> Response:
    return codec.Json(await state_of(request).search_pool.run(stats))


async def live(request: Request) -> Response:
    state = state_of(request)
    return codec.EventStream(state.live.events(state.stopping))


routes = [
    Route("/v1/search", search),
    Route("/v1/counts", counts),
    Route("/v1/places", places),
    Route("/v1/ask", ask, methods=["GET", "POST"]),
    Route("/v1/evidence", evidence),
    Route("/v1/posts/{key:path}", post),
    Route("/v1/visible", visible, methods=["POST"]),
    Route("/v1/stats", statistics),
    Route("/v1/live", live),
]
