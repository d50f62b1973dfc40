"""Tokens, keys, hosts, origins, rates and limits, against a real server."""

import asyncio
import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from tests.server.running import TOKEN, Running
from trinch.cli.serve import keys as keys_command
from trinch.cli.serve import serve as serve_command
from trinch.server.http.access import AccessControl, access_rules
from trinch.server.http.audit import Audit
from trinch.server.http.errors import Problem
from trinch.server.http.keys import Keys
from trinch.server.http.metrics import Metrics
from trinch.server.http.middleware import Middleware

POST = {
    "platform": "x",
    "id": "1",
    "created_at": "2026-01-01T00:00:00Z",
    "text": "the heron has landed",
    "author": "ann",
}
LINES = {"Content-Type": "application/x-ndjson"}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(keys_command, arguments)


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    """A server that can be reached from elsewhere, and a key for each scope."""
    data = tmp_path_factory.mktemp("locked") / "store"
    tokens = {scope: Keys(data).add(scope, [scope])[1] for scope in ("read", "ingest", "admin")}
    with Running(data, "--host", "0.0.0.0", "--cors", "https://ok.example") as running:
        yield running, tokens


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_without_a_key_only_loopback(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="trinch keys new"):
        access_rules("0.0.0.0", keys=False)
    refused = CliRunner().invoke(serve_command, ["--host", "0.0.0.0", "--data", str(tmp_path), "--no-listen"])
    assert refused.exit_code == 2
    assert len(access_rules("127.0.0.1", keys=False).token or "") >= 32
    assert access_rules("127.0.0.1", keys=True, require_keys=True).token is None
    assert access_rules("0.0.0.0", keys=True).token is None
    assert access_rules("0.0.0.0", keys=False, token="t" * 16).token == "t" * 16
    with pytest.raises(ValueError, match="TRINCH_TOKEN"):
        access_rules("127.0.0.1", keys=False, token="short")


def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    made = run("new", "team", "--scope", "read", "--scope", "ingest", "--data", str(tmp_path))
    token = made.stdout.strip()
    assert made.exit_code == 0
    assert len(token) > 45
    kept = (tmp_path / "keys.json").read_text()
    assert token not in kept
    assert hashlib.sha256(token.encode()).hexdigest() in kept
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0
    (listed,) = json.loads(run("list", "--json", "--data", str(tmp_path)).stdout)
    assert (listed["name"], listed["scopes"]) == ("team", "read ingest")
    assert token not in str(listed)
    assert run("revoke", listed["id"], "--data", str(tmp_path)).exit_code == 0
    assert run("revoke", listed["id"], "--data", str(tmp_path)).exit_code == 1
    assert Keys(tmp_path).find(token) is None
    (tmp_path / "keys.json").write_text("[{")
    assert run("list", "--data", str(tmp_path)).exit_code == 1


def test_a_key_opens_what_its_scopes_say(locked: tuple[Running, dict[str, str]]) -> None:
    running, tokens = locked
    reads = ["/v1/search?q=x", "/v1/ask?question=x", "/v1/stats", "/metrics", "/v1/models", "/openapi.json"]
    with httpx.Client(base_url=running.url) as client:
        for path in reads:
            bare = client.get(path)
            assert bare.status_code == 401, path
            assert bare.headers["www-authenticate"] == "Bearer"
            assert client.get(path, headers=bearer("trinch-wrong")).status_code == 401
            assert client.get(path, headers=bearer(tokens["ingest"])).status_code == 403
            assert client.get(path, headers=bearer(tokens["read"])).status_code == 200
            assert client.get(path, headers={"X-Api-Key": tokens["admin"]}).status_code == 200
        for path in ("/", "/healthz", "/readyz"):
            assert client.get(path).status_code == 200
        line = json.dumps(POST)
        assert client.post("/v1/ingest", content=line, headers=LINES).status_code == 401
        assert (
            client.post("/v1/ingest", content=line, headers=LINES | bearer(tokens["read"])).status_code == 403
        )
        assert (
            client.post("/v1/ingest", content=line, headers=LINES | bearer(tokens["ingest"])).status_code
            == 200
        )
        assert client.get("/v1/keys", headers=bearer(tokens["read"])).status_code == 403


