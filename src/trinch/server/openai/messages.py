"""Messages of a chat client, in either API: reads the user's questions from them and refuses unsupported options."""

import secrets
from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from trinch.server.api.v1 import parse_as_of, parse_question
from trinch.server.http.errors import Problem
from trinch.server.openai.search_filters import Filters, filters_to_query
from trinch.service.ask import AskRequest

MODEL = "trinch"
MAX_QUESTION = 2000
"""Characters of a question."""


_TEXT = ("text", "input_text", "output_text")


class Part(msgspec.Struct):
    """A part of a message's content."""

    type: str
    text: str = ""


class Function(msgspec.Struct):
    name: str = ""
    arguments: str = ""


class Call(msgspec.Struct):
    """A call of a function in a message of the assistant."""

    id: str = ""
    function: Function = msgspec.field(default_factory=Function)


class Message(msgspec.Struct):
    """A message of a conversation, or another item of a Responses input (which has no role)."""

    role: str = ""
    type: str = "message"
    content: str | list[Part] | None = None
    tool_calls: list[Call] = []
    tool_call_id: str = ""
    call_id: str = ""
    """Of the items `function_call` (with `name` and `arguments`) and `function_call_output` (with `output`)."""
    name: str = ""
    arguments: str = ""
    output: str | list[Part] | None = None


def text_of(content: str | list[Part] | None) -> str:
    """The text of a message's content or of a function's result."""
    if content is None or isinstance(content, str):
        return content or ""
    return "\n".join(part.text for part in content if part.type in _TEXT)


class Conversation(Filters, kw_only=True):
    """What Chat Completions and Responses requests have in common."""

    model: str
    stream: bool = False
    tool_choice: Any = None
    parallel_tool_calls: bool | None = None


def user_messages(
    given: Conversation,
    messages: list[Message],
    param: str,
    named: Collection[str] = (),
    may_lack_question: bool = False,
) -> list[str]:
    """The texts of the user's messages, oldest first; the last is the question. Raises Problem, also for a model that is
    none of the `named` ones. `may_lack_question`: the question is in an earlier request."""
    if given.model != MODEL and given.model not in named:
        raise Problem(
            404,
            f"there is no model {given.model[:80]!r}; use {', '.join(map(repr, (MODEL, *named)))}",
            param="model",
            code="model_not_found",
        )
    texts: list[str] = []
    other = place = ""
    for i, message in enumerate(messages):
        if message.role != "user" or message.content is None:
            continue
        parts = [Part("text", message.content)] if isinstance(message.content, str) else message.content
        texts.append("\n".join(part.text for part in parts if part.type in _TEXT))
        other, place = next((part.type for part in parts if part.type not in _TEXT), ""), f"{param}[{i}]"
    if other:  # in the question itself: earlier messages were checked when they were the question
        raise Problem(
            400, f"only text is supported, not {other[:40]!r}", param=place, code="unsupported_parameter"
        )
    if not texts and may_lack_question:
        return []
    if not texts or not texts[-1].strip():
        raise Problem(
            400, "there is no question: the last user message is empty", param=param, code="invalid_value"
        )
    return texts


def style_of(messages: list[Message]) -> str:
    """What system and developer messages ask for: the form of the answer, never its facts."""
    texts: list[str] = []
    for message in messages:
        if message.role in ("system", "developer") and message.content:
            texts.append(text_of(message.content))
    return "\n".join(texts)


def question_of(given: Conversation, texts: list[str], param: str, style: str = "") -> AskRequest:
    """The last of the user's messages as a question, the others as its conversation. Raises Problem."""
    if len(texts[-1]) > MAX_QUESTION:
        raise Problem(
            400,
            f"the question is longer than {MAX_QUESTION} characters",
            param=param,
            code="context_length_exceeded",
        )
    earlier = [text for text in texts[:-1] if len(text) <= MAX_QUESTION]  # longer ones got an error then
    return parse_question(
        texts[-1],
        earlier=earlier,
        where=filters_to_query(given),
        as_of=parse_as_of(given.trinch.as_of),
        style=style,
    )._replace(model="" if given.model == MODEL else given.model)


def new_id(kind: str) -> str:
    """An identifier in the style of OpenAI: `chatcmpl-…`, `resp_…`."""
    return kind + secrets.token_hex(12)


def models(created: int, named: Iterable[str] = ()) -> dict[str, Any]:
    """The list of models: the default, then the named ones."""
    fields = {"object": "model", "created": created, "owned_by": "trinch"}
    return {"object": "list", "data": [{"id": name, **fields} for name in (MODEL, *named)]}
