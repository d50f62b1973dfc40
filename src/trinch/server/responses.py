"""OpenAI's Responses, spoken so that its clients work unchanged, with xAI's `x_search` among the tools.

Owns the request's options and the shapes of responses, items and events. Of a conversation only the questions are
remembered, in memory; responses themselves are not stored, so that no deleted post lives on in one. Knows nothing of
how questions are answered.
"""

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.server import wire
from trinch.server.asking import Asked
from trinch.server.dialogue import MODEL, Conversation, Message, new_id, question_of, questions
from trinch.server.errors import Problem
from trinch.server.state import State, state_of
from trinch.server.telling import extras, told
from trinch.server.wording import Piece, address, words


class Format(msgspec.Struct):
    type: str = "text"


class Text(msgspec.Struct):
    format: Format | None = None


class ResponseRequest(Conversation, kw_only=True):
    """A request. Sampling options are accepted and mean nothing: an answer depends on the posts alone."""

    input: str | Annotated[list[Message], msgspec.Meta(min_length=1, max_length=1000)]
    previous_response_id: str | None = None
    store: bool = True
    include: tuple[str, ...] = ()
    text: Text | None = None
    background: bool = False


class _Turn(NamedTuple):
    """All that one response is made from."""

    given: ResponseRequest
    asked: Asked
    said: list[str]
    base: str
    head: dict[str, Any]


async def create(request: Request) -> Response:
    given = await wire.body(request, ResponseRequest, nulls=False)
    if given.text and given.text.format and given.text.format.type != "text":
        raise Problem(
            400, "answers are text: use the field `trinch` for structure", param="text.format",
            code="unsupported_parameter",
        )  # fmt: skip
    if given.background:
        raise Problem(
            400, "cannot answer in the background", param="background", code="unsupported_parameter"
        )
    state = state_of(request)
    messages = [Message("user", content=given.input)] if isinstance(given.input, str) else given.input
    before = state.memory.recall(given.previous_response_id) if given.previous_response_id else []
    said = before + questions(messages, "input")
    turn = _Turn(given, question_of(given, said), said, wire.base(request), _head(given))
    if given.store:
        state.memory.keep(turn.head["id"], said)
    if given.stream:
        return wire.EventStream(_numbered(_events(state, turn)))
    final: dict[str, Any] = {}
    async for event in _events(state, turn):
        final = event
    return wire.Json(final["response"])


async def _numbered(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    number = 0
    try:
        async for event in events:
            yield wire.event(event | {"sequence_number": number}, event["type"])
            number += 1
    except Problem as problem:
        error = problem.body["error"] | {"type": "error", "sequence_number": number}
        yield wire.event(error, "error")


async def _events(state: State, turn: _Turn) -> AsyncIterator[dict[str, Any]]:
    """A response as its events; the last, `response.completed`, holds all of it. The text comes claim by claim,
    each looked up again just before it is sent."""
    head = turn.head
    yield {"type": "response.created", "response": head}
    yield {"type": "response.in_progress", "response": head}

    search: dict[str, Any] = {
        "type": "web_search_call",
        "id": new_id("ws_"),
        "status": "in_progress",
        "action": {"type": "search", "query": turn.asked.question, "queries": [turn.asked.question]},
    }
    here = {"output_index": 0, "item_id": search["id"]}
    yield {"type": "response.output_item.added", "output_index": 0, "item": search}
    yield {"type": "response.web_search_call.in_progress", **here}
    yield {"type": "response.web_search_call.searching", **here}

    part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    message: dict[str, Any] = {
        "type": "message",
        "id": new_id("msg_"),
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    place = {"item_id": message["id"], "output_index": 1, "content_index": 0}
    shown: dict[str, Any] = {}
    async for now, piece in told(state, turn.asked, turn.base, "inline_citations" in turn.given.include):
        if not shown:
            search = _found(search, now, turn)
            yield {"type": "response.web_search_call.completed", **here}
            yield {"type": "response.output_item.done", "output_index": 0, "item": search}
            yield {"type": "response.output_item.added", "output_index": 1, "item": message}
            yield {"type": "response.content_part.added", **place, "part": part}
        shown = now
        if not piece.text:
            continue
        yield {"type": "response.output_text.delta", **place, "delta": piece.text, "logprobs": []}
        notes = _annotations(piece)
        for i, note in enumerate(notes, len(part["annotations"])):
            event = {"type": "response.output_text.annotation.added", **place}
            yield event | {"annotation": note, "annotation_index": i}
        part = part | {"text": part["text"] + piece.text, "annotations": [*part["annotations"], *notes]}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}
    message = message | {"status": "completed", "content": [part]}
    yield {"type": "response.output_item.done", "output_index": 1, "item": message}

    heard, spoken = words(*turn.said), words(part["text"])
    done = head | {"status": "completed", "completed_at": int(time.time()), "output": [search, message]}
    done |= {
        "usage": {
            "input_tokens": heard,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": spoken,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": heard + spoken,
        }
    }
    yield {"type": "response.completed", "response": done | extras(turn.given, shown, turn.base)}


def _found(search: dict[str, Any], shown: dict[str, Any], turn: _Turn) -> dict[str, Any]:
    """The search, done; with its sources where the client asked for them."""
    action = search["action"]
    if "web_search_call.action.sources" in turn.given.include:
        urls = [{"type": "url", "url": address(source, turn.base)} for source in shown["sources"]]
        action = action | {"sources": urls}
    return search | {"status": "completed", "action": action}


def _annotations(piece: Piece) -> list[dict[str, Any]]:
    return [
        {"type": "url_citation", "start_index": c.start, "end_index": c.end, "title": c.title, "url": c.url}
        for c in piece.cited
    ]


def _head(given: ResponseRequest) -> dict[str, Any]:
    """A response before anything has come of it."""
    return {
        "id": new_id("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": given.metadata or {},
        "model": MODEL,
        "output": [],
        "parallel_tool_calls": False,
        "previous_response_id": given.previous_response_id,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": False,
        "temperature": 0.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [msgspec.to_builtins(tool) for tool in given.tools if "search" in tool.type],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


routes = [Route("/v1/responses", create, methods=["POST"])]
