"""HTTP endpoints of stories and trends."""

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
from trinch.service.stories import WINDOW, WindowError, stories_json, story_json, trends_json
from trinch.store.query import QueryError
from trinch.stories.types import Kind

Window = Annotated[str, msgspec.Meta(max_length=20)]


class Stories(msgspec.Struct):
    """Parameters of /v1/stories."""

    window: Window = WINDOW
    about: Where = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 10
    as_of: str | None = None


class StoryAsOf(msgspec.Struct):
    """Parameters of /v1/stories/{id}."""

    as_of: str | None = None


class Trends(msgspec.Struct):
    """Parameters of /v1/trends."""

    window: Window = WINDOW
    kind: Kind | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 20
    as_of: str | None = None


async def find_stories(pool: WorkerPool, given: Stories) -> dict[str, Any]:
    """The leading stories. Raises Problem."""
    as_of = parse_as_of(given.as_of)
    try:
        return await pool.run(stories_json, as_of, given.window, given.limit, given.about)
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
        return await pool.run(trends_json, as_of, given.window, given.limit, given.kind)
    except WindowError as error:
        raise _bad_window(error) from None


def _bad_window(error: WindowError) -> Problem:
    return Problem(400, str(error), param="window", code="bad_window")


async def stories(request: Request) -> Response:
    return codec.Json(await find_stories(state_of(request).answer_pool, codec.read_query(request, Stories)))


async def story(request: Request) -> Response:
    given = codec.read_query(request, StoryAsOf)
    return codec.Json(await find_story(state_of(request).answer_pool, request.path_params["id"], given.as_of))


async def trends(request: Request) -> Response:
    return codec.Json(await find_trends(state_of(request).answer_pool, codec.read_query(request, Trends)))


routes = [
    Route("/v1/stories", stories),
    Route("/v1/stories/{id:path}", story),
    Route("/v1/trends", trends),
]
