"""Functions of a client, through the official client: the model's calls come back, and results go to the model."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.llm.fake import Calls, Server
from tests.server.running import TOKEN, Running
from tests.server.test_v1 import DEAD

openai = pytest.importorskip("openai", reason="needs the openai package (dev extra)")
pydantic = pytest.importorskip("pydantic", reason="comes with openai")

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "unit": {"enum": ["c", "f"]}}}
WEATHER = {
    "name": "weather",
    "description": "The weather of a city.",
    "parameters": PARAMETERS,
    "strict": False,
}
ASKED = "Do you need an umbrella in Port Esker today?"
RESULT = "Rain in Port Esker, 15 degrees, wind from the west"
TRUE, FALSE = "Rain in Port Esker, 15 degrees.", "A storm kills 40 people in Harrowby."


def clerk(messages: list[dict[str, Any]]) -> str | Calls:
    """Calls for the weather, reads the result, adds an invention, and leaves what happened to the posts."""
    asked = [message for message in messages if message["role"] == "user"][-1]["content"]
    if messages[-1]["role"] == "tool":
        return f"{TRUE} {FALSE}"
    if "umbrella" in asked:
        return [
            ("weather", '{"city": "Port Esker", "unit": "c"}'),
            ("weather", '{"city": '),
            ("not-offered", "{}"),
        ]
    return "NOTHING"


@pytest.fixture(scope="module")
def model() -> Iterator[Server]:
    with Server(clerk=clerk) as running:
        yield running


@pytest.fixture(scope="module")
def client(model: Server, sample_data: Path) -> Iterator[Any]:
    arguments = [f"clerk={model.url('clerk')},searches=0", f"toolless={model.url('toolless-clerk')}"]
    options = [part for name in arguments for part in ("--model", name)]
    with (
        Running(sample_data, *options) as running,
        openai.OpenAI(base_url=f"{running.url}/v1", api_key=TOKEN, max_retries=0, timeout=120) as client,
    ):
        yield client


CHAT_TOOLS = [{"type": "function", "function": WEATHER}]
FLAT_TOOLS = [{"type": "function", **WEATHER}]
USER = {"role": "user", "content": ASKED}


def test_calls_of_the_model_come_back_untouched_and_results_reach_it(client: Any, model: Server) -> None:
    model.asked.clear()
    system = {"role": "system", "content": "Be brief."}
    options = {"model": "clerk", "tools": CHAT_TOOLS, "parallel_tool_calls": True}
    done = client.chat.completions.create(messages=[system, USER], **options)
    (choice,) = done.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    calls = choice.message.tool_calls
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("weather", '{"city": "Port Esker", "unit": "c"}'),
        ("weather", '{"city": '),
    ]
    (sent,) = model.asked
    assert sent["tools"] == CHAT_TOOLS
    assert sent["parallel_tool_calls"] is True
    assert sent["messages"][1:] == [system, USER]
    assert "posts" not in sent["messages"][-1]["content"], "no post is read before a call"

    results = [
        {"role": "tool", "tool_call_id": calls[0].id, "content": RESULT},
        {"role": "tool", "tool_call_id": calls[1].id, "content": "bad arguments"},
    ]
    said = [system, USER, choice.message.model_dump(exclude_none=True), *results]
    done = client.chat.completions.create(messages=said, **options)
    assert model.asked[-1]["messages"][-2:] == results
    assert model.asked[-1]["messages"][3]["tool_calls"][0]["id"] == calls[0].id
    assert done.choices[0].message.content == TRUE, "what does not follow from the results is not shown"
    ended = client.chat.completions.create(messages=said, **options, tool_choice="none")
    assert ended.choices[0].message.content == TRUE, "results are read, and no further call is offered"
    assert not model.asked[-1].keys() & {"tools", "tool_choice", "parallel_tool_calls"}
    assert done.choices[0].finish_reason == "stop"


def test_calls_are_streamed_as_the_client_expects(client: Any) -> None:
    options = {"model": "clerk", "messages": [USER], "tools": CHAT_TOOLS}
    with client.chat.completions.stream(**options) as stream:
        for _ in stream:
            pass
        done = stream.get_final_completion()
    assert done.choices[0].finish_reason == "tool_calls"
    assert done.choices[0].message.tool_calls[0].function.arguments == '{"city": "Port Esker", "unit": "c"}'
    assert not done.choices[0].message.content


def test_what_happened_is_answered_from_posts_beside_functions(client: Any, model: Server) -> None:
    model.asked.clear()
    asked = [{"role": "user", "content": DEAD}]
    done = client.chat.completions.create(model="clerk", messages=asked, tools=CHAT_TOOLS)
    assert done.trinch["outcome"] == "answer"
    assert done.choices[0].message.tool_calls is None
    assert [("tools" in sent) for sent in model.asked] == [True, False], (
        "the functions are not offered beside posts"
    )
    model.asked.clear()
    for choice in ("required", {"type": "function", "function": {"name": "weather"}}):
        client.chat.completions.create(model="clerk", messages=[USER], tools=CHAT_TOOLS, tool_choice=choice)
        assert model.asked[-1]["tool_choice"] == choice
    model.asked.clear()
    none = client.chat.completions.create(model="clerk", messages=asked, tools=CHAT_TOOLS, tool_choice="none")
    assert none.trinch["outcome"] == "answer"
    assert not any("tools" in sent for sent in model.asked)


def test_responses_carry_calls_and_results(client: Any, model: Server) -> None:
    from openai.types.responses import ResponseStreamEvent

    options = {"model": "clerk", "tools": FLAT_TOOLS}
    response = client.responses.create(input=ASKED, **options)
    first, second = response.output
    assert (first.type, first.name) == ("function_call", "weather")
    assert json.loads(first.arguments) == {"city": "Port Esker", "unit": "c"}
    assert response.output_text == ""
    assert model.asked[-1]["tools"] == CHAT_TOOLS
    assert client.responses.retrieve(response.id).output == response.output

    output = {"type": "function_call_output", "call_id": first.call_id, "output": RESULT}
    other = {"type": "function_call_output", "call_id": second.call_id, "output": "bad arguments"}
    after = client.responses.create(input=[output, other], previous_response_id=response.id, **options)
    assert after.output_text == TRUE
    assert client.responses.retrieve(after.id).output_text == TRUE
    roles = [message["role"] for message in model.asked[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool"]
    client.responses.create(input=ASKED, previous_response_id=after.id, instructions="Celsius.", **options)
    sent = [(message["role"], message["content"]) for message in model.asked[-1]["messages"][1:]]
    assert (sent[0], sent[-2:]) == (("system", "Celsius."), [("assistant", TRUE), ("user", ASKED)])
    again = [
        {"role": "user", "content": ASKED},
        *(item.model_dump() for item in response.output),
        output,
        other,
    ]
    assert client.responses.create(input=again, **options).output_text == TRUE
    assert [message["role"] for message in model.asked[-1]["messages"]] == roles

    raw = client.responses.with_raw_response.create(input=ASKED, stream=True, **options)
    for event in raw.parse():
        pydantic.TypeAdapter(ResponseStreamEvent).validate_python(event.model_dump(), strict=True)
    with client.responses.stream(input=ASKED, **options) as stream:
        assert [item.call_id for item in stream.get_final_response().output] == [
            first.call_id,
            second.call_id,
        ]


def test_without_a_model_that_has_tools_the_client_is_told(client: Any) -> None:
    tool = {"role": "tool", "tool_call_id": "call_0", "content": RESULT}
    call = {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    waiting = [USER, {"role": "assistant", "content": "", "tool_calls": [call]}, tool]
    forced = {"type": "function", "function": {"name": "weather"}}
    for more, param in (({"tool_choice": forced}, "tool_choice"), ({"messages": waiting}, "tools")):
        asked = {"model": "toolless", "messages": [USER], "tools": CHAT_TOOLS, **more}
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**asked)
        assert (caught.value.code, caught.value.param) == ("unsupported_parameter", param)
        assert "does not take these functions" in caught.value.message
    question = [{"role": "user", "content": DEAD}]
    answered = client.chat.completions.create(model="toolless", messages=question, tools=CHAT_TOOLS)
    assert answered.trinch["outcome"] == "answer", "a client may offer what is never called"
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="clerk", messages=question, tools=[{"type": "function"}])
    assert caught.value.param == "tools"


def test_a_function_that_the_models_server_refuses_costs_nobody_else_theirs(
    client: Any, model: Server
) -> None:
    bad = {"type": "function", "function": WEATHER | {"name": "bad name"}}
    with pytest.raises(openai.BadRequestError, match="does not take these functions"):
        client.chat.completions.create(model="clerk", messages=[USER], tools=[bad], tool_choice="required")
    done = client.chat.completions.create(model="clerk", messages=[USER], tools=CHAT_TOOLS)
    assert done.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        ({"type": "function", "function": {"name": "other"}}, "not offered"),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
            "instead of allowed_tools",
        ),
    ],
)
def test_a_choice_that_cannot_be_kept_is_refused(client: Any, choice: Any, why: str) -> None:
    with pytest.raises(openai.BadRequestError, match=why):
        client.chat.completions.create(model="clerk", messages=[USER], tools=CHAT_TOOLS, tool_choice=choice)


def test_a_conversation_that_is_too_long_is_refused(client: Any) -> None:
    long = [{"role": "user", "content": "rain " * 100_000}, USER]
    with pytest.raises(openai.BadRequestError, match="400,000 characters"):
        client.chat.completions.create(model="clerk", messages=long, tools=CHAT_TOOLS)
