"""A result that the CPU budget cut short says so through every interface."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner

import trinch
from tests.server.running import Running
from trinch.answers.render import PARTIAL
from trinch.cli.main import main
from trinch.server.openai.markdown import PARTIAL as PARAGRAPH
from trinch.service.ask import answer, interpret
from trinch.service.limits import BadBudget
from trinch.store.store import Store

QUESTION = "What happened in Port Esker?"
QUERY = "explosion"
NO_TIME = {"TRINCH_BUDGET_MS": "0"}


@pytest.fixture(scope="module")
def client(sample_data: Path) -> Iterator[httpx.Client]:
    """A server whose requests have no CPU time for searches."""
    with Running(sample_data, env=NO_TIME) as running, running.client() as made:
        yield made


def test_python(sample_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with trinch.open(sample_data) as t:
        assert not t.search(QUERY).partial
        assert not t.ask(QUESTION).partial
        monkeypatch.setenv("TRINCH_BUDGET_MS", "0")
        assert t.search(QUERY).partial
        assert t.ask(QUESTION).partial
        assert not t.ask("hi").partial
        monkeypatch.setenv("TRINCH_BUDGET_MS", "much")
        with pytest.raises(BadBudget, match="'much'"):
            t.search(QUERY)


@pytest.mark.parametrize("verb", [["search", QUERY], ["ask", QUESTION]])
def test_the_command_line(sample_data: Path, verb: list[str]) -> None:
    def run(*more: str, **environment: str) -> Any:
        return CliRunner().invoke(main, [*verb, "--data", str(sample_data), *more], env=environment)

    assert json.loads(run("--json").stdout)["partial"] is False
    assert json.loads(run("--json", **NO_TIME).stdout)["partial"] is True
    assert PARTIAL not in run().stderr
    assert PARTIAL in run(**NO_TIME).stderr
    wrong = run(TRINCH_BUDGET_MS="-1")
    assert wrong.exit_code == 1
    assert "write a number of milliseconds" in wrong.stderr


def test_http(client: httpx.Client, http: httpx.Client) -> None:
    for path, parameters in (
        ("/v1/search", {"q": QUERY}),
        ("/v1/ask", {"question": QUESTION}),
        ("/v1/evidence", {"question": QUESTION}),
    ):
        assert http.get(path, params=parameters).json()["partial"] is False, path
        assert client.get(path, params=parameters).json()["partial"] is True, path
    events = client.get("/v1/ask", params={"question": QUESTION, "stream": "true"}).text
    done = next(part for part in events.split("\n\n") if part.startswith("event: done"))
    assert json.loads(done.split("data: ")[1])["partial"] is True


@pytest.mark.parametrize(("question", "lang"), [(QUESTION, "en"), ("Que se passe-t-il à Port-Esker ?", "fr")])
def test_chat(client: httpx.Client, http: httpx.Client, question: str, lang: str) -> None:
    body = {"model": "trinch", "messages": [{"role": "user", "content": question}]}
    whole, cut = (one.post("/v1/chat/completions", json=body).json() for one in (http, client))
    assert whole["trinch"]["partial"] is False
    assert PARAGRAPH[lang] not in whole["choices"][0]["message"]["content"]
    assert cut["trinch"]["partial"] is True
    assert cut["choices"][0]["message"]["content"].endswith(PARAGRAPH[lang])
    streamed = client.post("/v1/chat/completions", json=body | {"stream": True}).text
    assert json.dumps(PARAGRAPH[lang], ensure_ascii=False)[1:-1] in streamed
    response = client.post("/v1/responses", json={"model": "trinch", "input": question}).json()
    assert response["trinch"]["partial"] is True
    assert response["output"][-1]["content"][0]["text"].endswith(PARAGRAPH[lang])


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "ended by its CPU budget"), ("fr", "Le budget de calcul a mis fin")]
)
def test_the_page(client: httpx.Client, http: httpx.Client, lang: str, words: str) -> None:
    address = {"q": QUESTION, "lang": lang}
    assert words in client.get("/", params=address).text
    assert words not in http.get("/", params=address).text.split('id="texts"')[0]


@pytest.mark.long
def test_mcp(sample_data: Path) -> None:
    pytest.importorskip("mcp")
    from mcp import StdioServerParameters, stdio_client
    from mcp.client import Client

    async def results(**environment: str) -> list[bool]:
        command = ["-m", "trinch.cli.main", "mcp", "--data", str(sample_data)]
        parameters = StdioServerParameters(
            command=sys.executable, args=command, env=dict(os.environ) | environment
        )
        async with Client(stdio_client(parameters)) as client:
            found = [
                await client.call_tool("search", {"query": QUERY}),
                await client.call_tool("ask", {"question": QUESTION}),
            ]
        return [one.structured_content["partial"] for one in found]

    async def both() -> None:
        assert await results() == [False, False]
        assert await results(**NO_TIME) == [True, True]

    anyio.run(both)


def test_an_answer_uses_what_was_found_before_its_budget_ended(
    sample_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its searches share one budget: the first runs, the others return at once what they have."""
    ticks = iter(range(10**9))
    monkeypatch.setattr("trinch.store.budget.time.thread_time", lambda: next(ticks) / 1000)
    store = Store.open(sample_data)
    monkeypatch.setenv("TRINCH_BUDGET_MS", "1200")  # one millisecond for each candidate
    given = answer(store, interpret(QUESTION))
    assert given.partial
    assert given.claims
    store.close()
