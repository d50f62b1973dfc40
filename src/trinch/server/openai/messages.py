"""What a chat client sends, read: the questions of a conversation, whatever the envelope.

Owns messages and their parts, the model's name and the options that cannot be had. Knows nothing of how responses look.
"""

import secrets
from typing import Any

import msgspec

from trinch.server.api.v1 import parse_as_of, parse_question
from trinch.server.http.errors import Problem
from trinch.server.openai.search_filters import Filters, where
from trinch.service.ask import Asked

MODEL = "trinch"
LONGEST = 2000
"""Characters of a question."""


_TEXT = ("text", "input_text")


class Part(msgspec.Struct):
    """A part of a message's content."""

    type: str
    text: str = ""


class Message(msgspec.Struct):
    """A message of a conversation, or another item of a Responses input (which has no role)."""

    role: str = ""
    type: str = "message"
    content: str | list[Part] | None = None


class Conversation(Filters, kw_only=True):
    """What Chat Completions and Responses requests have in common."""

    model: str
    stream: bool = False
    tool_choice: Any = None


def user_messages(given: Conversation, messages: list[Message], param: str) -> list[str]:
    """What the user said, oldest first; the last is the question. Raises Problem."""
    forced = given.tool_choice == "required" and not any("search" in tool.type for tool in given.tools)
    if forced or (isinstance(given.tool_choice, dict) and given.tool_choice.get("type") in _CALLS):
        raise Problem(
            400,
            "no function is ever called: tool_choice must leave an answer possible",
            param="tool_choice",
            code="unsupported_parameter",
        )
    if given.model != MODEL:
        raise Problem(
            404,
            f"there is no model {given.model[:80]!r}; use {MODEL!r}",
            param="model",
            code="model_not_found",
        )
    said: list[str] = []
    other = place = ""
    for i, message in enumerate(messages):
        if message.role != "user" or message.content is None:
            continue
        parts = [Part("text", message.content)] if isinstance(message.content, str) else message.content
        said.append("\n".join(part.text for part in parts if part.type in _TEXT))
        other, place = next((part.type for part in parts if part.type not in _TEXT), ""), f"{param}[{i}]"
    if other:  # in the question itself: what cannot be read in earlier messages was refused then
        raise Problem(
            400, f"only text is understood, not {other[:40]!r}", param=place, code="unsupported_parameter"
        )
    if not said or not said[-1].strip():
        raise Problem(
            400, "there is no question: the last user message is empty", param=param, code="invalid_value"
        )
    return said


def question_of(given: Conversation, said: list[str], param: str) -> Asked:
    """The last of what was said, as asked of the store. Raises Problem."""
    if len(said[-1]) > LONGEST:
        raise Problem(
            400,
            f"the question is longer than {LONGEST} characters",
            param=param,
            code="context_length_exceeded",
        )
    earlier = [text for text in said[:-1] if len(text) <= LONGEST]  # longer ones were never answered
    return parse_question(said[-1], earlier=earlier, where=where(given), as_of=parse_as_of(given.trinch.as_of))


_CALLS = ("function", "custom", "mcp")


def new_id(kind: str) -> str:
    """An identifier in the style of OpenAI: `chatcmpl-…`, `resp_…`."""
    return kind + secrets.token_hex(12)


def models(created: int) -> dict[str, Any]:
    """The list of models: one."""
    model = {"id": MODEL, "object": "model", "created": created, "owned_by": "trinch"}
    return {"object": "list", "data": [model]}
