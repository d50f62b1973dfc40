"""`POST /v1/node`: what a coordinator asks of a node of the cluster, in MessagePack (`store/cluster/calls.py`)."""

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.server.app_state import state_of
from trinch.server.http.errors import Problem
from trinch.store.cluster.calls import NotANode, answer_call
from trinch.store.query import QueryError

MEDIA_TYPE = "application/msgpack"

MAX_BODY = 8_000_000
"""Bytes of one request."""


async def node(request: Request) -> Response:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise Problem(413, f"the body is longer than {MAX_BODY:,} bytes", code="body_too_large")
    except ClientDisconnect:
        raise Problem(408, "the body did not end in time", code="timeout") from None
    try:
        reply = await state_of(request).search_pool.run(answer_call, bytes(body))
    except NotANode as error:
        raise Problem(404, str(error), code="not_a_node") from None
    except (QueryError, msgspec.MsgspecError) as error:
        raise Problem(400, str(error), code="bad_call") from None
    return Response(reply, media_type=MEDIA_TYPE)


routes = [Route("/v1/node", node, methods=["POST"])]
