"""Clients that send null for what is not set, half characters, or no Accept header are served."""

import json
from typing import Any

import httpx
import pytest

QUESTION = "What happened in Port Esker?"
CHAT = {"model": "trinch", "messages": [{"role": "user", "content": QUESTION}]}
NULLS = {
    "sources": None,
    "from_date": None,
    "to_date": None,
    "max_search_results": None,
    "return_citations": None,
}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/ask", {"question": QUESTION, "as_of": None, "where": None, "earlier": None, "stream": None}),
        ("/v1/chat/completions", CHAT | {"search_parameters": {"mode": "auto"} | NULLS}),
        ("/v1/chat/completions", CHAT | {"stream": True, "stream_options": {"include_usage": None}}),
        (
            "/v1/responses",
            {"model": "trinch", "input": QUESTION, "tools": [{"type": "x_search", "from_date": None}]},
        ),
    ],
)
def test_null_counts_as_absent_at_any_depth(http: httpx.Client, path: str, body: dict[str, Any]) -> None:
    response = http.post(path, json=body)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/ask", {"question": f"{QUESTION} X"}),
        (
            "/v1/chat/completions",
            {"model": "trinch", "messages": [{"role": "user", "content": f"{QUESTION} X"}]},
        ),
        ("/v1/responses", {"model": "trinch", "input": f"{QUESTION} X"}),
    ],
)
def test_half_a_character_costs_no_request(http: httpx.Client, path: str, body: dict[str, Any]) -> None:
    raw = json.dumps(body).replace(" X", r" \ud83d")
    response = http.post(path, content=raw, headers=JSON)
    assert response.status_code == 200, response.text


def test_what_is_needed_stays_needed(http: httpx.Client) -> None:
    assert http.post("/v1/ask", json={"question": None}).status_code == 400
    assert http.post("/v1/ask", content=b'{"question": "x", "as_of": null, ', headers=JSON).status_code == 400


@pytest.mark.parametrize("query", ["explosion", r"explosion \ud83d"])
def test_mcp_without_an_accept_header(http: httpx.Client, query: str) -> None:
    pytest.importorskip("mcp")
    arguments = (
        f'{{"query": "{query}", "limit": null, "sort": null, "where": null, "cursor": null, "total": null}}'
    )
    call = f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {{"name": "search", "arguments": {arguments}}}}}'
    request = http.build_request(
        "POST", "/mcp", content=call, headers=JSON | {"MCP-Protocol-Version": "2025-03-26"}
    )
    del request.headers["accept"]
    response = http.send(request)
    assert response.status_code == 200, response.text
    result = response.json()["result"]
    assert not result.get("isError"), response.text
    assert bool(result["structuredContent"]["results"]) == (query == "explosion")
