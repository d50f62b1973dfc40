"""What Open WebUI asks of a model beside the question, in the form in which it asks."""

import json
import time
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.test_v1 import DEAD
from trinch.server.openai.client_tasks import run_task

HISTORY = (
    f"USER: {DEAD}\nASSISTANT: 10 people died. [1]\n\nMore. [2]\nUSER: and when\nwas that?\nASSISTANT: Then."
)


def prompt(example: str, history: str = HISTORY) -> str:
    return f"### Task:\nDo it.\n### Output:\nJSON format: {example}\n### Chat History:\n<chat_history>\n{history}\n</chat_history>"


@pytest.mark.parametrize(
    ("example", "reply"),
    [
        ('{ "title": "your concise title here" }', {"title": DEAD}),
        ('{ "tags": ["tag1", "tag2"] }', {"tags": []}),
        ('{ "follow_ups": ["Suggestion 1"] }', {"follow_ups": []}),
        ('{\n  "queries": ["query1"]\n}', {"queries": ["and when was that?"]}),
        ('`{ "text": "<completion>" }`', {"text": ""}),
    ],
)
@pytest.mark.parametrize("longer", [0, 3000])
def test_chores_are_done_with_the_words_of_the_chat(
    http: httpx.Client, example: str, reply: Any, longer: int
) -> None:
    asked = prompt(example, HISTORY + "x" * longer)
    body = {"model": "trinch", "messages": [{"role": "user", "content": asked}], "max_tokens": 1000}
    whole = http.post("/v1/chat/completions", json=body | {"stream": False}).json()
    assert json.loads(whole["choices"][0]["message"]["content"]) == reply
    assert whole["trinch"] is None
    streamed = http.post("/v1/chat/completions", json=body | {"stream": True}).text
    chunks = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
    text = "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])
    assert json.loads(text) == reply
    response = http.post("/v1/responses", json={"model": "trinch", "input": asked}).json()
    assert [item["type"] for item in response["output"]] == ["message"]  # nothing was searched
    assert json.loads(response["output"][0]["content"][0]["text"]) == reply


def test_a_question_is_no_chore(http: httpx.Client) -> None:
    assert run_task(DEAD) is None
    assert run_task('What is {"title": 1}?') is None
    assert run_task("<chat_history>USER: hello</chat_history>") is None
    body = {"model": "gpt-nothing", "messages": [{"role": "user", "content": prompt('{"title": ""}')}]}
    assert http.post("/v1/chat/completions", json=body).status_code == 404


def test_a_hostile_chore_is_read_in_no_time() -> None:
    started = time.process_time()
    for message in (
        "<chat_history>" * 70_000,
        "</chat_history>" * 65_000,
        '{"title" ' * 100_000,
        "{" * 10**6,
    ):
        assert run_task(message) is None
    assert time.process_time() - started < 2  # it holds up everybody


@given(st.text(max_size=200))
def test_any_history_gives_a_title(history: str) -> None:
    title = json.loads(run_task(prompt('{ "title": "" }', history)) or "")["title"]
    assert len(title) <= 61


def test_a_long_title_ends_at_a_word() -> None:
    title = json.loads(run_task(prompt('{ "title": "" }', "USER: " + "word " * 40)) or "")["title"]
    assert title == "word " * 11 + "word…"


def test_a_message_that_was_refused_is_no_context(http: httpx.Client) -> None:
    picture = [{"type": "text", "text": "and this?"}, {"type": "image_url", "image_url": {"url": "data:x"}}]
    messages = [
        {"role": "user", "content": "x " * 1500},
        {"role": "user", "content": picture},
        {"role": "user", "content": DEAD},
    ]
    answer = http.post("/v1/chat/completions", json={"model": "trinch", "messages": messages})
    assert answer.json()["trinch"]["asked"] == DEAD
    refused = http.post("/v1/chat/completions", json={"model": "trinch", "messages": messages[:2]})
    assert refused.status_code == 400
