"""Stories, one story and trends are the same through the command line, HTTP, MCP and Python, and in `ask`."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from click.testing import CliRunner

import trinch
from trinch.cli.main import main

EVENING, NEXT_DAY = "2026-03-17T23:00:00Z", "2026-03-18T20:00:00Z"
LISTS: list[dict[str, Any]] = [
    {"as_of": EVENING},
    {"as_of": NEXT_DAY, "window": "48h"},
    {"as_of": EVENING, "about": "lang:fr", "limit": 3},
    {"as_of": EVENING, "lang": "fr"},
    {"as_of": EVENING, "about": "regatta"},
    {"as_of": "2026-03-16T00:00:00Z"},
]
TRENDS: list[dict[str, Any]] = [
    {"as_of": EVENING},
    {"as_of": EVENING, "kind": "name", "limit": 3, "network": "sample"},
]


def plain(value: dict[str, Any]) -> dict[str, Any]:
    """As JSON, without the time that it took."""
    read: dict[str, Any] = json.loads(json.dumps(value))
    read.pop("took_ms", None)
    return read


def by_command(data: Path, *words: str, **given: Any) -> dict[str, Any]:
    options = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    result = CliRunner().invoke(main, [*words, *options, "--json", "--data", str(data)])
    assert result.exit_code in (0, 1), result.output
    return plain(json.loads(result.stdout))


def by_http(http: httpx.Client, path: str, **given: Any) -> dict[str, Any]:
    answer = http.get(path, params=given)
    assert answer.status_code == 200, answer.text
    return plain(answer.json())


def test_lists(sample_data: Path, http: httpx.Client) -> None:
    seen = []
    for given in LISTS:
        with trinch.open(sample_data) as t:
            expected = plain(t.stories(**given))
        assert by_command(sample_data, "stories", **given) == expected
        assert by_http(http, "/v1/stories", **given) == expected
        seen.append([story["headline"] for story in expected["stories"]])
    assert len(seen[0]) == 1
    assert "Port" in seen[0][0]
    assert seen[-2:] == [[], []]
    assert seen[0] != seen[1]


def test_one_story_and_trends(sample_data: Path, http: httpx.Client) -> None:
    with trinch.open(sample_data) as t:
        id = t.stories(as_of=EVENING)["stories"][0]["id"]
        story = plain(t.story(id, as_of=NEXT_DAY) or {})
        trends = [plain(t.trends(**given)) for given in TRENDS]
        assert t.story("nothing-2026-03-17") is None
    assert len(story["timeline"]) > 3
    assert by_command(sample_data, "story", id, as_of=NEXT_DAY) == story
    assert by_http(http, f"/v1/stories/{id}", as_of=NEXT_DAY) == story
    assert http.get("/v1/stories/nothing-2026-03-17").status_code == 404
    for given, expected in zip(TRENDS, trends, strict=True):
        assert expected["trends"][0]["story"] == id
        assert by_command(sample_data, "trends", **given) == expected
        assert by_http(http, "/v1/trends", **given) == expected


@pytest.mark.long
def test_mcp(sample_data: Path) -> None:
    pytest.importorskip("mcp")
    from mcp import StdioServerParameters, stdio_client
    from mcp.client import Client

    command = ["-m", "trinch.cli.main", "mcp", "--data", str(sample_data)]
    parameters = StdioServerParameters(command=sys.executable, args=command, env=dict(os.environ))
    with trinch.open(sample_data) as t:
        id = t.stories(as_of=EVENING)["stories"][0]["id"]
        expected = [plain(t.stories(**given)) for given in LISTS]
        expected += [plain(t.trends(**given)) for given in TRENDS]
        expected += [plain(t.brief(**given)) for given in BRIEFS]
        expected.append(plain(t.story(id, as_of=NEXT_DAY) or {}))
    calls = [("stories", given) for given in LISTS] + [("trends", given) for given in TRENDS]
    calls += [("brief", given) for given in BRIEFS]
    calls.append(("story", {"id": id, "as_of": NEXT_DAY}))

    async def answers() -> list[dict[str, Any]]:
        async with Client(stdio_client(parameters)) as client:
            results = [await client.call_tool(name, given) for name, given in calls]
            return [plain(result.structured_content) for result in results]

    assert anyio.run(answers) == expected


@pytest.mark.parametrize("question", ["what is trending?", "top stories", "Quelles sont les nouvelles ?"])
def test_a_request_for_trends_is_answered_with_the_headlines(sample_data: Path, question: str) -> None:
    with trinch.open(sample_data) as t:
        headlines = [story["headline"] for story in t.stories(as_of=EVENING)["stories"]]
        answer = t.ask(question, as_of=EVENING)
    assert answer.task == "trends"
    assert [claim.text for claim in answer.claims] == headlines


def test_what_cannot_be_read_is_refused_by_every_interface(sample_data: Path, http: httpx.Client) -> None:
    for given, param in (({"window": "5 minutes"}, "window"), ({"about": "("}, "about")):
        answer = http.get("/v1/stories", params=given)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
        options = [word for name, value in given.items() for word in (f"--{name}", value)]
        assert CliRunner().invoke(main, ["stories", *options, "--data", str(sample_data)]).exit_code == 2
        with trinch.open(sample_data) as t, pytest.raises((trinch.WindowError, trinch.QueryError)):
            t.stories(**given)


BRIEFS: list[dict[str, Any]] = [
    {"since": "yesterday", "as_of": NEXT_DAY},
    {"since": EVENING, "as_of": NEXT_DAY, "limit": 2},
]


def test_briefs_are_the_same_through_every_interface(sample_data: Path, http: httpx.Client) -> None:
    for given in BRIEFS:
        with trinch.open(sample_data) as t:
            expected = plain(t.brief(**given))
            assert plain(t.brief(format="html", **given)).pop("text").startswith("<!DOCTYPE html>")
        assert by_command(sample_data, "brief", **given) == expected
        assert by_http(http, "/v1/briefs", **given) == expected
        assert "Esker" in expected["topics"][0]["stories"][0]["headline"]
    given = BRIEFS[1] | {"topic": ["Port Esker", "regatta"]}
    with trinch.open(sample_data) as t:
        expected = plain(t.brief(given["topic"], since=EVENING, as_of=NEXT_DAY, limit=2))
    assert by_http(http, "/v1/briefs", **given) == expected
    assert [part["topic"] for part in expected["topics"]] == given["topic"]
    assert expected["topics"][0]["stories"][0]["change"] == "continued"
    for wrong, param in (
        ({"since": "whenever"}, None),
        ({"topic": "("}, "topic"),
        ({"since": "5m"}, "since"),
    ):
        answer = http.get("/v1/briefs", params=wrong)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
        options = [word for name, value in wrong.items() for word in (f"--{name}", value)]
        assert CliRunner().invoke(main, ["brief", *options, "--data", str(sample_data)]).exit_code == 2


def test_a_brief_by_command_is_written_in_each_format(sample_data: Path, tmp_path: Path) -> None:
    topics = tmp_path / "topics.txt"
    topics.write_text("# of the day\nPort Esker\n\nregatta\n")
    for form, beginning in (("md", "# Brief: "), ("html", "<!DOCTYPE html>"), ("email", "Subject: Brief: ")):
        options = ["--topics", str(topics), "--since", EVENING, "--as-of", NEXT_DAY, "--format", form]
        result = CliRunner().invoke(main, ["brief", *options, "--data", str(sample_data)])
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith(beginning)
        assert "No story since then." in result.stdout
