"""HTTP endpoints of stories, trends and briefs."""

from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.server.api.v1 import Where, parse_as_of
from trinch.server.app_state import state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.server.workers.worker_pool import WorkerPool
from trinch.service.briefs import LIMIT, SINCE, BriefError, Format, brief_json
from trinch.service.stories import WINDOW, WindowError, stories_json, story_json, trends_json
from trinch.store.query import QueryError
from trinch.stories.types import Kind

Window = Annotated[str, msgspec.Meta(max_length=40)]
Code = Annotated[str, msgspec.Meta(max_length=40)]


class Stories(msgspec.Struct):
    """Parameters of /v1/stories."""

    window: Window = WINDOW
    about: Where = ""
    lang: Code = ""
    network: Code = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 10
    as_of: str | None = None


class StoryAsOf(msgspec.Struct):
    """Parameters of /v1/stories/{id}."""

    as_of: str | None = None


class Trends(msgspec.Struct):
    """Parameters of /v1/trends."""

    window: Window = WINDOW
    kind: Kind | None = None
    lang: Code = ""
    network: Code = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20
    as_of: str | None = None


class Briefs(msgspec.Struct):
    """Parameters of /v1/briefs."""

    topic: Annotated[list[Annotated[str, msgspec.Meta(max_length=1000)]], msgspec.Meta(max_length=100)] = []
    since: Window = SINCE
    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = LIMIT
    format: Format | None = None
    as_of: str | None = None


async def find_stories(pool: WorkerPool, given: Stories) -> dict[str, Any]:
    """The leading stories. Raises Problem."""
    as_of = parse_as_of(given.as_of)
    try:
        return await pool.run(
            stories_json, as_of, given.window, given.limit, given.about, given.lang, given.network
        )
    except WindowError as error:
        raise _bad_window(error) from None
    except QueryError as error:
        raise Problem(400, str(error), param="about", code="bad_query") from None


async def find_story(pool: WorkerPool, id: str, as_of: str | None) -> dict[str, Any]:
    """One story. Raises Problem."""
    found = await pool.run(story_json, id, parse_as_of(as_of))
    if found is None:
        raise Problem(404, "there is no story with this id as of then", param="id", code="not_found")
    return found


async def find_trends(pool: WorkerPool, given: Trends) -> dict[str, Any]:
    """What rose most. Raises Problem."""
    as_of = parse_as_of(given.as_of)
    try:
        return await pool.run(
            trends_json, as_of, given.window, given.limit, given.kind, given.lang, given.network
        )
    except WindowError as error:
        raise _bad_window(error) from None


async def make_brief(pool: WorkerPool, given: Briefs) -> dict[str, Any]:
    """A brief. Raises Problem."""
    as_of = parse_as_of(given.as_of)
    try:
        return await pool.run(brief_json, given.topic, given.since, as_of, given.limit, given.format)
    except WindowError as error:
        raise Problem(400, str(error), param="since", code="bad_window") from None
    except BriefError as error:
        raise Problem(400, str(error), code="bad_brief") from None
    except QueryError as error:
        raise Problem(400, str(error), param="topic", code="bad_query") from None


def _bad_window(error: WindowError) -> Problem:
    return Problem(400, str(error), param="window", code="bad_window")


async def stories(request: Request) -> Response:
    return codec.Json(await find_stories(state_of(request).answer_pool, codec.read_query(request, Stories)))


async def story(request: Request) -> Response:
    given = codec.read_query(request, StoryAsOf)
    return codec.Json(await find_story(state_of(request).answer_pool, request.path_params["id"], given.as_of))


async def trends(request: Request) -> Response:
    return codec.Json(await find_trends(state_of(request).answer_pool, codec.read_query(request, Trends)))


async def briefs(request: Request) -> Response:
    return codec.Json(await make_brief(state_of(request).answer_pool, codec.read_query(request, Briefs)))


routes = [
    Route("/v1/stories", stories),
    Route("/v1/stories/{id:path}", story),
    Route("/v1/trends", trends),
    Route("/v1/briefs", briefs),
]
