"""OpenAI's Chat Completions API, compatible with unchanged clients.

Reads the request's options and builds responses and chunks; docs/api.md lists which options are supported.
"""

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.llm.interface import ToolCall
from trinch.llm.tool_calls import wire_call
from trinch.server.app_state import AppState, state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.server.openai import client_tasks, function_calls
from trinch.server.openai.formats import Format, Wanted, json_pieces, wanted_format
from trinch.server.openai.markdown import Piece, count_words
from trinch.server.openai.messages import (
    Conversation,
    Message,
    models,
    new_id,
    question_of,
    style_of,
    user_messages,
)
from trinch.server.openai.stream import extras, retrieved_posts, text_pieces
from trinch.service.ask import AskRequest

STARTED = int(time.time())


class StreamOptions(msgspec.Struct):
    include_usage: bool = False


class Completion(Conversation, kw_only=True):
    """A request. Sampling options are accepted and have no effect: an answer depends on the posts alone."""

    messages: Annotated[list[Message], msgspec.Meta(min_length=1, max_length=1000)]
    stream_options: StreamOptions | None = None
    n: int | None = None
    response_format: Format | None = None
    modalities: tuple[str, ...] = ()


class _Reply(NamedTuple):
    """A piece of the text with its annotations; the last piece is empty and carries the fields beside the text, and the
    calls of the client's functions."""

    text: str
    notes: list[dict[str, Any]]
    extras: dict[str, Any]
    calls: tuple[ToolCall, ...] = ()


async def completions(request: Request) -> Response:
    given = await codec.read_body(request, Completion)
    if given.n not in (None, 1):
        raise Problem(400, "there is one answer: n must be 1", param="n", code="unsupported_parameter")
    wanted = wanted_format(given.response_format, "response_format")
    if "audio" in given.modalities:
        raise Problem(400, "answers are text", param="modalities", code="unsupported_parameter")
    texts = user_messages(given, given.messages, "messages", state_of(request).named_models)
    input_words, task = count_words(*texts), client_tasks.run_task(texts[-1])
    state, key = state_of(request), request.state.key
    if task:
        replies = _fixed_reply(task)
    else:
        asked = question_of(given, texts, "messages", style_of(given.messages))
        tools = function_calls.tool_request(given, function_calls.transcript(given.messages))
        turn = await function_calls.taken(state, tools, key, asked.model)
        replies = (
            _fixed_reply(turn.text, turn.calls)
            if turn.calls or turn.text
            else _answer(state, given, asked, codec.base_url(request), key, wanted)
        )
    if given.stream:
        return codec.EventStream(_chunks(given, replies, input_words))
    parts = [part async for part in replies]
    text = "".join(part.text for part in parts)
    notes = [note for part in parts for note in part.notes]
    message = {"role": "assistant", "content": text, "refusal": None, "annotations": notes}
    calls = parts[-1].calls
    if calls:
        message |= {"content": None, "tool_calls": [wire_call(call) for call in calls]}
    finish = "tool_calls" if calls else "stop"
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    head = _head(given, new_id("chatcmpl-"), "chat.completion")
    return codec.Json(
        head | {"choices": [choice], "usage": _usage(input_words, text, given)} | parts[-1].extras
    )


async def _answer(
    state: AppState, given: Completion, asked: AskRequest, base: str, key: str | None, wanted: Wanted
) -> AsyncIterator[_Reply]:
    """An answer claim by claim, each looked up again just before it is sent."""
    shown: dict[str, Any] = {}
    pieces = (
        json_pieces(state, asked, base, key, wanted) if wanted.json else text_pieces(state, asked, base, key)
    )
    async for now, piece in pieces:
        shown = now
        if piece.text:
            yield _Reply(piece.text, _annotations(piece), {})
    also = await retrieved_posts(state, asked, shown, given.most_sources) if given.wants_all else []
    yield _Reply("", [], extras(given, shown, also, base))


async def _fixed_reply(text: str, calls: tuple[ToolCall, ...] = ()) -> AsyncIterator[_Reply]:
    """A reply that is no answer from posts."""
    if text:
        yield _Reply(text, [], {})
    yield _Reply("", [], {"trinch": None}, calls)


async def _chunks(
    given: Completion, replies: AsyncIterator[_Reply], input_words: int
) -> AsyncIterator[bytes]:
    """The reply as a stream, a chunk for each piece."""
    head = _head(given, new_id("chatcmpl-"), "chat.completion.chunk")
    counted = given.stream_options is not None and given.stream_options.include_usage

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return codec.sse_event(head | {"choices": [choice]} | ({"usage": None} if counted else {}) | more)

    yield chunk({"role": "assistant", "content": "", "refusal": None})
    try:
        text, count = "", 0
        async for part in replies:
            if part.calls:
                yield chunk({"tool_calls": [{"index": n} | wire_call(c) for n, c in enumerate(part.calls)]})
            if not part.text:
                yield chunk({}, "tool_calls" if part.calls else "stop", **part.extras)
                continue
            # The official client joins lists of deltas by the index of each item.
            notes = [note | {"index": i} for i, note in enumerate(part.notes, count)]
            yield chunk({"content": part.text} | ({"annotations": notes} if notes else {}))
            text, count = text + part.text, count + len(notes)
        if counted:
            yield codec.sse_event(head | {"choices": [], "usage": _usage(input_words, text, given)})
    except Problem as problem:
        yield codec.sse_event(problem.body)
    yield b"data: [DONE]\n\n"


def _head(given: Completion, id: str, kind: str) -> dict[str, Any]:
    return {
        "id": id,
        "object": kind,
        "created": int(time.time()),
        "model": given.model,
        "system_fingerprint": None,
    }


def _annotations(piece: Piece) -> list[dict[str, Any]]:
    return [
        {
            "type": "url_citation",
            "url_citation": {"start_index": c.start, "end_index": c.end, "title": c.title, "url": c.url},
        }
        for c in piece.cited
    ]


def _usage(input_words: int, text: str, given: Completion) -> dict[str, Any]:
    output_words = count_words(text)
    usage: dict[str, Any] = {
        "prompt_tokens": input_words,
        "completion_tokens": output_words,
        "total_tokens": input_words + output_words,
    }
    return usage | ({"num_search_queries": 1} if given.wants_sources else {})


async def list_models(request: Request) -> Response:
    return codec.Json(models(STARTED, state_of(request).named_models))


async def one_model(request: Request) -> Response:
    name, named = request.path_params["model"], state_of(request).named_models
    found = next((model for model in models(STARTED, named)["data"] if model["id"] == name), None)
    if found is None:
        raise Problem(404, f"there is no model {name[:80]!r}", param="model", code="model_not_found")
    return codec.Json(found)


routes = [
    Route("/v1/chat/completions", completions, methods=["POST"]),
    Route("/v1/models", list_models),
    Route("/v1/models/{model}", one_model),
]
