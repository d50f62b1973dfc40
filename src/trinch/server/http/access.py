"""Access control: which requests are refused, and which scopes the others have.

A request has the scopes of its key, where it carries one. Without any key in `keys.json`, whoever holds the start-up
token has every scope: the token is printed once, in the address of the page, and a cookie keeps it in the browser.
Requests over a Unix socket need neither while there is no key: the file's permissions decide. As soon as a key exists,
the token and the socket grant nothing.

Web pages elsewhere reach a server on this machine through its user's browser. Against them: the Host must be one of
our names (DNS rebinding), an Origin must be ours or listed, a request that the browser marks as cross-site needs a
key, and the cookie counts only for requests from our own page. Headers that proxies add show that a request does not
come from this machine: it needs a key.
"""

import base64
import contextlib
import hashlib
import secrets
from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Scope

from trinch.server.http.errors import Problem
from trinch.server.http.keys import SCOPES, Keys

LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
OPEN_PATHS = ("/healthz", "/readyz", "/embed", "/embed/watch")
"""Need no scope; the last two need a signed address (`web/embed.py`). Nor do the views of the page, which without `read` hold no post (`web/page.py`), and `/static/`."""

MIN_TOKEN = 16
"""Characters of a start-up token that is set by hand."""

_NEEDED_SCOPES = (("/v1/ingest", "ingest"), ("/v1/alerts", "alerts"), ("/v1/keys", "admin"))
_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")
_TOKEN_PARAMETER = "token"


@dataclass(slots=True)
class AccessRules:
    """How a server was started."""

    token: str | None
    """The start-up token; None where only keys are accepted."""
    hosts: frozenset[str] | None
    """Names (without port) by which this server may be called; None is any."""
    origins: frozenset[str] = frozenset()
    """Web origins other than our own that browsers may call from (CORS)."""
    rate: float = 50.0
    """Requests per second and key; twice as many in a burst."""
    unix_socket: bool = False
    """Whether the server listens on a Unix socket: then its file's permissions say who may connect."""


class Access(NamedTuple):
    """What one request is allowed."""

    scopes: frozenset[str] = frozenset()
    key: str | None = None
    """Id of its key."""
    by_token: bool = False


ACCESS: ContextVar[Access] = ContextVar("access", default=Access())  # noqa: B039 - a NamedTuple does not change
"""What the request being served is allowed. Set by the middleware."""


@dataclass(slots=True)
class AccessControl:
    """The rules of one server and its keys."""

    rules: AccessRules
    keys: Keys
    _token_hash: bytes = field(init=False)

    def __post_init__(self) -> None:
        self._token_hash = _hash(self.rules.token or "")

    def authorize(self, scope: Scope, headers: Headers) -> Access:
        """What a request is allowed. Raises Problem where it is refused."""
        self._check_host(headers)
        self._check_origin(headers)
        access = self._access(scope, headers)
        if not access.key:
            _refuse_cross_site(scope, headers, self.rules.origins)
        if _is_preflight(scope, headers, self.rules.origins):
            return Access()
        path = scope["path"]
        if not (is_view(path) or path in OPEN_PATHS or path.startswith("/static/")):
            needed = next((name for start, name in _NEEDED_SCOPES if path.startswith(start)), "read")
            if not access.scopes:
                raise Problem(401, self._how_to_authenticate(), code="missing_api_key")
            if needed not in access.scopes:
                raise Problem(403, f"this key has not the scope {needed!r}", code="insufficient_scope")
        return access

    def set_cookie(self, response: Response, scope: Scope) -> None:
        """Keep the start-up token in the browser, until it closes."""
        response.set_cookie(
            _cookie_name(scope), self.rules.token or "", httponly=True, samesite="strict", path="/"
        )

    def _check_host(self, headers: Headers) -> None:
        name = _host_name(headers.get("host", ""))
        if self.rules.hosts is not None and name not in self.rules.hosts:
            reason = f"this server is not called {name[:80]!r} (see --allow-host)"
            raise Problem(421, reason, code="unknown_host")

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin", "")
        if origin and origin not in self.rules.origins and _origin_host(origin) != headers.get("host", ""):
            reason = f"requests from {origin[:80]} are not allowed (see --cors)"
            raise Problem(403, reason, code="foreign_origin")

    def _access(self, scope: Scope, headers: Headers) -> Access:
        """The scopes of a request. Raises Problem for a credential that is not known."""
        given = _credential(headers)
        key = self.keys.find(given) if given else None
        if key:
            return Access(key.grants, key.id)
        local = not self.keys.all() and not any(name in headers for name in _PROXY_HEADERS)
        if local and self.rules.unix_socket:
            return Access(frozenset(SCOPES))
        in_cookie = _cookie(headers, _cookie_name(scope)) if _from_own_page(headers) else ""
        in_query = token_from_query(scope)
        if local and any(self._is_token(text) for text in (given, in_query, in_cookie)):
            return Access(frozenset(SCOPES), by_token=True)
        if given:
            raise Problem(401, "this key is not known; it may have been revoked", code="invalid_api_key")
        if in_query:
            raise Problem(
                401, "this token is not valid here: " + self._how_to_authenticate(), code="invalid_token"
            )
        return Access()

    def _is_token(self, given: str) -> bool:
        return bool(given and self.rules.token) and secrets.compare_digest(_hash(given), self._token_hash)

    def _how_to_authenticate(self) -> str:
        if self.rules.token and not self.keys.all():
            return (
                "open the address that `trinch serve` printed, or send its token as Authorization: Bearer …"
            )
        return "a key is needed: Authorization: Bearer trinch-…"