def test_an_admin_makes_and_revokes_keys_at_once(locked: tuple[Running, dict[str, str]]) -> None:
    running, tokens = locked
    with httpx.Client(base_url=running.url) as client:
        made = client.post(
            "/v1/keys", json={"name": "new", "scopes": ["read"]}, headers=bearer(tokens["admin"])
        )
        assert made.status_code == 201
        new = made.json()
        assert client.get("/v1/stats", headers=bearer(new["token"])).status_code == 200
        listed = client.get("/v1/keys", headers=bearer(tokens["admin"])).json()["keys"]
        assert new["id"] in {key["id"] for key in listed}
        assert not any("hash" in key or "token" in key for key in listed)
        assert client.delete(f"/v1/keys/{new['id']}", headers=bearer(tokens["admin"])).status_code == 204
        assert client.get("/v1/stats", headers=bearer(new["token"])).status_code == 401
        # The command line is another process: its word counts from the next request on.
        key, token = Keys(running.data).add("other", ["read"])
        assert client.get("/v1/stats", headers=bearer(token)).status_code == 200
        Keys(running.data).revoke(key.id)
        assert client.get("/v1/stats", headers=bearer(token)).status_code == 401


def test_responses_are_those_of_a_key(locked: tuple[Running, dict[str, str]]) -> None:
    running, tokens = locked
    mine, other = bearer(tokens["read"]), bearer(tokens["admin"])
    asked = {"model": "trinch", "input": "What happened in Port Esker?"}
    with httpx.Client(base_url=running.url, timeout=30) as client:
        id = client.post("/v1/responses", json=asked, headers=mine).json()["id"]
        after = {"model": "trinch", "input": "and why?", "previous_response_id": id}
        for status, who in ((404, other), (401, {}), (200, mine)):
            assert client.get(f"/v1/responses/{id}", headers=who).status_code == status
            gone_on = client.post("/v1/responses", json=after, headers=who)
            assert gone_on.status_code == status
            assert ("Port Esker" in gone_on.text) == (status == 200)
            assert client.delete(f"/v1/responses/{id}", headers=who).status_code == status
        assert client.get(f"/v1/responses/{id}", headers=mine).status_code == 404


