"""The official `openai` client against a real server, unchanged."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import TOKEN, Running
from tests.server.test_v1 import AS_OF, DEAD
from trinch.simulator.sample import UNANSWERABLE

openai = pytest.importorskip("openai", reason="needs the openai package (dev extra)")


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[Any]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=TOKEN, max_retries=0) as client:
        yield client


def chat(client: Any, text: str, **more: Any) -> Any:
    extra = {"trinch": {"as_of": AS_OF}} | more.pop("extra_body", {})
    return client.chat.completions.create(
        model="trinch", messages=[{"role": "user", "content": text}], extra_body=extra, **more
    )


def test_there_is_one_model(client: Any) -> None:
    assert [model.id for model in client.models.list()] == ["trinch"]
    assert client.models.retrieve("trinch").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-nothing")


def test_chat_cites_with_right_offsets(client: Any) -> None:
    completion = chat(client, DEAD)
    assert completion.object == "chat.completion"
    message = completion.choices[0].message
    claims = completion.trinch["claims"]
    assert completion.trinch["outcome"] == "answer"
    spans = [
        (message.content[note.url_citation.start_index : note.url_citation.end_index], note.url_citation.url)
        for note in message.annotations
    ]
    assert spans == [(claim["text"], cited["url"]) for claim in claims for cited in claim["citations"]]
    assert (
        completion.usage.total_tokens
        == completion.usage.prompt_tokens + completion.usage.completion_tokens
        > 0
    )
    assert not hasattr(completion, "citations")


def test_chat_streams_the_same_text(client: Any) -> None:
    whole = chat(client, DEAD)
    chunks = list(chat(client, DEAD, stream=True, stream_options={"include_usage": True}))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    text = "".join(delta.content or "" for delta in deltas)
    assert text == whole.choices[0].message.content
    assert len([delta for delta in deltas if delta.content]) == len(whole.trinch["claims"])
    notes = [note for delta in deltas for note in getattr(delta, "annotations", None) or []]
    assert notes == [
        note.model_dump() | {"index": i} for i, note in enumerate(whole.choices[0].message.annotations)
    ]
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-2].trinch["claims"] == whole.trinch["claims"]


def test_chat_follows_a_conversation(client: Any) -> None:
    completion = client.chat.completions.create(
        model="trinch",
        messages=[
            {"role": "system", "content": "You are a pirate."},
            {"role": "user", "content": [{"type": "text", "text": "What happened in Port Esker?"}]},
            {"role": "assistant", "content": "…"},
            {"role": "user", "content": "and how many died?"},
        ],
        temperature=0.3,
        tools=None,
        user=None,
        extra_body={"trinch": {"as_of": AS_OF}},
    )
    assert completion.trinch["asked"].startswith("and how many died?")
    assert "Port Esker" in completion.trinch["asked"]
    assert completion.trinch["outcome"] == "answer"


def test_options_left_out_as_null_are_left_out(client: Any) -> None:
    null: dict[str, Any] = dict.fromkeys(
        ["stream", "tools", "n", "metadata", "search_parameters", "return_citations"]
    )
    body = {"model": "trinch", "messages": [{"role": "user", "content": DEAD}], **null}
    assert client.post("/chat/completions", body=body, cast_to=object)["trinch"]["outcome"] == "answer"
    null = dict.fromkeys(
        ["stream", "tools", "store", "include", "text", "previous_response_id", "instructions"]
    )
    body = {"model": "trinch", "input": DEAD, **null}
    assert client.post("/responses", body=body, cast_to=object)["trinch"]["outcome"] == "answer"


def test_silence_is_said_in_words_and_typed(client: Any) -> None:
    completion = chat(client, UNANSWERABLE.text)
    assert completion.trinch["outcome"] == "not_enough_evidence"
    assert completion.choices[0].message.content.startswith("Not enough evidence")
    assert completion.choices[0].message.annotations == []
    french = chat(client, "Qui a gagné la régate de Tallow Point ?")
    assert french.choices[0].message.content.startswith("Pas assez d'éléments")


@pytest.mark.parametrize(
    ("body", "status", "param", "code"),
    [
        ({"model": "gpt-nothing"}, 404, "model", "model_not_found"),
        ({"n": 2}, 400, "n", "unsupported_parameter"),
        ({"response_format": {"type": "grammar"}}, 400, "response_format", "unsupported_parameter"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}},
            400,
            "response_format",
            "unsupported_parameter",
        ),
        ({"messages": []}, 400, "messages", "invalid_value"),
        ({"messages": [{"role": "system", "content": "x"}]}, 400, "messages", "invalid_value"),
        ({"messages": [{"role": "user", "content": "x" * 2001}]}, 400, "messages", "context_length_exceeded"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "messages[0]", "unsupported_parameter"),
        ({"messages": "hello"}, 400, "messages", "invalid_value"),
        ({"search_domain_filter": ["bbc.co.uk"]}, 400, "search_domain_filter", "unsupported_parameter"),
        ({"search_after_date_filter": "soon"}, 400, "search_after_date_filter", "bad_time"),
        ({"trinch": {"where": "from:("}}, 400, "where", "bad_query"),
        ({"trinch": {"colour": "red"}}, 400, "trinch", "invalid_value"),
    ],
)  # fmt: skip
def test_errors_have_the_shape_that_clients_know(
    client: Any, body: dict[str, Any], status: int, param: str, code: str
) -> None:
    good = {"model": "trinch", "messages": [{"role": "user", "content": "hello"}]}
    with pytest.raises(openai.APIStatusError) as caught:
        client.post("/chat/completions", body=good | body, cast_to=object)
    assert caught.value.status_code == status
    assert (caught.value.param, caught.value.code) == (param, code)


def test_perplexity_lists_on_request(client: Any) -> None:
    completion = chat(client, DEAD, extra_body={"return_citations": True})
    urls = [source["url"] for source in completion.trinch["sources"]]
    assert completion.citations == urls
    assert [result["url"] for result in completion.search_results] == urls
    assert all(
        result["title"] and result["snippet"] and result["date"] for result in completion.search_results
    )
    early = chat(client, DEAD, extra_body={"search_before_date_filter": "3/18/2026"})
    assert early.citations
    assert all(source["created_at"] < "2026-03-18" for source in early.trinch["sources"])


def test_responses_have_a_search_and_a_message(client: Any) -> None:
    response = client.responses.create(
        model="trinch",
        input=DEAD,
        include=["web_search_call.action.sources"],
        extra_body={"trinch": {"as_of": AS_OF}},
    )
    search, message = response.output
    assert (search.type, search.status, search.action.type) == ("web_search_call", "completed", "search")
    assert search.action.query == DEAD
    cited = [source["url"] for source in response.trinch["sources"]]
    assert [source.url for source in search.action.sources][: len(cited)] == cited
    part = message.content[0]
    spans = [part.text[note.start_index : note.end_index] for note in part.annotations]
    assert spans == [claim["text"] for claim in response.trinch["claims"] for _ in claim["citations"]]
    assert response.output_text == part.text == chat(client, DEAD).choices[0].message.content
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


def test_responses_stream_and_go_on(client: Any) -> None:
    first = client.responses.create(model="trinch", input="What happened in Port Esker?")
    with client.responses.stream(
        model="trinch", input="how many died there?", previous_response_id=first.id,
        extra_body={"trinch": {"as_of": AS_OF}},
    ) as stream:  # fmt: skip
        seen = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in seen]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    for kind in ("in_progress", "searching", "completed"):
        assert f"response.web_search_call.{kind}" in kinds
    assert "".join(e.delta for e in seen if e.type == "response.output_text.delta") == final.output_text
    notes = [e for e in seen if e.type == "response.output_text.annotation.added"]
    assert [e.annotation_index for e in notes] == list(range(len(notes)))
    assert "Port Esker" in final.trinch["asked"]
    assert final.trinch["outcome"] == "answer"
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="trinch", input="and?", previous_response_id="resp_nothing")
    unkept = client.responses.create(model="trinch", input="What happened in Port Esker?", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="trinch", input="and?", previous_response_id=unkept.id)


def test_x_search_is_honoured(client: Any) -> None:
    def ask(**tool: Any) -> Any:
        tools = [{"type": "x_search", **tool}]
        return client.responses.create(model="trinch", input=DEAD, tools=tools)

    allowed = ask(allowed_x_handles=["EskerCityHall"])
    assert {source["author"] for source in allowed.trinch["sources"]} == {"EskerCityHall"}
    cited = [source["url"] for source in allowed.trinch["sources"]]
    assert allowed.citations[: len(cited)] == cited
    assert all("@EskerCityHall/" in url for url in allowed.citations)
    excluded = ask(excluded_x_handles=["EskerCityHall"])
    assert excluded.trinch["sources"]
    assert "EskerCityHall" not in {source["author"] for source in excluded.trinch["sources"]}
    day = ask(from_date="2026-03-17", to_date="2026-03-17")
    assert day.trinch["sources"]
    assert all(source["created_at"].startswith("2026-03-17") for source in day.trinch["sources"])
    assert ask(to_date="2026-03-16").trinch["outcome"] == "not_enough_evidence"
    for bad in (
        {"allowed_x_handles": ["a"], "excluded_x_handles": ["b"]},
        {"allowed_x_handles": ["a) OR (b"]},
        {"from_date": "the other day"},
    ):
        with pytest.raises(openai.BadRequestError):
            ask(**bad)


def test_inline_citations_are_links(client: Any) -> None:
    response = client.responses.create(model="trinch", input=DEAD, include=["inline_citations"])
    first = response.trinch["sources"][0]
    assert f"[[1]]({first['url']})" in response.output_text


def test_older_search_parameters(client: Any) -> None:
    wanted = {"sources": [{"type": "x", "included_x_handles": ["EskerCityHall"]}], "to_date": "2026-03-18"}
    completion = chat(client, DEAD, extra_body={"search_parameters": wanted})
    assert {source["author"] for source in completion.trinch["sources"]} == {"EskerCityHall"}
    assert completion.citations


def test_llm_asks_and_goes_on(server: Running, tmp_path: Path) -> None:
    pytest.importorskip("llm", reason="needs the llm package")
    models = {
        "model_id": "trinch",
        "model_name": "trinch",
        "api_base": f"{server.url}/v1",
        "api_key_name": "trinch",
    }
    (tmp_path / "extra-openai-models.yaml").write_text(json.dumps([models]))  # JSON is YAML
    (tmp_path / "keys.json").write_text(json.dumps({"trinch": TOKEN}))
    surroundings = os.environ | {"LLM_USER_PATH": str(tmp_path)}

    def llm(*words: str) -> str:
        command = [sys.executable, "-m", "llm", "-m", "trinch", *words]
        return subprocess.run(command, env=surroundings, capture_output=True, text=True, check=True).stdout

    assert "[1]" in llm(DEAD)
    assert "injured" in llm("--no-stream", "-c", "and how many were injured?")