def access_rules(
    host: str, keys: bool, *, allow_hosts: Iterable[str] = (), origins: Iterable[str] = (), rate: float = 50.0,
    require_keys: bool = False, token: str | None = None, unix_socket: bool = False,
) -> AccessRules:  # fmt: skip
    """The rules for a server that listens on `host`; `token` sets the start-up token, else it is random.

    ValueError where the server would be open to the network, or the token is too short to be a secret."""
    loopback = is_loopback(host)
    if token is not None and (len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable()):
        raise ValueError(f"TRINCH_TOKEN must be at least {MIN_TOKEN} printable ASCII characters")
    if not loopback and not keys and token is None:
        raise ValueError(
            f"{host} can be reached from elsewhere, and there is no key: make one first "
            "(trinch keys new NAME --data DIR), or set TRINCH_TOKEN"
        )
    names = frozenset([*LOCAL_NAMES, host.lower(), *(name.lower() for name in allow_hosts)])
    hosts = names if loopback or allow_hosts else None
    if require_keys:
        token = None
    elif token is None and loopback and not unix_socket:
        token = secrets.token_urlsafe(24)
    return AccessRules(token, hosts, frozenset(origins), rate, unix_socket and not require_keys)


VIEWS = frozenset(["/", "/search", "/live", "/places", "/brief", "/alerts", "/plan"])
"""Views of the page, besides stories."""


def is_view(path: str) -> bool:
    """Whether a path is a view of the page."""
    return path in VIEWS or path.startswith("/story/")


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def token_from_query(scope: Scope) -> str:
    """The start-up token in the address of the page; empty without one."""
    if scope["path"] != "/" or scope["method"] != "GET":
        return ""
    return dict(_query(scope)).get(_TOKEN_PARAMETER, "")


def without_token(scope: Scope) -> str:
    """The address of a request without the token, so that no history and no screenshot holds it."""
    rest = urlencode([pair for pair in _query(scope) if pair[0] != _TOKEN_PARAMETER])
    return f"/?{rest}" if rest else "/"


def _query(scope: Scope) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _refuse_cross_site(scope: Scope, headers: Headers, origins: frozenset[str]) -> None:
    """Raises Problem for what another site's page sent, links to our page excepted: it shows no post without a key."""
    if headers.get("sec-fetch-site", "") != "cross-site" or headers.get("origin", "") in origins:
        return
    is_link = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    if (is_link and scope["method"] == "GET" and is_view(scope["path"])) or scope["path"] == "/embed":
        return
    raise Problem(403, "requests from other web sites need a key", code="cross_site")


def _is_preflight(scope: Scope, headers: Headers, origins: frozenset[str]) -> bool:
    return bool(scope["method"] == "OPTIONS" and headers.get("origin", "") in origins)


def _from_own_page(headers: Headers) -> bool:
    """Whether the cookie counts: cookies are shared by all ports of a machine, so "same-site" may be another server."""
    return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def _cookie_name(scope: Scope) -> str:
    """One for each port: browsers send the cookies of a machine to every port of it."""
    server = scope.get("server")
    return f"trinch_token_{server[1] if server else 0}"


def _cookie(headers: Headers, name: str) -> str:
    for pair in headers.get("cookie", "").split(";"):
        found, _, value = pair.strip().partition("=")
        if found == name:
            return value
    return ""


def _origin_host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # "http://[" is no address
        return None


def _host_name(host: str) -> str:
    """A Host header without its port, lower-case."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() and not name.endswith(":") else host.lower()


def _credential(headers: Headers) -> str:
    """The key of a request. Readers of feeds send it as the password of Basic authentication (RFC 7617)."""
    scheme, _, given = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            return base64.b64decode(given.strip(), validate=True).decode().partition(":")[2]
    return headers.get("x-api-key", "")


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