def test_a_key_has_a_rate(tmp_path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("in")(scope, receive, send)

    keys = Keys(tmp_path)
    control = AccessControl(access_rules("0.0.0.0", keys=True, rate=1.5), keys)
    guarded = Middleware(app, control, Audit(tmp_path), Metrics(), lambda scope: "any")
    tokens = [keys.add(name, ["read"])[1] for name in ("fast", "slow")]

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://any") as client:
            return [
                await client.get("/v1/models", headers=bearer(token))
                for token in [tokens[0]] * 5 + [tokens[1]]
            ]

    *answers, other = asyncio.run(ask())
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[-1].headers["retry-after"] == "1"
    assert answers[-1].json()["error"]["type"] == "rate_limit_error"
    assert other.status_code == 200


def test_foreign_names_and_origins_stay_outside(server: Running, http: httpx.Client) -> None:
    port = server.url.rsplit(":", 1)[1]
    for host in (
        "evil.example",
        f"evil.example:{port}",
        "127.0.0.1.evil.example",
        "",
        "evil.localhost",
        "evil-localhost",
        "1127.0.0.1",
    ):
        assert http.get("/v1/stats", headers={"Host": host}).status_code == 421
    for host in ("localhost", f"localhost:{port}", "[::1]:1", "LOCALHOST"):
        assert http.get("/healthz", headers={"Host": host}).status_code == 200
    for origin in (
        "https://evil.example",
        "null",
        "http://localhost:1",
        "http://[",
        "http://[::1",
        "//",
        "http://][",
    ):
        refused = http.get("/v1/stats", headers={"Origin": origin})
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        assert http.options("/v1/ask", headers=asked).status_code == 403
    assert http.get("/healthz", headers={"Origin": server.url}).status_code == 200
    # What a form elsewhere could send without asking is not taken for JSON.
    assert (
        http.post("/v1/ask", content='{"question": "x"}', headers={"Content-Type": "text/plain"}).status_code
        == 415
    )


PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")


@pytest.mark.parametrize("name", PROXY_HEADERS)
def test_a_request_through_a_proxy_needs_a_key(http: httpx.Client, name: str, tmp_path: Path) -> None:
    assert http.get("/v1/stats").status_code == 200
    assert http.get("/v1/stats", headers={name: "10.0.0.1"}).status_code == 401
    rules = access_rules("127.0.0.1", keys=False, unix_socket=True)
    scope = {"path": "/v1/stats", "method": "GET", "query_string": b""}
    control = AccessControl(rules, Keys(tmp_path))
    assert control.authorize(scope, Headers({"host": "localhost"})).scopes
    with pytest.raises(Problem) as refused:
        control.authorize(scope, Headers({"host": "localhost", name: "10.0.0.1"}))
    assert refused.value.status == 401


def test_without_the_token_nothing_is_served_but_health_and_an_empty_page(server: Running) -> None:
    with httpx.Client(base_url=server.url) as client:
        for path in ("/v1/stats", "/v1/search?q=explosion", "/metrics", "/v1/keys", "/mcp", "/openapi.json"):
            assert client.get(path).status_code == 401, path
            assert client.get(path, headers=bearer("x" * 32)).status_code == 401, path
        assert client.post("/v1/keys", json={"name": "x", "scopes": ["admin"]}).status_code == 401
        assert client.post("/v1/ingest", content=json.dumps(POST), headers=LINES).status_code == 401
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        page = client.get("/", params={"q": "What happened in Port Esker?"})
        assert page.status_code == 200
        assert 'class="claim"' not in page.text
        assert client.get("/", params={"token": "wrong"}).status_code == 401


def test_the_printed_address_opens_the_page_and_a_cookie_keeps_the_token(server: Running) -> None:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        opened = client.get("/", params={"token": TOKEN, "q": "What happened in Port Esker?"})
        assert opened.status_code == 303
        assert TOKEN not in opened.headers["location"]
        cookie = opened.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        page = client.get(opened.headers["location"])
        assert 'class="claim"' in page.text
        assert TOKEN not in page.text
        for site, status in (("same-origin", 200), ("none", 200), ("same-site", 401), ("cross-site", 403)):
            assert client.get("/v1/stats", headers={"Sec-Fetch-Site": site}).status_code == status


def test_each_start_has_a_token_of_its_own(tmp_path: Path) -> None:
    tokens = set()
    for _ in range(2):
        with Running(tmp_path / "store", env={"TRINCH_TOKEN": ""}) as running:
            (token,) = re.findall(r"/\?token=(\S+)", running.output())
            assert running.get("/v1/stats").status_code == 401
            assert running.get("/v1/stats", headers=bearer(token)).status_code == 200
            tokens.add(token)
    assert len(tokens) == 2
    for file in (tmp_path / "store").iterdir():
        assert not file.is_file() or not any(token.encode() in file.read_bytes() for token in tokens), file


def test_once_there_is_a_key_the_token_grants_nothing(tmp_path: Path) -> None:
    control = AccessControl(access_rules("127.0.0.1", keys=False, token=TOKEN), Keys(tmp_path))
    scope = {"path": "/v1/keys", "method": "POST", "query_string": b""}
    headers = Headers({"host": "localhost", "authorization": f"Bearer {TOKEN}"})
    assert control.authorize(scope, headers).by_token
    _, key = control.keys.add("first", ["admin"])
    with pytest.raises(Problem) as refused:
        control.authorize(scope, headers)
    assert refused.value.status == 401
    assert control.authorize(scope, Headers({"host": "localhost", "x-api-key": key})).key


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
def test_requests_from_other_sites_need_a_key(http: httpx.Client, server: Running, method: str) -> None:
    image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    for path in ("/v1/search?q=x", "/v1/ask?question=x", "/?q=x", "/readyz", "/static/page.js"):
        assert http.request(method, path, headers=image).status_code == 403, path
        with httpx.Client(base_url=server.url) as stranger:
            assert stranger.request(method, path, headers=image).status_code == 403, path


def test_a_link_from_another_site_opens_the_page_without_posts(server: Running) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    with httpx.Client(base_url=server.url, timeout=30) as client:
        client.get("/", params={"token": TOKEN})
        page = client.get("/", params={"q": "What happened in Port Esker?"}, headers=link)
        assert page.status_code == 200
        assert 'class="claim"' not in page.text
        assert client.get("/v1/stats", headers=link).status_code == 403


def test_a_key_works_from_another_site(locked: tuple[Running, dict[str, str]]) -> None:
    running, tokens = locked
    headers = {"Sec-Fetch-Site": "cross-site"} | bearer(tokens["read"])
    assert httpx.get(f"{running.url}/v1/models", headers=headers).status_code == 200


def test_a_unix_socket_needs_no_token(sample_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "trinch.sock"
    command = [sys.executable, "-m", "trinch.cli.main", "serve", "--no-listen", "--unix-socket", str(path)]
    data = shutil.copytree(sample_data, tmp_path / "store")
    with subprocess.Popen([*command, "--data", str(data)], stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while not path.exists():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert path.stat().st_mode & 0o077 == 0
            transport = httpx.HTTPTransport(uds=str(path), retries=5)
            with httpx.Client(transport=transport, base_url="http://localhost", timeout=30) as client:
                assert client.get("/v1/stats").json()["posts"] > 2000
                Keys(data).add("first", ["read"])
                assert client.get("/v1/stats").status_code == 401
        finally:
            process.terminate()
    assert not path.exists()


ENDS_OF_TIME = (
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "0001-01-02", "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-23:59", "9999-12-31", "10000-01-01", "0000-01-01", "-0001-01-01T00:00:00Z", "99999999999",
)  # fmt: skip


@pytest.mark.parametrize("as_of", ENDS_OF_TIME)
def test_the_ends_of_time_are_no_server_error(http: httpx.Client, as_of: str) -> None:
    asked = {"question": "What happened in Port Esker?", "as_of": as_of}
    responses = [
        http.get("/v1/ask", params=asked),
        http.get("/v1/ask", params=asked | {"stream": "true"}),
        http.get("/v1/evidence", params=asked),
        http.get("/v1/search", params={"q": "explosion", "as_of": as_of}),
        http.get("/v1/posts/sample:1", params={"as_of": as_of}),
        http.post("/v1/visible", json={"keys": ["sample:1"], "as_of": as_of}),
        http.get("/", params={"q": asked["question"], "as_of": as_of}),
        http.post("/v1/responses", json={"model": "trinch", "input": "x", "trinch": {"as_of": as_of}}),
    ]
    assert all(response.status_code < 500 for response in responses), [r.status_code for r in responses]
    assert "server_error" not in responses[1].text


def test_cors_is_open_to_whom_it_was_opened(locked: tuple[Running, dict[str, str]]) -> None:
    running, tokens = locked
    origin = {"Origin": "https://ok.example"}
    asked = httpx.options(f"{running.url}/v1/ask", headers=origin | {"Access-Control-Request-Method": "POST"})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-origin"] == "https://ok.example"
    answer = httpx.get(f"{running.url}/v1/models", headers=origin | bearer(tokens["read"]))
    assert answer.headers["access-control-allow-origin"] == "https://ok.example"


def test_responses_are_kept_nowhere(http: httpx.Client) -> None:
    response = http.get("/v1/search", params={"q": "explosion"})
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"


DEEP = b'{"model":"trinch","messages":' + b"[" * 200_000


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b"null", 400),
        (b'{"model": 1}', 400),
        (DEEP, 400),
        (b'{"a":' * 100_000, 400),
        (b'{"x": ' + b'[' * 50_000 + b']' * 50_000 + b', "model": "trinch", "messages": []}', 400),
        (b'"' + b"x" * 10_000_000 + b'"', 413),
        (b'{"model": "trinch", "messages": [{"role": "user", "content": "\\ud800"}]}', 200),
        (b'{"model": "trinch", "messages": [{"role": "user", "content": "\\u0000 \\u202e <b>"}]}', 200),
    ],
)  # fmt: skip
def test_hostile_bodies_get_a_reason(http: httpx.Client, content: bytes, status: int) -> None:
    for path in ("/v1/chat/completions", "/v1/ask"):
        response = http.post(path, content=content, headers={"Content-Type": "application/json"})
        assert response.status_code == (400 if path == "/v1/ask" and status == 200 else status)
        if status != 200:
            assert response.json()["error"]["message"]
            assert "Traceback" not in response.text
    assert http.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\n"
        + "".join(f"x-{i}: y\r\n" for i in range(200))
        + "\r\n",
        "GET /v1/stats HTTP/1.1\r\nHost: localhost\r\nx: " + "y" * 1_000_000 + "\r\n\r\n",
        "GET /" + "x" * 1_000_000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /v1/search?q=%zz%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /v1/posts/%00%ff%2e%2e/x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\r\n\r\n",
        "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "POST /v1/ask HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_hostile_heads_are_refused(server: Running, http: httpx.Client, head: str) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        try:
            connection.sendall(head.encode("latin-1"))
            answer = connection.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            answer = b""
    status = answer[9:12]
    assert answer == b"" or status[:1] == b"4" or (b"search" in head.encode("latin-1") and status == b"200")
    assert b"Traceback" not in answer
    assert http.get("/healthz").status_code == 200


def test_the_audit_log_knows_who_and_what_but_not_a_word(locked: tuple[Running, dict[str, str]]) -> None:
    running, tokens = locked
    secret = "heliotrope"
    with httpx.Client(base_url=running.url) as client:
        line = json.dumps(POST | {"id": "77", "text": f"{secret} in bloom"})
        client.post("/v1/ingest", content=line, headers=LINES | bearer(tokens["ingest"]))
        client.get("/v1/search", params={"q": secret}, headers=bearer(tokens["read"]))
        client.post("/v1/ask", json={"question": f"who saw the {secret}?"}, headers=bearer(tokens["read"]))
        client.get(f"/{secret}", headers=bearer(tokens["read"]))
    log = (running.data / "audit.jsonl").read_text()
    assert secret not in log
    assert not any(token in log for token in tokens.values())
    entries = [json.loads(line) for line in log.splitlines()]
    ids = {key.name: key.id for key in Keys(running.data).all()}
    assert any(
        e.get("route") == "/v1/search" and e["key"] == ids["read"] and e["status"] == 200 for e in entries
    )
    assert any(e.get("route") == "/v1/ingest" and e["key"] == ids["ingest"] for e in entries)
