"""Alerts through the command line, HTTP, MCP and Python; whose they are; events and feeds."""

import importlib.util
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import anyio
import httpx
import pytest
from click.testing import CliRunner

import trinch
from tests.alerts.receiver import Receiver, created, ingest, wait_for
from tests.server.running import AUTH, Running
from trinch.cli.main import main
from trinch.posts.schema import Deleted
from trinch.posts.times import now
from trinch.server.http.keys import Keys
from trinch.store.store import Store

ATOM = "{http://www.w3.org/2005/Atom}"


def command(data: Path, *words: str) -> Any:
    result = CliRunner().invoke(main, ["alerts", *words, "--data", str(data), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server without keys over a store of one post; webhooks may go to this machine."""
    data = tmp_path_factory.mktemp("alerts") / "store"
    ingest(Store.open(data), created("first", "a first post <&> of the harbour", author="mara"))
    with Running(data, "--private-webhooks") as one:
        yield one


def test_every_interface_shows_the_same_alert(running: Running) -> None:
    data = running.data
    settings = {
        "query": "flood",
        "trigger": "burst",
        "window": "2h",
        "factor": 4.0,
        "name": "Floods",
        "cap": 7,
    }
    made = running.post("/v1/alerts", json=settings)
    assert made.status_code == 201
    alert = made.json()
    assert alert | settings == alert
    with trinch.open(data) as t:
        listed = t.alerts.list()
        other = t.alerts.add("storm", quiet="22:00-07:00", zone="Europe/Paris")
        third = command(data, "add", "--topic", "flooding in Port Esker", "--trigger", "number")
        assert alert in listed
        ids = [one["id"] for one in (alert, other, third)]
        shown = [t.alerts.show(id) for id in ids]
        assert [command(data, "show", id) for id in ids] == shown
        assert [running.get(f"/v1/alerts/{id}").json() for id in ids] == shown
        assert running.get("/v1/alerts").json() == {"alerts": t.alerts.list()} == command(data, "list")
        assert third["query"] == "Port Esker flooding"
        assert t.alerts.remove(ids[1])
        assert not t.alerts.remove(ids[1])
        assert t.alerts.show(ids[1]) is None
    assert CliRunner().invoke(main, ["alerts", "remove", ids[2], "--data", str(data)]).exit_code == 0
    assert running.get(f"/v1/alerts/{ids[2]}").status_code == 404
    assert httpx.delete(f"{running.url}/v1/alerts/{ids[0]}", headers=AUTH).status_code == 204
    assert httpx.delete(f"{running.url}/v1/alerts/{ids[0]}", headers=AUTH).status_code == 404


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"query": "("}, "query"),
        ({"query": "a", "trigger": "sometimes"}, "trigger"),
        ({"query": "a", "webhook": "ftp://example.org"}, "webhook"),
        ({"query": "a", "webhook": "https://user:secret@example.org"}, "webhook"),
        ({"query": "a", "email": "nobody\r\nBcc: all"}, "email"),
        ({"query": "a", "window": "soon"}, "window"),
        ({"query": "a", "quiet": "late"}, "quiet"),
        ({"query": "a", "zone": "../../etc/passwd"}, "zone"),
        ({"query": "a", "digest": "1s"}, "digest"),
        ({"query": "a", "cap": 0}, "cap"),
        ({"topic": "what is it about"}, "topic"),
        ({"query": "a", "colour": "red"}, None),
    ],
)
def test_what_cannot_be_saved_is_refused_by_every_interface(
    running: Running, settings: dict[str, Any], param: str | None
) -> None:
    answer = running.post("/v1/alerts", json=settings)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    with trinch.open(running.data) as t, pytest.raises(trinch.AlertError):
        t.alerts.add(**settings)


@pytest.mark.long
def test_mcp(running: Running) -> None:
    pytest.importorskip("mcp")
    from mcp import StdioServerParameters, stdio_client
    from mcp.client import Client

    arguments = ["-m", "trinch.cli.main", "mcp", "--data", str(running.data)]
    parameters = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))

    async def calls() -> list[Any]:
        async with Client(stdio_client(parameters)) as client:
            added = await client.call_tool("alerts_add", {"query": "flood", "settings": {"cap": 3}})
            id = (added.structured_content or {})["id"]
            wrong = await client.call_tool("alerts_add", {"query": "flood", "settings": {"cap": 0}})
            assert wrong.is_error
            found = [
                await client.call_tool(name, {"id": id})
                for name in ("alerts_show", "alerts_test", "alerts_remove")
            ]
            listed = await client.call_tool("alerts_list", {})
            return [one.structured_content for one in (added, *found, listed)]

    added, shown, tested, removed, listed = anyio.run(calls)
    assert added["cap"] == 3
    assert shown == added | {"firings": [], "deliveries": []}
    assert (tested["alert"], tested["posts"], tested["deliveries"]) == (added["id"], 0, [])
    assert removed == {"removed": added["id"]}
    assert added["id"] not in [one["id"] for one in listed["alerts"]]


def test_events_webhook_test_and_feeds(running: Running) -> None:
    store = Store.open(running.data)
    with Receiver() as receiver:
        alert = running.post("/v1/alerts", json={"query": "harbour", "webhook": receiver.url}).json()
        tested = running.post(f"/v1/alerts/{alert['id']}/test").json()
        assert tested["deliveries"] == [{"channel": "webhook", "delivered": True, "note": "HTTP 200"}]
        assert receiver.received[0].body["type"] == "alert.test"
        assert tested["posts"] == 1
        seen: list[dict[str, Any]] = []

        def listen() -> None:
            with running.stream("/v1/alerts/events", timeout=90) as stream:
                for line in stream.iter_lines():
                    if line == ": firings":
                        ready.set()
                    if line.startswith("data: "):
                        seen.append(json.loads(line[6:]))
                        return

        ready = threading.Event()
        thread = threading.Thread(target=listen)
        thread.start()
        assert ready.wait(60)
        ingest(store, created("second", "the harbour \x0b is closed", author="ann"))
        wait_for(lambda: "test:second" in [key for one in receiver.received for key in one.keys])
        thread.join(60)
    assert [post["key"] for post in seen[0]["posts"]] == ["test:second"]
    assert seen[0]["alert"] == alert["id"]
    with running.stream(f"/v1/alerts/events?after={seen[0]['n'] - 1}") as stream:
        again = next(json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
    assert again == seen[0]

    wait_for(lambda: len(running.get("/v1/search?q=harbour").json()["hits"]) == 2)
    for path, titles in (
        ("/v1/feed?q=harbour", ["the harbour is closed", "a first post <&> of the harbour"]),
        (f"/v1/alerts/{alert['id']}/feed", ["the harbour is closed"]),
    ):
        answer = running.get(path)
        assert answer.headers["content-type"].startswith("application/atom+xml")
        entries = ElementTree.fromstring(answer.text).findall(f"{ATOM}entry")
        assert [(entry.findtext(f"{ATOM}title") or "").replace("\ufffd ", "") for entry in entries] == titles
    assert running.get("/v1/feed").status_code == 400
    assert running.get("/v1/feed?q=(").status_code == 400
    assert running.get("/v1/feed?story=nothing-2026-01-01").status_code == 404

    ingest(store, Deleted(at=now(), network="test", id="second"))
    assert "closed" not in running.get("/v1/feed?q=harbour").text
    assert "closed" not in running.get(f"/v1/alerts/{alert['id']}/feed").text
    assert running.get(f"/v1/alerts/{alert['id']}").json()["firings"] == []
    figures = running.get("/metrics").text
    assert 'trinch_alert_deliveries_total{channel="webhook",result="delivered"} 1' in figures
    assert "trinch_alert_fired_total 1" in figures


def test_a_key_has_its_own_alerts_and_a_limit(tmp_path: Path) -> None:
    data = tmp_path / "store"
    keys = Keys(data)
    tokens = {name: keys.add(name, scopes.split()) for name, scopes in
              (("one", "alerts"), ("two", "alerts read"), ("reader", "read"), ("boss", "admin"))}  # fmt: skip
    with Running(data, "--alerts-per-key", "2") as server:

        def call(name: str, method: str, path: str, **options: Any) -> httpx.Response:
            headers = {"Authorization": f"Bearer {tokens[name][1]}"}
            return httpx.request(method, server.url + path, headers=headers, timeout=60, **options)

        mine = call("one", "POST", "/v1/alerts", json={"query": "a"}).json()
        assert mine["owner"] == tokens["one"][0].id
        assert call("one", "POST", "/v1/alerts", json={"query": "b"}).status_code == 201
        third = call("one", "POST", "/v1/alerts", json={"query": "c"})
        assert (third.status_code, third.json()["error"]["code"]) == (400, "bad_alert")
        assert call("two", "GET", "/v1/alerts").json() == {"alerts": []}
        for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/test"), ("GET", "/feed")):
            assert call("two", method, f"/v1/alerts/{mine['id']}{path}").status_code == 404
            assert call("reader", method, f"/v1/alerts/{mine['id']}{path}").status_code == 403
        assert call("reader", "GET", "/v1/alerts/events").status_code == 403
        assert call("one", "GET", "/v1/feed?q=a").status_code == 403
        assert (
            call("two", "POST", "/v1/alerts", json={"query": "a", "email": "a@example.org"}).status_code
            == 403
        )
        assert (
            call("boss", "POST", "/v1/alerts", json={"query": "a", "email": "a@example.org"}).status_code
            == 201
        )
        assert len(call("boss", "GET", "/v1/alerts").json()["alerts"]) == 3
        assert httpx.get(f"{server.url}/v1/feed?q=a", auth=("any", tokens["two"][1])).status_code == 200
        assert httpx.get(f"{server.url}/v1/feed?q=a", auth=("any", "wrong")).status_code == 401
        assert call("boss", "DELETE", f"/v1/keys/{tokens['one'][0].id}").status_code == 204
        assert len(call("boss", "GET", "/v1/alerts").json()["alerts"]) == 1
        if importlib.util.find_spec("mcp") is None:
            return  # the rest is about MCP
        tools = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "alerts_list", "arguments": {}},
        }
        refused, allowed = (call(name, "POST", "/mcp", json=tools).json() for name in ("reader", "two"))
        assert refused["result"]["isError"]
        assert allowed["result"]["structuredContent"] == {"alerts": []}
