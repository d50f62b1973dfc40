"""The access rules one by one, without a server: quick enough to be run against every mutant (`make mutation`)."""

from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.responses import Response

from trinch.server.http import access
from trinch.server.http.access import Access, AccessControl, access_rules
from trinch.server.http.errors import Problem
from trinch.server.http.keys import SCOPES, Keys

TOKEN = "token-of-the-tests-0123456789"
ALL = frozenset(SCOPES)


def request(
    path: str = "/v1/stats", method: str = "GET", query: str = "", port: int = 8377, **headers: str
) -> tuple[dict[str, Any], Headers]:
    given = {"host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items()}
    scope = {"path": path, "method": method, "query_string": query.encode(), "server": ("127.0.0.1", port)}
    return scope, Headers(given)


def control(folder: Path, **rules: Any) -> AccessControl:
    given: dict[str, Any] = {"keys": False, "token": TOKEN} | rules
    return AccessControl(access_rules("127.0.0.1", **given), Keys(folder))


def refusal(one: AccessControl, *args: str, **given: Any) -> tuple[int, str | None, str]:
    with pytest.raises(Problem) as refused:
        one.authorize(*request(*args, **given))
    return refused.value.status, refused.value.code, refused.value.message


def bearer(token: str) -> str:
    return f"Bearer {token}"


# ------------------------------------------------------------------ the start-up token


@pytest.mark.parametrize(
    "given",
    [
        {"authorization": bearer(TOKEN)},
        {"authorization": f"bearer  {TOKEN} "},
        {"x_api_key": TOKEN},
        {"cookie": f"a=b; trinch_token_8377={TOKEN}"},
        {"cookie": f"a=b c;trinch_token_8377={TOKEN};d"},
        {"cookie": f"trinch_token_8377={TOKEN}", "sec_fetch_site": "same-origin"},
        {"cookie": f"trinch_token_8377={TOKEN}", "sec_fetch_site": "none"},
    ],
)
def test_the_token_grants_everything(tmp_path: Path, given: dict[str, str]) -> None:
    assert control(tmp_path).authorize(*request(**given)) == Access(ALL, None, by_token=True)
    assert control(tmp_path).authorize(*request("/v1/keys", "POST", **given)).scopes == ALL


@pytest.mark.parametrize(
    "given",
    [
        {"authorization": bearer(TOKEN[:-1])},
        {"authorization": bearer(TOKEN + "x")},
        {"authorization": bearer(TOKEN.upper())},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"x_api_key": "é"},
        {"cookie": f"trinch_token_8378={TOKEN}"},
        {"cookie": f"trinch_token={TOKEN}"},
        {"cookie": "trinch_token_8377="},
        {"cookie": f"x=trinch_token_8377={TOKEN}"},
        {"cookie": f"trinch_token_8377=x={TOKEN}"},
        {"cookie": f"trinch_token_8377={TOKEN}", "sec_fetch_site": "same-site"},
    ],
)
def test_nothing_but_the_token_does(tmp_path: Path, given: dict[str, str]) -> None:
    assert refusal(control(tmp_path), **given)[0] == 401


def test_the_token_in_an_address_opens_the_page_alone(tmp_path: Path) -> None:
    one = control(tmp_path)
    assert one.authorize(*request("/", query=f"q=x&token={TOKEN}")).by_token
    assert not one.authorize(*request("/", query="q=x")).scopes
    assert refusal(one, "/", query="token=wrong")[:2] == (401, "invalid_token")
    assert refusal(one, "/v1/stats", query=f"token={TOKEN}")[:2] == (401, "missing_api_key")
    assert one.authorize(*request("/", "POST", query=f"token={TOKEN}")) == Access()
    scope, _ = request("/", query=f"q=a+b&token={TOKEN}&q=&earlier=c")
    assert access.token_from_query(scope) == TOKEN
    assert access.without_token(scope) == "/?q=a+b&q=&earlier=c"
    assert access.without_token(request("/", query=f"token={TOKEN}")[0]) == "/"
    assert access.token_from_query(request("/", query="&".join(["a"] * 5000) + f"&token={TOKEN}")[0]) == TOKEN


def test_the_cookie_is_for_this_port_and_for_no_script(tmp_path: Path) -> None:
    response = Response()
    control(tmp_path).set_cookie(response, request(port=9000)[0])
    assert response.headers["set-cookie"] == f"trinch_token_9000={TOKEN}; HttpOnly; Path=/; SameSite=strict"
    response = Response()
    control(tmp_path).set_cookie(response, request()[0] | {"server": None})
    assert response.headers["set-cookie"].startswith("trinch_token_0=")


