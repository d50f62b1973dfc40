"""`/mcp`: the Model Context Protocol over HTTP. Its package takes half of a server's start, so it is imported at the
first request."""

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trinch.posts.wire import repair_surrogates
from trinch.server.app_state import AppState
from trinch.server.http.access import ACCESS
from trinch.server.http.codec import MAX_BODY

if TYPE_CHECKING:
    from mcp.server import MCPServer


class McpEndpoint:
    """ASGI application whose tools run in these pools. `run` must be running while it answers requests."""

    def __init__(self, state: AppState) -> None:
        self._state = state
        self._requested = asyncio.Event()
        self._started: asyncio.Future[ASGIApp] | None = None

    async def run(self) -> None:
        """Start the protocol's server at the first request and keep it until cancelled."""
        self._started = asyncio.get_running_loop().create_future()
        await self._requested.wait()
        try:
            server = await asyncio.to_thread(self._server)
            # Any host: the middleware checks it. Stateless: no session is lost with a connection.
            app = server.streamable_http_app(stateless_http=True, json_response=True, host="any")
            async with server.session_manager.run():
                self._started.set_result(app)
                await asyncio.Event().wait()
        except Exception as error:
            self._started.set_exception(error)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._started, "run() is not running"
        self._requested.set()
        app = await asyncio.shield(self._started)
        await app(_with_accept(scope), _repaired(receive) if scope["method"] == "POST" else receive, send)

    def _server(self) -> "MCPServer[Any]":
        from trinch.server import mcp, mcp_alerts

        state = self._state
        made = mcp.server(
            state.search_pool,
            state.answer_pool,
            state.language_model,
            state.model_use,
            state.named_models,
            state.default_model,
        )
        mcp_alerts.add_tools(made, state, ACCESS.get)
        return made


def _with_accept(scope: Scope) -> Scope:
    """The SDK refuses a request without an Accept header; to RFC 9110, 12.5.1, it accepts anything."""
    if any(name == b"accept" for name, _ in scope["headers"]):
        return scope
    return {**scope, "headers": [*scope["headers"], (b"accept", b"application/json, text/event-stream")]}


def _repaired(receive: Receive) -> Receive:
    """`receive` that hands over the body at once, without lone surrogate escapes, which the SDK refuses; a longer body
    than MAX_BODY as it comes."""
    body, complete = bytearray(), False

    async def receive_repaired() -> Message:
        nonlocal complete
        while not complete:
            message = await receive()
            if message["type"] != "http.request":
                return message
            body.extend(message.get("body", b""))
            complete = not message.get("more_body", False)
            if not complete and len(body) > MAX_BODY:
                part = bytes(body)
                body.clear()
                return {"type": "http.request", "body": part, "more_body": True}
            if complete:
                return {"type": "http.request", "body": repair_surrogates(bytes(body)), "more_body": False}
        return await receive()

    return receive_repaired
