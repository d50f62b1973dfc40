"""The door: what must hold of every request before an endpoint sees it.

Owns the checks of host and origin, keys and scopes, rates, the number of headers; CORS; the headers every response
carries; the audit line and the count of each request. Knows nothing of what endpoints do.

Without any key the server listens on loopback only, and whoever can reach it may do everything. So that a web page
elsewhere cannot reach it through the reader's browser, the Host must name this machine (DNS rebinding) and an
Origin, where a browser sends one, must be our own. A proxy in front gives itself away by its headers: then a key is
needed.
"""

import asyncio
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trinch.server.http.audit import Audit
from trinch.server.http.errors import Problem
from trinch.server.http.keys import SCOPES, Key, Keys
from trinch.server.http.metrics import Metrics

MAX_HEADERS = 100
PAUSE_SECONDS, BODY_SECONDS = 20.0, 300.0
"""How long a client may pause within its body, and take for all of it."""
LOCAL = ("localhost", "127.0.0.1", "[::1]")
OPEN = ("/healthz", "/readyz")
"""Needs no key anywhere. Nor do the page, which without one holds no answer (`page.py`), and its `/static/` files."""

_NEEDS = (("/v1/ingest", "ingest"), ("/v1/keys", "admin"))
_PROXIED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(slots=True)
class Rules:
    """What the door insists on."""

    keyless: bool
    """Whether requests without a key may do everything: only where none but this machine can connect."""
    hosts: frozenset[str] | None
    """Names (without port) by which this server may be called; None is any."""
    origins: frozenset[str] = frozenset()
    """Web origins other than our own that browsers may call from (CORS)."""
    rate: float = 50.0
    """Requests per second and key; twice as many at once."""


@dataclass(slots=True)
class Middleware:
    """The ASGI application behind the door."""

    app: ASGIApp
    rules: Rules
    keys: Keys
    audit: Audit
    metrics: Metrics
    route_of: Callable[[Scope], str]
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, headers = time.monotonic(), Headers(scope=scope)
        status, sent = 500, 0
        origin = headers.get("origin", "")
        key: Key | None = None

        async def reply(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(MutableHeaders(scope=message), scope["path"], origin)
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self.metrics.in_flight += 1
        try:
            try:
                self._check(scope, headers, origin)
                if scope["method"] == "OPTIONS" and origin in self.rules.origins:
                    await Response(status_code=204)(scope, receive, reply)
                    return
                key = self._who(headers)
                self._admit(scope, key, headers)
            except Problem as problem:
                await problem.response()(scope, receive, reply)
                return
            await self.app(scope, _in_time(receive), reply)
        finally:
            self.metrics.in_flight -= 1
            seconds = time.monotonic() - started
            route = self.route_of(scope)
            self.metrics.served(route, scope["method"], status, seconds)
            self.audit.write(
                key=key.id if key else None,
                client=scope["client"][0] if scope.get("client") else None,
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
                bytes=sent,
            )

    # ------------------------------------------------------------------ checks

    def _check(self, scope: Scope, headers: Headers, origin: str) -> None:
        if len(scope["headers"]) > MAX_HEADERS:
            raise Problem(431, f"more than {MAX_HEADERS} headers", code="too_many_headers")
        host = headers.get("host", "")
        if self.rules.hosts is not None and _name(host) not in self.rules.hosts:
            raise Problem(
                421, f"this server is not called {_name(host)[:80]!r} (see --allow-host)", code="unknown_host"
            )
        if origin and urlsplit(origin).netloc != host and origin not in self.rules.origins:
            raise Problem(
                403, f"requests from {origin[:80]} are not allowed (see --cors)", code="foreign_origin"
            )

    def _who(self, headers: Headers) -> Key | None:
        """The key of a request; None without one, and where none is needed. Raises Problem for a wrong one."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        key = self.keys.find(token) if token else None
        if token and key is None and not self._free(headers):
            raise Problem(401, "this key is not known; it may have been revoked", code="invalid_api_key")
        return key

    def _free(self, headers: Headers) -> bool:
        return self.rules.keyless and not any(name in headers for name in _PROXIED)

    def _admit(self, scope: Scope, key: Key | None, headers: Headers) -> None:
        """Scopes and rates. What is granted travels on as `request.state.scopes`, whose key it is as `.key`."""
        path = scope["path"]
        granted = (
            frozenset(SCOPES) if key is None and self._free(headers) else key.grants if key else frozenset()
        )
        scope.setdefault("state", {}).update(scopes=granted, key=key.id if key else None)
        if not (path == "/" or path in OPEN or path.startswith("/static/")):
            needed = next((scope for start, scope in _NEEDS if path.startswith(start)), "read")
            if not granted:
                raise Problem(401, "a key is needed: Authorization: Bearer trinch-…", code="missing_api_key")
            if needed not in granted:
                raise Problem(403, f"this key has not the scope {needed!r}", code="insufficient_scope")
        if key:
            self._spend(key.id)

    def _spend(self, id: str) -> None:
        """Take one token of the key's bucket. Raises Problem when it is empty."""
        clock, rate = time.monotonic(), self.rules.rate
        tokens, then = self._buckets.get(id, (2 * rate, clock))
        tokens = min(2 * rate, tokens + (clock - then) * rate)
        if tokens < 1:
            wait = math.ceil((1 - tokens) / rate)
            raise Problem(
                429,
                f"more than {rate:g} requests a second with this key",
                code="rate_limit_exceeded",
                retry=wait,
            )
        self._buckets[id] = (tokens - 1, clock)

    # ------------------------------------------------------------------ responses

    def _dress(self, headers: MutableHeaders, path: str, origin: str) -> None:
        """What every response says: sniff nothing, keep nothing; who may read it from elsewhere."""
        headers.setdefault("x-content-type-options", "nosniff")
        headers.setdefault("referrer-policy", "no-referrer")
        if path.startswith(("/v1/", "/mcp")):
            headers["cache-control"] = "no-store"
            headers.setdefault("content-security-policy", "default-src 'none'; frame-ancestors 'none'")
        if origin in self.rules.origins:
            headers["access-control-allow-origin"] = origin
            headers["access-control-allow-headers"] = "authorization, content-type, x-api-key"
            headers["access-control-allow-methods"] = "GET, POST, DELETE"
            headers["access-control-max-age"] = "600"
            headers["vary"] = "origin"


def _in_time(receive: Receive) -> Receive:
    """`receive`, to which a client that dawdles over its body has left."""
    whole, deadline = False, time.monotonic() + BODY_SECONDS

    async def received() -> Message:
        nonlocal whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout(min(PAUSE_SECONDS, deadline - time.monotonic())):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        whole = not message.get("more_body", False)
        return message

    return received


def _name(host: str) -> str:
    """A Host header without its port, lower-case."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() and not name.endswith(":") else host.lower()


def rules(
    host: str, keys: bool, *, allow_hosts: Iterable[str] = (), origins: Iterable[str] = (), rate: float = 50.0,
    require_keys: bool = False,
) -> Rules:  # fmt: skip
    """The rules for a server that listens on `host`. ValueError where they would leave it open to the network."""
    loopback = is_loopback(host)
    if not loopback and not keys:
        raise ValueError(
            f"{host} can be reached from elsewhere, and there is no key: make one first (trinch keys new NAME --data DIR)"
        )
    named = frozenset([*LOCAL, host.lower(), *(name.lower() for name in allow_hosts)])
    hosts = named if loopback or allow_hosts else None
    return Rules(loopback and not require_keys, hosts, frozenset(origins), rate)


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    return host == "localhost" or host == "::1" or host.startswith("127.")