def test_without_a_token_none_is_valid(tmp_path: Path) -> None:
    one = control(tmp_path, require_keys=True)
    assert one.rules.token is None
    assert refusal(one, authorization=bearer(""))[:2] == (401, "missing_api_key")
    assert refusal(one, authorization=bearer("XX"))[:2] == (401, "invalid_api_key")
    assert refusal(one)[2] == "a key is needed: Authorization: Bearer trinch-…"
    assert refusal(control(tmp_path))[2] == (
        "open the address that `trinch serve` printed, or send its token as Authorization: Bearer …"
    )


# ------------------------------------------------------------------ keys and scopes


@pytest.mark.parametrize(
    ("scopes", "path", "status"),
    [
        (["read"], "/v1/stats", 200),
        (["read"], "/mcp", 200),
        (["read"], "/v1/ingest", 403),
        (["read"], "/v1/keys", 403),
        (["ingest"], "/v1/ingest", 200),
        (["ingest"], "/v1/stats", 403),
        (["ingest"], "/v1/keys/1", 403),
        (["ingest"], "/", 200),
        (["admin"], "/v1/keys/1", 200),
        (["admin"], "/v1/ingest", 200),
        (["admin"], "/v1/stats", 200),
        (["read", "ingest"], "/v1/ingest", 200),
    ],
)
def test_a_key_opens_what_its_scopes_say(tmp_path: Path, scopes: list[str], path: str, status: int) -> None:
    one = control(tmp_path)
    key, token = one.keys.add("k", scopes)
    if status == 200:
        granted = one.authorize(*request(path, authorization=bearer(token)))
        assert granted == Access(key.grants, key.id)
        assert one.authorize(*request(path, x_api_key=token)) == granted
    else:
        code, why, message = refusal(one, path, authorization=bearer(token))
        assert (code, why) == (403, "insufficient_scope")
        assert message.startswith("this key has not the scope '")


def test_a_key_ends_the_token_the_cookie_and_the_socket(tmp_path: Path) -> None:
    one, socket = control(tmp_path), control(tmp_path, token=None, unix_socket=True)
    assert socket.authorize(*request()) == Access(ALL)
    key, _ = one.keys.add("k", ["read"])
    for given in ({"authorization": bearer(TOKEN)}, {"x_api_key": TOKEN}):
        assert refusal(one, **given)[:2] == (401, "invalid_api_key")
    assert refusal(one, cookie=f"trinch_token_8377={TOKEN}")[:2] == (401, "missing_api_key")
    assert refusal(one, "/", query=f"token={TOKEN}")[:2] == (401, "invalid_token")
    assert "a key is needed" in refusal(one)[2]
    assert refusal(socket)[0] == 401
    assert one.keys.revoke(key.id)
    assert one.authorize(*request(authorization=bearer(TOKEN))).by_token


def test_without_anything_health_the_page_and_its_files_are_open(tmp_path: Path) -> None:
    one = control(tmp_path)
    for path in ("/", "/healthz", "/readyz", "/static/page.js"):
        assert one.authorize(*request(path)) == Access(), path
    for path in (
        "/v1/stats",
        "/metrics",
        "/healthz/x",
        "/page/watch",
        "/staticx",
        "/openapi.json",
        "/v1/keys",
    ):
        assert refusal(one, path)[:2] == (401, "missing_api_key"), path


# ------------------------------------------------------------------ proxies, hosts, origins, other sites


@pytest.mark.parametrize(
    "name",
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via"],
)
def test_behind_a_proxy_only_keys_count(tmp_path: Path, name: str) -> None:
    one, socket = control(tmp_path), control(tmp_path, token=None, unix_socket=True)
    for header in (name, name.upper()):
        assert refusal(one, authorization=bearer(TOKEN), **{header: "10.0.0.1"})[:2] == (
            401,
            "invalid_api_key",
        )
        assert refusal(socket, **{header: ""})[:2] == (401, "missing_api_key")
    _, token = one.keys.add("k", ["read"])
    assert one.authorize(*request(authorization=bearer(token), **{name: "10.0.0.1"})).key


def test_only_our_own_names(tmp_path: Path) -> None:
    one = control(tmp_path, allow_hosts=["Other.example"])
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:8377", "[::1]", "[::1]:5", "other.example:99"):
        assert one.authorize(*request("/healthz", host=host)) == Access(), host
    for host in (
        "", "evil.example", "evil.localhost", "localhost.evil", "evil-localhost", "127.0.0.1.evil", "1127.0.0.1",
        "localhost:", "localhost:x", "::1", "[::1", "other.example.evil", "a:localhost",
    ):  # fmt: skip
        assert refusal(one, "/healthz", host=host)[:2] == (421, "unknown_host"), host
    assert refusal(one, host="x" * 500)[2] == f"this server is not called '{'x' * 80}' (see --allow-host)"
    scope, _ = request("/healthz")
    with pytest.raises(Problem):
        one.authorize(scope, Headers({}))


