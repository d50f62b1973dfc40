"""`response_format` on both of OpenAI's APIs: JSON in the typed shape, and by a schema that a language model fills in."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.llm.fake import Server
from tests.server.running import Running

needs_jsonschema = pytest.mark.skipif(
    importlib.util.find_spec("jsonschema") is None, reason="needs the package jsonschema"
)
QUESTION, AS_OF = "What happened in Port Esker?", "2026-03-18T20:00:00Z"
SCHEMA = {
    "type": "object",
    "properties": {
        "summary": {"type": "string"},
        "place": {"type": "string"},
        "dead": {"type": "integer"},
        "kind": {"enum": ["accident", "attack"]},
    },
    "required": ["summary", "place", "dead"],
    "additionalProperties": False,
}
SENTENCE = "In the final count, ten people died and 31 were hurt in the Port Esker silo explosion."
GOOD = {"summary": SENTENCE, "place": "Port Esker", "dead": 10, "kind": "accident"}
asked: list[str] = []


def write(messages: list[dict[str, str]]) -> str:
    """Sentences for an answer; for a schema an object that lies at first where the style asks for it."""
    if not messages[0]["content"].startswith("You fill in"):
        posts = json.loads(messages[1]["content"])["posts"]
        n = next(item["n"] for item in posts if item["text"].startswith("Final figures"))
        return f"{SENTENCE} [{n}]" if len(messages) == 2 else "NOTHING"
    asked.append(messages[-1]["content"])
    lie = {"dead": 900} if len(messages) == 2 else {"place": "Atlantis"} if "lies" in asked[0] else {}
    return json.dumps(GOOD | lie)


@pytest.fixture(scope="module")
def http(sample_data: Path) -> Iterator[httpx.Client]:
    with (
        Server(good=write) as model,
        Running(sample_data, "--model", model.url("good"), "--model-name", "wordsmith") as running,
        running.client() as client,
    ):
        client.timeout = httpx.Timeout(120)  # a busy machine
        yield client


def chat(http: httpx.Client, wanted: Any, **more: Any) -> httpx.Response:
    body = {
        "model": "trinch",
        "messages": [{"role": "user", "content": QUESTION}],
        "trinch": {"as_of": AS_OF},
    }
    return http.post("/v1/chat/completions", json=body | {"response_format": wanted} | more)


def by_schema(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "event", "schema": schema, "strict": True}}


@needs_jsonschema
def test_an_object_of_the_clients_schema_is_filled_in_verified_and_repaired(http: httpx.Client) -> None:
    asked.clear()
    answer = chat(http, by_schema(SCHEMA))
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.json()["choices"][0]["message"]["content"]) == GOOD
    assert answer.json()["trinch"]["unverified"] == ["kind"]
    assert len(asked) == 2
    assert "dead: no cited post gives the number 900" in asked[1]


@needs_jsonschema
def test_what_the_posts_do_not_support_is_an_error_and_never_shown(http: httpx.Client) -> None:
    asked[:] = ["lies"]
    answer = chat(http, by_schema(SCHEMA))
    assert answer.status_code == 422
    assert "place" in answer.json()["error"]["message"]
    streamed = chat(http, by_schema(SCHEMA), stream=True)
    assert "Atlantis" not in streamed.text
    assert "unsupported_by_posts" in streamed.text


@pytest.mark.long
def test_json_without_a_schema_is_the_typed_answer(http: httpx.Client) -> None:
    answer = json.loads(chat(http, {"type": "json_object"}).json()["choices"][0]["message"]["content"])
    assert answer["outcome"] == "answer"
    assert answer["claims"][0]["text"] == SENTENCE
    assert answer["claims"][0]["sources"][0].startswith("http")


@needs_jsonschema
def test_responses_takes_the_schema_beside_the_type(http: httpx.Client) -> None:
    asked.clear()
    wanted = {"type": "json_schema", "name": "event", "schema": SCHEMA}
    body = {"model": "trinch", "input": QUESTION, "trinch": {"as_of": AS_OF}, "text": {"format": wanted}}
    response = http.post("/v1/responses", json=body).json()
    assert json.loads(response["output"][-1]["content"][0]["text"]) == GOOD
    assert response["text"]["format"] == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "grammar"},
        by_schema({"type": "string"}),
        by_schema({"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:1/x.json"}}}),
        by_schema({"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}),
        by_schema({"type": "object", "properties": {"a": {"type": "nonsense"}}}),
        by_schema({"type": "object", "description": "x" * 30_000}),
    ],
)
def test_an_unusable_format_is_refused_before_anything_is_asked(http: httpx.Client, wanted: Any) -> None:
    asked.clear()
    assert chat(http, wanted).status_code == 400
    assert not asked
