"""Functions of the client: what the language model calls of them, and what it says of their results.

The model decides on the client's own conversation, before any post is read: what strangers write can neither cause a
call nor get into its arguments. What it writes beside or instead of calls is not shown, but for sentences that follow
from the results of the functions.
"""

import logging
import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from trinch.answers.render import clean
from trinch.llm.interface import LLMError, Message, Setting, ToolCall, Tools
from trinch.service.language_model import open_model
from trinch.service.verify import verify
from trinch.store.store import Store

log = logging.getLogger(__name__)

RULES = """\
You may call functions of the user's program. Call one only where the last request needs what it does. What happened in the \
world and what people say is answered afterwards from posts: for that call nothing and write NOTHING. After results of \
functions, write in short sentences what they say, and nothing else."""
MOST_SENTENCES = 12


class ToolRequest(msgspec.Struct, frozen=True):
    """A conversation and the functions that the client offers, in the form of Chat Completions."""

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    choice: Any = "auto"
    options: dict[str, Any] = {}
    required: bool = False
    """The client cannot do without: a call is forced, or results of calls wait to be read."""


class ToolTurn(msgspec.Struct, frozen=True):
    """What the model did."""

    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    """Sentences that follow from results; empty where there are calls."""
    tokens: int = 0
    seconds: float = 0.0
    error: str = ""
    """Code of what went wrong (`trinch.llm.interface.ErrorCode`)."""


def take_turn(_: Store, asked: ToolRequest, setting: Setting) -> ToolTurn:
    """Ask the model once. Raises nothing of the model's."""
    started, written = time.perf_counter(), [0]
    calls: list[ToolCall] = []
    pieces: list[str] = []
    tools = Tools(asked.tools, calls.append, asked.choice, bool(asked.tools), asked.options)
    error = ""

    def report(_: int, count: int) -> None:
        written[0] = count

    try:
        model = open_model(setting)
        messages = [Message("system", RULES), *asked.messages]
        pieces += model.complete(messages, max_tokens=setting.tokens, report=report, tools=tools)
    except LLMError as problem:
        log.warning("the language model failed: %s", problem)  # its text names internal addresses
        error, calls = problem.code, []
    said = "".join(pieces)
    offered = {_name(tool) for tool in asked.tools}
    kept = tuple(call for call in calls if call.name in offered)
    return ToolTurn(
        kept,
        "" if kept or error else supported(said, results(asked.messages)),
        written[0] or -(-len(said) // 4),
        time.perf_counter() - started,
        error,
    )


def _name(tool: Mapping[str, Any]) -> str:
    name = tool.get("function", {}).get("name")
    return name if isinstance(name, str) else ""


def results(messages: tuple[Message, ...]) -> list[str]:
    """The results behind the last request, and the arguments of their calls."""
    last = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    made = {call.id: call for message in messages for call in message.tool_calls}
    found = []
    for message in messages[last + 1 :]:
        if message.role == "tool":
            call = made.get(message.tool_call_id)
            found += [part for part in (call.arguments if call else "", message.content) if part]
    return found


def supported(text: str, evidence: list[str]) -> str:
    """The sentences of a text that follow from the evidence."""
    if not evidence:
        return ""
    sentences = re.split(r"(?<=[.!?。！？])\s+|\n+", clean(text.replace("\n", " ")).strip())[:MOST_SENTENCES]
    plain = [
        " ".join(re.sub(r'[{}\[\]"\\]', " ", each).split()) for each in evidence
    ]  # the marks of JSON are no quotation
    return " ".join(each for each in sentences if each and verify(each, plain).supported)
