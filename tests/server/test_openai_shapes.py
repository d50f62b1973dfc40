"""Responses and events, checked against its own types, strictly; and its helpers, unchanged."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.running import TOKEN, Running
from tests.server.test_open_webui import prompt
from tests.server.test_v1 import DEAD
from trinch.posts.schema import Deleted
from trinch.server.openai.response_store import ResponseStore
from trinch.store.log import Log

openai = pytest.importorskip("openai", reason="needs the openai package (dev extra)")
pydantic = pytest.importorskip("pydantic", reason="comes with openai")

CHAT = {"model": "trinch", "messages": [{"role": "user", "content": DEAD}]}


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=TOKEN, max_retries=0) as client:
        yield client


def streamed(response: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_completions_are_of_the_types_of_the_client(http: httpx.Client) -> None:
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    whole = http.post("/v1/chat/completions", json=CHAT).json()
    ChatCompletion.model_validate(whole, strict=True)
    asked = CHAT | {"stream": True, "stream_options": {"include_usage": True}}
    chunks = streamed(http.post("/v1/chat/completions", json=asked))
    assert len(chunks) > 3
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)


def test_a_chore_is_a_response_of_the_type_of_the_client(http: httpx.Client) -> None:
    from openai.types.responses import Response, ResponseStreamEvent

    asked = {"model": "trinch", "input": prompt('{ "title": "" }')}
    Response.model_validate(http.post("/v1/responses", json=asked).json(), strict=True)
    events = streamed(http.post("/v1/responses", json=asked | {"stream": True}))
    assert {event.get("output_index", 0) for event in events} == {0}
    for event in events:
        pydantic.TypeAdapter(ResponseStreamEvent).validate_python(event, strict=True)


@pytest.mark.parametrize("tool", [None, {"type": "web_search"}, {"type": "function", "name": "f", "strict": True, "parameters": {}}])  # fmt: skip
def test_responses_are_of_the_types_of_the_client(http: httpx.Client, tool: dict[str, Any] | None) -> None:
    from openai.types.responses import Response, ResponseStreamEvent

    asked = {"model": "trinch", "input": DEAD, "tools": [tool] if tool else []}
    Response.model_validate(http.post("/v1/responses", json=asked).json(), strict=True)
    events = streamed(http.post("/v1/responses", json=asked | {"stream": True}))
    assert len(events) > 10
    for event in events:
        pydantic.TypeAdapter(ResponseStreamEvent).validate_python(event, strict=True)


def test_the_stream_helper_puts_annotations_together(client: Any) -> None:
    with client.chat.completions.stream(**CHAT) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"content.delta", "content.done"} <= kinds
    whole = client.chat.completions.create(**CHAT).choices[0].message
    assert final.choices[0].message.content == whole.content
    assert [note.url_citation for note in final.choices[0].message.annotations] == [
        note.url_citation for note in whole.annotations
    ]


def test_what_a_stranger_sends_beside_is_ignored(http: httpx.Client) -> None:
    more = {
        "logprobs": True,
        "top_logprobs": 2,
        "seed": 1,
        "stop": ["x"],
        "reasoning_effort": "low",
        "x": {"y": 1},
    }
    answer = http.post(
        "/v1/chat/completions", json=CHAT | more | {"parallel_tool_calls": True, "tool_choice": "auto"}
    )
    assert answer.json()["trinch"]["outcome"] == "answer"


@pytest.mark.parametrize(
    ("path", "more", "param"),
    [
        ("chat/completions", {"tool_choice": "required", "tools": [{"type": "function"}]}, "tool_choice"),
        ("chat/completions", {"tool_choice": {"type": "function", "function": {"name": "f"}}}, "tool_choice"),
        ("chat/completions", {"modalities": ["text", "audio"]}, "modalities"),
        ("responses", {"conversation": "conv_1"}, "conversation"),
        ("responses", {"prompt": {"id": "pmpt_1"}}, "prompt"),
        ("responses", {"metadata": {"a": "x" * 513}}, "metadata[...]"),
        ("chat/completions", {"search_parameters": {"sources": [{"type": "web"}]}}, "search_parameters.sources"),
        ("chat/completions", {"search_parameters": {"sources": [{"type": "x", "post_view_count": 9}]}}, "search_parameters.sources[0]"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_said(
    http: httpx.Client, path: str, more: dict[str, Any], param: str
) -> None:
    asked = CHAT if path.startswith("chat") else {"model": "trinch", "input": DEAD}
    answer = http.post(f"/v1/{path}", json=asked | more)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_what_was_seen_follows_what_is_cited(client: Any) -> None:
    tools = [{"type": "x_search"}]
    response = client.responses.create(model="trinch", input=DEAD, tools=tools, include=["web_search_call.action.sources"])  # fmt: skip
    cited = [source["url"] for source in response.trinch["sources"]]
    assert response.citations[: len(cited)] == cited
    assert len(response.citations) > len(cited)
    assert len(set(response.citations)) == len(response.citations) <= len(cited) + 20
    assert [source.url for source in response.output[0].action.sources] == response.citations
    few = client.chat.completions.create(**CHAT, extra_body={"search_parameters": {"max_search_results": 6}})
    assert cited == few.citations[: len(cited)]
    assert len(few.citations) <= len(cited) + 6


def test_responses_are_fetched_until_they_are_deleted(client: Any) -> None:
    made = client.responses.create(model="trinch", input=DEAD, metadata={"for": "me"})
    fetched = client.responses.retrieve(made.id)
    same = {"took_ms": 0}
    assert fetched.trinch | same == made.trinch | same
    assert fetched.model_dump(exclude={"trinch"}) == made.model_dump(exclude={"trinch"})
    assert made.store is True
    events = list(client.responses.retrieve(made.id, stream=True))
    assert events[-1].response.output_text == made.output_text
    client.responses.delete(made.id)
    for again in (client.responses.retrieve, client.responses.delete):
        with pytest.raises(openai.NotFoundError):
            again(made.id)
    unkept = client.responses.create(model="trinch", input=DEAD, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(unkept.id)


def test_a_post_deleted_meanwhile_is_in_no_response_fetched(sample_data: Path, tmp_path: Path) -> None:
    data = shutil.copytree(sample_data, tmp_path / "store")
    with Running(data) as running, openai.OpenAI(base_url=f"{running.url}/v1", api_key=TOKEN) as client:
        made = client.responses.create(model="trinch", input=DEAD)
        gone = made.trinch["sources"][0]
        Log(data / "ocean.db").append([Deleted(at=1, network=gone["network"], id=gone["id"])])
        fetched = client.responses.retrieve(made.id)
        assert fetched.trinch["outcome"] == "answer"
        assert gone["id"] not in fetched.model_dump_json()
        assert fetched.trinch["as_of"] == made.trinch["as_of"]


def test_response_store_is_bounded() -> None:
    responses = ResponseStore(max_responses=3, max_bytes=100)
    for n in range(5):
        responses.save(f"r{n}", b"x" * 10, None)
    assert [n for n in range(5) if _knows(responses, f"r{n}")] == [2, 3, 4]
    responses.save("big", b"x" * 95, None)
    assert not _knows(responses, "r4")
    responses.delete("big", None)
    responses.save("next", b"x" * 100, None)
    assert _knows(responses, "next")


def test_a_stored_response_belongs_to_one_key() -> None:
    responses = ResponseStore()
    responses.save("mine", b"x", "a")
    responses.save("anybody's", b"x", None)
    assert [_knows(responses, "mine", key) for key in ("a", "b", None)] == [True, False, False]
    assert [_knows(responses, "anybody's", key) for key in ("a", None)] == [False, True]


def _knows(responses: ResponseStore, id: str, key: str | None = None) -> bool:
    from trinch.server.http.errors import Problem

    try:
        responses.load(id, key)
    except Problem as problem:
        assert problem.status == 404
        return False
    return True
