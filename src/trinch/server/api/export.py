"""`/v1/export`: the posts that match a query as a file of any size, written while they are found."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from trinch.server.api.v1 import Where, parse_as_of
from trinch.server.app_state import state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.service.export import MEDIA_TYPES, ExportError, Part, export_parquet, export_part
from trinch.store.query import MAX_LENGTH, QueryError


class Export(msgspec.Struct):
    """Parameters of /v1/export."""

    q: Annotated[str, msgspec.Meta(max_length=MAX_LENGTH)] = ""
    format: Literal["jsonl", "csv", "parquet"] = "jsonl"
    where: Where = ""
    as_of: str | None = None


async def export(request: Request) -> Response:
    given, pool = codec.read_query(request, Export), state_of(request).answer_pool
    query, where, as_of = given.q, given.where, parse_as_of(given.as_of)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="posts.{given.format}"',
    }
    kind = MEDIA_TYPES[given.format]
    work = partial(export_part, query=query, format=given.format, where=where, as_of=as_of)
    try:
        if given.format == "parquet":
            whole = await pool.run(export_parquet, query, where=where, as_of=as_of)
            return Response(whole, media_type=kind, headers=headers)
        first: Part = await pool.run(work)  # an error of the query is a status, not half a file
    except QueryError as error:
        raise Problem(400, str(error), param="q", code="bad_query") from None
    except ExportError as error:
        raise Problem(501, str(error), param="format", code="not_installed") from None

    async def parts() -> AsyncIterator[bytes]:
        """The export part by part; an error ends the connection before the end of the body."""
        part = first
        yield part.data
        while part.next is not None:
            part = await pool.run(work, after=part.next)
            yield part.data

    return StreamingResponse(parts(), media_type=kind, headers=headers)


routes = [Route("/v1/export", export)]
