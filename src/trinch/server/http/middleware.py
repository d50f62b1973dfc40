"""ASGI middleware: the checks and headers that apply to every request, whatever its endpoint.

Checks the number of headers, Host, Origin and Sec-Fetch-Site, credentials and scopes, and the rate of each key; adds
CORS and security headers; bounds the time a body may take; cancels a request whose client hung up; writes the audit
line and counts the request. Who is allowed what is decided in `access.py`.
"""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trinch.server.http.access import ACCESS, Access, AccessControl, token_from_query, without_token
from trinch.server.http.audit import Audit
from trinch.server.http.errors import Problem, stopping
from trinch.server.http.metrics import Metrics
from trinch.server.workers.fair_queue import CLIENT

MAX_HEADERS = 100
PAUSE_SECONDS, BODY_SECONDS = 20.0, 300.0
"""How long a client may pause within its body, and take for all of it."""

CLIENT_CLOSED = 499
"""Status in the audit log and the metrics of a request whose client hung up before the response (nginx's number)."""


@dataclass(slots=True)
class Middleware:
    """The ASGI application behind the checks."""

    app: ASGIApp
    control: AccessControl
    audit: Audit
    metrics: Metrics
    route_of: Callable[[Scope], str]
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, headers = time.monotonic(), Headers(scope=scope)
        status, sent = CLIENT_CLOSED, 0
        origin = headers.get("origin", "")
        access = Access()

        async def reply(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                self._add_headers(MutableHeaders(scope=message), scope["path"], origin)
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self.metrics.in_flight += 1
        try:
            try:
                access = self._authorize(scope, headers)
            except Problem as problem:
                await problem.response()(scope, receive, reply)
                return
            if early := self._early_response(scope, headers, access):
                await early(scope, receive, reply)
            else:
                await _run_while_connected(self.app, scope, _with_body_timeout(receive), reply)
        except asyncio.CancelledError:  # the server stops, and the time for open requests is over
            if status != CLIENT_CLOSED:  # the response has begun
                raise
            await stopping().response()(scope, receive, reply)
        except Exception:
            status = 500
            raise
        finally:
            self.metrics.in_flight -= 1
            seconds = time.monotonic() - started
            route = self.route_of(scope)
            self.metrics.served(route, scope["method"], status, seconds)
            self.audit.write(
                key=access.key,
                client=scope["client"][0] if scope.get("client") else None,
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
                bytes=sent,
            )

    def _authorize(self, scope: Scope, headers: Headers) -> Access:
        """What the request is allowed, also as `request.state.scopes` and `request.state.key`. Raises Problem."""
        if len(scope["headers"]) > MAX_HEADERS:
            raise Problem(431, f"more than {MAX_HEADERS} headers", code="too_many_headers")
        access = self.control.authorize(scope, headers)
        scope.setdefault("state", {}).update(scopes=access.scopes, key=access.key)
        ACCESS.set(access)
        CLIENT.set(access.key or (scope["client"][0] if scope.get("client") else ""))
        if access.key:
            self._take_rate_token(access.key)
        return access

    def _early_response(self, scope: Scope, headers: Headers, access: Access) -> Response | None:
        """The response to a CORS preflight, or to a page opened with the start-up token in its address."""
        if scope["method"] == "OPTIONS" and headers.get("origin", "") in self.control.rules.origins:
            return Response(status_code=204)
        if access.by_token and token_from_query(scope):
            response = RedirectResponse(without_token(scope), 303)
            self.control.set_cookie(response, scope)
            return response
        return None

    def _take_rate_token(self, id: str) -> None:
        """Take one token from the bucket of a key. Raises Problem when it is empty."""
        clock, rate = time.monotonic(), self.control.rules.rate
        tokens, then = self._buckets.get(id, (2 * rate, clock))
        tokens = min(2 * rate, tokens + (clock - then) * rate)
        if tokens < 1:
            wait = math.ceil((1 - tokens) / rate)
            reason = f"more than {rate:g} requests a second with this key"
            raise Problem(429, reason, code="rate_limit_exceeded", retry=wait)
        self._buckets[id] = (tokens - 1, clock)

    def _add_headers(self, headers: MutableHeaders, path: str, origin: str) -> None:
        """Security, caching and CORS headers of every response."""
        headers.setdefault("x-content-type-options", "nosniff")
        headers.setdefault("referrer-policy", "no-referrer")
        headers.setdefault("cross-origin-resource-policy", "same-origin")
        if path.startswith(("/v1/", "/mcp")):
            headers["cache-control"] = "no-store"
            headers.setdefault("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
        if origin in self.control.rules.origins:
            headers["access-control-allow-origin"] = origin
            headers["access-control-allow-headers"] = "authorization, content-type, x-api-key"
            headers["access-control-allow-methods"] = "GET, POST, DELETE"
            headers["access-control-max-age"] = "600"
            headers["cross-origin-resource-policy"] = "cross-origin"
            headers["vary"] = "origin"


def _with_body_timeout(receive: Receive) -> Receive:
    """`receive` that reports a disconnect when the client is too slow with its body."""
    complete, deadline = False, time.monotonic() + BODY_SECONDS

    async def receive_in_time() -> Message:
        nonlocal complete
        if complete:
            return await receive()
        try:
            async with asyncio.timeout(min(PAUSE_SECONDS, deadline - time.monotonic())):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        complete = not message.get("more_body", False)
        return message

    return receive_in_time


async def _run_while_connected(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application; cancel it when the client hangs up after its body was read.

    ASGI reports a disconnect only to whoever calls `receive`, and an endpoint that computes does not. So from the end
    of the body on, a task of ours waits for it.
    """
    connection = _Connection(receive, send, has_body=_has_body(scope))
    running = asyncio.ensure_future(app(scope, connection.receive, connection.send))
    connection.watch(running)
    try:
        await asyncio.wait({running})
        if not (running.cancelled() and connection.disconnected.is_set()):
            running.result()
    finally:
        running.cancel()
        connection.close()


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


class _Connection:
    """`receive` and `send` of one request, and the task that waits for the client to hang up."""

    def __init__(self, receive: Receive, send: Send, has_body: bool) -> None:
        self._receive, self._send = receive, send
        self._body_read = asyncio.Event()
        self._has_body = has_body
        if not has_body:
            self._body_read.set()
        self._responded = False
        self.disconnected = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def watch(self, running: "asyncio.Future[None]") -> None:
        """Cancel `running` when the client hangs up before the response is complete."""
        self._watching = asyncio.create_task(self._watch(running))

    async def _watch(self, running: "asyncio.Future[None]") -> None:
        await self._body_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.disconnected.set()
        if not self._responded:
            running.cancel()

    async def receive(self) -> Message:
        """The next part of the body; after the last one, the disconnect."""
        if not self._has_body:
            self._has_body = True
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._body_read.is_set():
            await self.disconnected.wait()
            return {"type": "http.disconnect"}
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self._body_read.set()
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self._responded = True
        await self._send(message)

    def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
