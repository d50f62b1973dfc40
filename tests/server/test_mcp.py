"""The official `mcp` client against real servers: over HTTP, and over standard input and output."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.server.running import AUTH, Running
from tests.server.test_v1 import AS_OF, DEAD

mcp = pytest.importorskip("mcp", reason="needs the mcp package (mcp extra)")
httpx2 = pytest.importorskip("httpx2", reason="needs the mcp package (mcp extra)")

from mcp import StdioServerParameters, stdio_client  # noqa: E402  # after the skip
from mcp.client import Client  # noqa: E402
from mcp.client.streamable_http import streamable_http_client  # noqa: E402


async def tried(client: Any) -> None:
    """All that an assistant does, the same whatever the transport."""
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    alerts = {f"alerts_{verb}" for verb in ("add", "list", "show", "test", "remove")}
    assert set(tools) == {"search", "fetch", "ask", "stories", "story", "trends", "brief", *alerts}
    changing = {name for name, tool in tools.items() if not tool.annotations.read_only_hint}
    assert changing == {"alerts_add", "alerts_test", "alerts_remove"}
    assert tools["search"].input_schema["required"] == ["query"]

    found = await client.call_tool("search", {"query": "explosion from:EskerCityHall", "limit": 3})
    results = found.structured_content["results"]
    assert 1 <= len(results) <= 3
    assert json.loads(found.content[0].text)["results"] == results
    fetched = await client.call_tool("fetch", {"id": results[0]["id"]})
    assert fetched.structured_content["text"] == results[0]["text"]
    assert {"id", "title", "text", "url"} <= set(fetched.structured_content)

    answer = (await client.call_tool("ask", {"question": DEAD, "as_of": AS_OF})).structured_content
    assert answer["outcome"] == "answer"
    texts = {source["n"]: source["text"] for source in answer["sources"]}
    for claim in answer["claims"]:
        for citation in claim["citations"]:
            assert texts[citation["n"]][citation["start"] : citation["end"]] == citation["quote"]

    for name, arguments, reason in (
        ("search", {"query": "from:"}, "from: needs a value"),
        ("search", {"query": "x", "as_of": "soon"}, "cannot read the time"),
        ("search", {"query": "x", "limit": 100_000}, "limit"),
        ("fetch", {"id": "x:nothing"}, "no visible post"),
        ("ask", {"question": "x", "where": "("}, "never closed"),
        ("stories", {"window": "5 minutes"}, "cannot read the window"),
        ("story", {"id": "nothing-2026-03-17"}, "no story"),
        ("trends", {"window": "90d"}, "not between"),
        ("brief", {"since": "whenever"}, "cannot read the time"),
    ):
        failed = await client.call_tool(name, arguments)
        assert failed.is_error, name
        assert reason in failed.content[0].text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_over_http(server: Running, mode: str) -> None:
    async def run() -> None:
        async with (
            httpx2.AsyncClient(headers=AUTH, timeout=60) as http,
            Client(streamable_http_client(f"{server.url}/mcp", http_client=http), mode=mode) as client,
        ):
            await tried(client)

    anyio.run(run)


def test_over_standard_input(sample_data: Path) -> None:
    arguments = ["-m", "trinch.cli.main", "mcp", "--data", str(sample_data)]
    parameters = StdioServerParameters(command=sys.executable, args=arguments, env=dict(os.environ))

    async def run() -> None:
        async with Client(stdio_client(parameters)) as client:
            await tried(client)

    anyio.run(run)