def test_only_our_own_origin_and_those_allowed(tmp_path: Path) -> None:
    one = control(tmp_path, origins=["https://ok.example"])
    for origin in ("https://ok.example", "http://localhost", "https://localhost"):
        assert one.authorize(*request("/healthz", origin=origin)) == Access()
    for origin in (
        "https://evil.example",
        "null",
        "http://localhost:1",
        "http://[",
        "//",
        "https://ok.example.x",
    ):
        assert refusal(one, "/healthz", origin=origin)[:2] == (403, "foreign_origin"), origin
    assert refusal(one, origin="y" * 500)[2] == f"requests from {'y' * 80} are not allowed (see --cors)"


def test_a_preflight_of_an_allowed_origin_needs_no_credential(tmp_path: Path) -> None:
    one = control(tmp_path, origins=["https://ok.example"])
    ask = {"origin": "https://ok.example", "access_control_request_method": "POST"}
    assert one.authorize(*request(method="OPTIONS", **ask)) == Access()
    assert refusal(one, method="GET", **ask)[0] == 401
    assert refusal(one, method="OPTIONS")[0] == 401
    assert refusal(one, method="OPTIONS", origin="http://localhost")[0] == 401


def test_what_other_sites_send_needs_a_key(tmp_path: Path) -> None:
    one = control(tmp_path, origins=["https://ok.example"])
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    for path in ("/", "/healthz", "/v1/stats", "/static/page.js"):
        answer = refusal(one, path, sec_fetch_site="cross-site", authorization=bearer(TOKEN))
        assert answer == (403, "cross_site", "requests from other web sites need a key")
    assert one.authorize(*request("/", **link)) == Access()
    for path, method, changed in (
        ("/v1/stats", "GET", {}),
        ("/", "POST", {}),
        ("/", "GET", {"sec_fetch_mode": "no-cors"}),
        ("/", "GET", {"sec_fetch_dest": "iframe"}),
    ):
        assert refusal(one, path, method, **(link | changed))[:2] == (403, "cross_site")
    allowed = {"origin": "https://ok.example", "sec_fetch_site": "cross-site", "authorization": bearer(TOKEN)}
    assert one.authorize(*request(**allowed)).by_token
    _, token = one.keys.add("k", ["read"])
    assert one.authorize(*request(sec_fetch_site="cross-site", authorization=bearer(token))).key


# ------------------------------------------------------------------ how a server is started


def test_rules_for_loopback() -> None:
    rules = access_rules("127.0.0.1", keys=False)
    assert rules.token is not None
    assert len(rules.token) == 32
    assert rules.token != access_rules("127.0.0.1", keys=False).token
    assert rules.hosts == {"localhost", "127.0.0.1", "[::1]"}
    assert (rules.rate, rules.unix_socket, rules.origins) == (50.0, False, frozenset())
    assert access_rules("127.0.0.1", keys=True).token is not None
    assert access_rules("127.0.0.1", keys=False, require_keys=True, token=TOKEN).token is None
    assert access_rules("127.0.0.1", keys=False, rate=3, origins=["a"]).rate == 3
    socket = access_rules("127.0.0.1", keys=False, unix_socket=True)
    assert (socket.token, socket.unix_socket) == (None, True)
    assert not access_rules("127.0.0.1", keys=False, unix_socket=True, require_keys=True).unix_socket


def test_rules_for_other_addresses() -> None:
    with pytest.raises(ValueError, match=r"0\.0\.0\.0 can be reached from elsewhere.*TRINCH_TOKEN"):
        access_rules("0.0.0.0", keys=False)
    with pytest.raises(ValueError, match="reached"):
        access_rules("0.0.0.0", keys=False, require_keys=True)
    keyed = access_rules("0.0.0.0", keys=True)
    assert (keyed.token, keyed.hosts) == (None, None)
    assert access_rules("0.0.0.0", keys=False, token=TOKEN).token == TOKEN
    named = access_rules("0.0.0.0", keys=True, allow_hosts=["Me.example"])
    assert named.hosts == {"localhost", "127.0.0.1", "[::1]", "0.0.0.0", "me.example"}
    assert AccessControl(keyed, Keys(Path("nowhere"))).authorize(*request("/healthz", host="any")) == Access()


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "x" * 16 + "é", "x" * 16 + "\n"])
def test_a_token_that_is_no_secret_is_refused(token: str) -> None:
    with pytest.raises(ValueError, match="at least 16 printable ASCII characters"):
        access_rules("127.0.0.1", keys=False, token=token)
    assert access_rules("127.0.0.1", keys=False, token="x" * 16).token == "x" * 16


def test_loopback() -> None:
    assert all(access.is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(
        access.is_loopback(host) for host in ("0.0.0.0", "::", "10.127.0.1", "localhost.x", "1.127.")
    )
