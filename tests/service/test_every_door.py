"""The same requests through the command line, HTTP, Chat Completions, MCP and Python give the same answers."""

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import httpx
import pytest
from click.testing import CliRunner

import trinch
from trinch.cli.main import main
from trinch.server.openai.markdown import escape_markdown


class Request(NamedTuple):
    question: str
    where: str = ""
    earlier: tuple[str, ...] = ()
    as_of: str | None = None


EARLY, MIDDLE, LATE = "2026-03-17T17:00:00Z", "2026-03-17T23:00:00Z", "2026-03-18T20:00:00Z"
TOLL = "How many people died in the Port Esker explosion?"
REQUESTS = [
    Request("What happened in Port Esker?"),
    Request("What happened in Port Esker?", as_of=EARLY),
    Request(TOLL, as_of=EARLY),
    Request(TOLL, as_of=MIDDLE),
    Request(TOLL, as_of=LATE),
    Request(TOLL, where="lang:fr"),
    Request(TOLL, where="from:EskerCityHall", as_of=LATE),
    Request(TOLL, where="min_faves:100 OR from:CoastlineNews"),
    Request("Port Esker explosion lang:fr"),
    Request("Port Esker explosion -lang:en", as_of=MIDDLE),
    Request("Port Esker explosion from:PrefVerrane"),
    Request("Port Esker explosion from:nobody"),
    Request("Port Esker explosion since:2026-03-18 lang:en", where="-filter:retweets"),
    Request("Quelle est la situation à Port-Esker ?"),
    Request("Quelle est la situation à Port-Esker ?", as_of="2026-03-18T12:00:00Z"),
    Request("how many were injured there?", earlier=("What happened in Port Esker?",)),
    Request("and how many died?", earlier=("What happened in Port Esker?",), as_of=EARLY),
    Request("et combien de blessés ?", earlier=("Que se passe-t-il à Port-Esker ?",), where="lang:fr"),
    Request("Who won the regatta at Tallow Point?", as_of=LATE),
    Request("Why did the silo in Port Esker explode?", as_of=LATE),
    Request("Is the ammonia rumour true?", as_of=LATE),
    Request("hi"),
    Request("merci beaucoup"),
]
assert len(REQUESTS) == 23

Seen = tuple[str, str, list[str], list[tuple[str, str, int, int, list[tuple[str, int, int]]]]]
"""Outcome, headline, ids of the nearest posts; and of each claim: label and attribution, text, authors, posts, and of each citation
post, start and end."""


def seen(answer: dict[str, Any]) -> Seen:
    claims = [
        (
            f"{claim['label']}: {claim['attribution']}",
            claim["text"],
            claim["authors"],
            claim["posts"],
            [(one["id"], one["start"], one["end"]) for one in claim["citations"]],
        )
        for claim in answer["claims"]
    ]
    return answer["outcome"], answer["headline"], [post["id"] for post in answer["nearest"]], claims


def by_command(data: Path, request: Request) -> Seen:
    words = [request.question] if " -" in request.question else request.question.split()
    arguments = ["ask", *words, "--json", "--data", str(data), "--where", request.where]
    arguments += [word for text in request.earlier for word in ("--earlier", text)]
    arguments += ["--as-of", request.as_of] if request.as_of else []
    result = CliRunner().invoke(main, arguments)
    answer = seen(json.loads(result.stdout))
    assert result.exit_code == (1 if answer[0] == "not_enough_evidence" else 0)
    return answer


def by_python(data: Path, request: Request) -> Seen:
    with trinch.open(data) as t:
        given = t.ask(request.question, where=request.where, earlier=request.earlier, as_of=request.as_of)
    claims = [
        (
            f"{claim.label}: {claim.attribution}",
            claim.text,
            claim.authors,
            claim.posts,
            [(one.id, one.start, one.end) for one in claim.citations],
        )
        for claim in given.claims
    ]
    return given.outcome, given.headline, [post.id for post in given.nearest], claims


def by_http(http: httpx.Client, request: Request) -> Seen:
    body = {"question": request.question, "where": request.where, "earlier": list(request.earlier)}
    answer = http.post("/v1/ask", json=body | ({"as_of": request.as_of} if request.as_of else {}))
    assert answer.status_code == 200, answer.text
    return seen(answer.json())


def by_stream(http: httpx.Client, request: Request) -> Seen:
    body = {"question": request.question, "where": request.where, "earlier": list(request.earlier)}
    body |= {"stream": True} | ({"as_of": request.as_of} if request.as_of else {})
    text = http.post("/v1/ask", json=body).text
    events = [dict(line.split(": ", 1) for line in one.splitlines()) for one in text.strip().split("\n\n")]
    claims = [json.loads(event["data"]) for event in events if event.get("event") == "claim"]
    done = json.loads(next(event["data"] for event in events if event.get("event") == "done"))
    return seen(done | {"claims": claims})


def by_chat(http: httpx.Client, request: Request) -> Seen:
    messages = [{"role": "user", "content": text} for text in (*request.earlier, request.question)]
    extension = {"where": request.where} | ({"as_of": request.as_of} if request.as_of else {})
    body = {"model": "trinch", "messages": messages, "trinch": extension}
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    typed = answer.json()["trinch"]
    text = answer.json()["choices"][0]["message"]["content"]
    shown = escape_markdown(typed["answer"] if typed["outcome"] == "chat" else typed["headline"])
    assert text.startswith(shown)
    assert all(escape_markdown(claim["text"]) in text for claim in typed["claims"])
    return seen(typed)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.question[:40])
def test_every_endpoint_gives_the_same_answer(
    sample_data: Path, http: httpx.Client, request_: Request
) -> None:
    expected = by_python(sample_data, request_)
    assert by_command(sample_data, request_) == expected
    assert by_http(http, request_) == expected
    assert by_stream(http, request_) == expected
    assert by_chat(http, request_) == expected


def test_requests_differ_in_their_answers(sample_data: Path) -> None:
    """Else the comparison above would compare nothing."""
    outcomes = [by_python(sample_data, request) for request in REQUESTS]
    assert {outcome for outcome, *_ in outcomes} == {"answer", "conflicting", "not_enough_evidence", "chat"}
    assert len({str(answer) for answer in outcomes}) >= 12


def test_mcp_gives_the_same_answer(sample_data: Path) -> None:
    """MCP has no conversation: its assistant writes whole questions."""
    pytest.importorskip("mcp")
    from mcp import StdioServerParameters, stdio_client
    from mcp.client import Client

    command = ["-m", "trinch.cli.main", "mcp", "--data", str(sample_data)]
    parameters = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))

    async def answers() -> list[Seen]:
        found = []
        async with Client(stdio_client(parameters)) as client:
            for request in REQUESTS:
                if not request.earlier:
                    arguments = {"question": request.question, "where": request.where}
                    arguments |= {"as_of": request.as_of} if request.as_of else {}
                    result = await client.call_tool("ask", arguments)
                    found.append(seen(result.structured_content))
        return found

    expected = [by_python(sample_data, request) for request in REQUESTS if not request.earlier]
    assert anyio.run(answers) == expected


def test_an_empty_question_is_refused_by_every_interface(sample_data: Path, http: httpx.Client) -> None:
    for arguments in ([], [""], [" ", " "]):
        result = CliRunner().invoke(main, ["ask", *arguments, "--data", str(sample_data)])
        assert result.exit_code == 2
        assert "the question is empty" in result.stderr
    with trinch.open(sample_data) as t, pytest.raises(trinch.QuestionError):
        t.ask(" ")
    answer = http.post("/v1/ask", json={"question": "  "})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "question")
