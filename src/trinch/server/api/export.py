"""`/v1/export`: the posts that match a query as a file."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from trinch.server.api.v1 import Where, parse_as_of
from trinch.server.app_state import state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.service.export import MEDIA_TYPES, ExportError, export_chunks
from trinch.store.query import MAX_LENGTH, QueryError


class Export(msgspec.Struct):
    """Parameters of /v1/export."""

    q: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)]
    format: Literal["jsonl", "csv", "parquet"] = "jsonl"
    where: Where = ""
    as_of: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=50_000)] = 10_000


async def export(request: Request) -> Response:
    given = codec.read_query(request, Export)
    as_of = parse_as_of(given.as_of)
    chunks = state_of(request).answer_pool.stream(
        export_chunks, given.q, given.format, where=given.where, as_of=as_of, limit=given.limit
    )
    try:
        first = await anext(chunks)  # an error of the query is a status, not half a file
    except QueryError as error:
        raise Problem(400, str(error), param="q", code="bad_query") from None
    except ExportError as error:
        raise Problem(501, str(error), param="format", code="not_installed") from None

    async def body() -> AsyncIterator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    name = f'attachment; filename="posts.{given.format}"'
    return StreamingResponse(
        body(), media_type=MEDIA_TYPES[given.format], headers={"Content-Disposition": name}
    )


routes = [Route("/v1/export", export)]
