"""OpenAI's Responses API, compatible with unchanged clients, with xAI's `x_search` among the tools.

Of a response only its request is stored, in memory (`response_store.py`): fetched later, it is answered again as of the
same time, so that no deleted post survives in it.
"""

import time
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.llm.interface import Message as Turn
from trinch.llm.interface import ToolCall
from trinch.server.app_state import AppState, state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.server.openai import client_tasks, function_calls
from trinch.server.openai.formats import Format, Wanted, json_pieces, wanted_format
from trinch.server.openai.markdown import Piece, count_words, post_url
from trinch.server.openai.messages import (
    Conversation,
    Message,
    new_id,
    question_of,
    style_of,
    user_messages,
)
from trinch.server.openai.search_filters import Tool
from trinch.server.openai.stream import extras, retrieved_posts, text_pieces, visible_posts
from trinch.service.ask import AskRequest
from trinch.service.conversation import CONTEXT
from trinch.store.query import parse_time


class Text(msgspec.Struct):
    format: Format | None = None


class ResponseRequest(Conversation, kw_only=True):
    """A request. Sampling options are accepted and have no effect: an answer depends on the posts alone."""

    input: str | Annotated[list[Message], msgspec.Meta(min_length=1, max_length=1000)]
    previous_response_id: str | None = None
    store: bool = True
    include: tuple[str, ...] = ()
    text: Text | None = None
    background: bool = False
    conversation: Any = None
    prompt: Any = None
    instructions: Any = None
    metadata: Annotated[
        dict[str, Annotated[str, msgspec.Meta(max_length=512)]], msgspec.Meta(max_length=16)
    ] = msgspec.field(default_factory=dict)


class _Turn(NamedTuple):
    """All that one response is made from; as JSON, what is remembered of it."""

    given: ResponseRequest
    asked: AskRequest
    texts: list[str]
    base: str
    head: dict[str, Any]
    key: str | None
    """Its owner: only this key may continue from it, fetch or delete it."""
    task: str | None = None
    """A reply in place of an answer: to a client's task (`client_tasks.py`), or from the results of its functions."""
    spoken: tuple[Turn, ...] = ()
    """The client's side of the conversation with its functions, calls and their results; empty where it offers none."""
    calls: tuple[ToolCall, ...] = ()
    """Calls of the client's functions, in place of an answer."""


class Retrieve(msgspec.Struct):
    """Parameters of GET /v1/responses/{id}."""

    stream: bool = False


async def create(request: Request) -> Response:
    given = await codec.read_body(request, ResponseRequest)
    _format(given)
    for name, why in _REFUSED.items():
        if getattr(given, name):
            raise Problem(400, why, param=name, code="unsupported_parameter")
    state, key = state_of(request), request.state.key
    messages = [Message("user", content=given.input)] if isinstance(given.input, str) else given.input
    before: list[str] = []
    spoken = function_calls.transcript(messages)
    if given.previous_response_id:
        previous = _decode(state.responses.load(given.previous_response_id, key, "previous_response_id"))
        before = previous.texts
        spoken = [*_whole(previous), *spoken]
    results_only = bool(before) and not any(message.role == "user" for message in messages)
    new = user_messages(given, messages, "input", state.named_models, may_lack_question=results_only)
    texts = (before + new)[-CONTEXT:]
    task = client_tasks.run_task(texts[-1])
    instructions = given.instructions if isinstance(given.instructions, str) else ""
    style = "\n".join(filter(None, (instructions, style_of(messages))))
    asked = AskRequest("", "", "", None) if task else question_of(given, texts, "input", style)
    turn = _Turn(given, asked, texts, codec.base_url(request), _head(given), key, task)
    if not task:
        system = [Turn("system", instructions)] if instructions else []
        tools = function_calls.tool_request(given, [*system, *spoken])
        made = await function_calls.taken(state, tools, key, asked.model)
        turn = turn._replace(task=made.text or None, calls=made.calls)
        if tools is not None:
            turn = turn._replace(spoken=tuple(spoken))
    return await _respond(state, turn, given.stream)


def _whole(turn: _Turn) -> list[Turn]:
    """What was said up to the end of a response, as far as it is stored."""
    said = [*(turn.spoken or [Turn("user", text) for text in turn.texts])]
    if turn.calls or (turn.spoken and turn.task):
        said.append(Turn("assistant", "" if turn.calls else turn.task or "", turn.calls))
    return said


def _format(given: ResponseRequest) -> Wanted:
    return wanted_format(given.text.format if given.text else None, "text.format")


_REFUSED = {
    "background": "background responses are not supported",
    "conversation": "conversations are not stored: continue with previous_response_id",
    "prompt": "stored prompts are not supported: put the question into input",
}

_decode = msgspec.json.Decoder(_Turn).decode


async def retrieve_or_delete(request: Request) -> Response:
    """GET: the response, answered again as of the same time from the posts visible now. DELETE: remove it."""
    state, id, key = state_of(request), request.path_params["id"], request.state.key
    if request.method == "DELETE":
        state.responses.delete(id, key)
        return codec.Json({"id": id, "object": "response", "deleted": True})
    given, turn = (
        codec.read_query(request, Retrieve, allow_unknown=True),
        _decode(state.responses.load(id, key)),
    )
    return await _respond(state, turn._replace(base=codec.base_url(request)), given.stream)


async def _respond(state: AppState, turn: _Turn, stream: bool) -> Response:
    if stream:
        return codec.EventStream(_sse(_events(state, turn)))
    final: dict[str, Any] = {}
    async for event in _events(state, turn):
        final = event
    return codec.Json(final["response"])


async def _sse(events: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    number = 0
    try:
        async for event in events:
            yield codec.sse_event(event | {"sequence_number": number}, event["type"])
            number += 1
    except Problem as problem:
        error = problem.body["error"] | {"type": "error", "sequence_number": number}
        yield codec.sse_event(error, "error")


async def _events(state: AppState, turn: _Turn) -> AsyncIterator[dict[str, Any]]:
    """A response as its events; the last, `response.completed`, holds all of it."""
    yield {"type": "response.created", "response": turn.head}
    yield {"type": "response.in_progress", "response": turn.head}
    if turn.calls:
        for event in _call_events(state, turn):
            yield event
    else:
        async for event in _text_events(state, turn):
            yield event


async def _text_events(state: AppState, turn: _Turn) -> AsyncIterator[dict[str, Any]]:
    """The events of an answer. The text comes claim by claim, each looked up again just before it is sent."""
    head = turn.head
    own = head["id"].removeprefix("resp_")
    search: dict[str, Any] = {
        "type": "web_search_call",
        "id": f"ws_{own}",
        "status": "in_progress",
        "action": {"type": "search", "query": turn.asked.question, "queries": [turn.asked.question]},
    }
    here = {"output_index": 0, "item_id": search["id"]}
    if not turn.task:
        yield {"type": "response.output_item.added", "output_index": 0, "item": search}
        yield {"type": "response.web_search_call.in_progress", **here}
        yield {"type": "response.web_search_call.searching", **here}

    part: dict[str, Any] = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    message: dict[str, Any] = {
        "type": "message",
        "id": f"msg_{own}",
        "status": "in_progress",
        "role": "assistant",
        "content": [],
    }
    last = 0 if turn.task else 1
    place = {"item_id": message["id"], "output_index": last, "content_index": 0}
    shown: dict[str, Any] = {}
    also: list[dict[str, Any]] = []
    begun = False
    async for now, piece in _pieces(state, turn):
        if not begun and not turn.task:
            if turn.given.wants_all or _SOURCES in turn.given.include:
                also = await retrieved_posts(state, turn.asked, now, turn.given.most_sources)
            search = _completed_search(search, now, also, turn)
            yield {"type": "response.web_search_call.completed", **here}
            yield {"type": "response.output_item.done", "output_index": 0, "item": search}
        if not begun:
            yield {"type": "response.output_item.added", "output_index": last, "item": message}
            yield {"type": "response.content_part.added", **place, "part": part}
        shown, begun = now, True
        notes = _annotations(piece)
        for event in _piece_events(piece, notes, place, len(part["annotations"])):
            yield event
        part = part | {"text": part["text"] + piece.text, "annotations": [*part["annotations"], *notes]}
    yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": part}
    message = message | {"status": "completed", "content": [part]}
    yield {"type": "response.output_item.done", "output_index": last, "item": message}

    if not turn.task:
        also = await visible_posts(state, also, shown)
        search = _completed_search(search, shown, also, turn)
    ended = head["completed_at"] or int(time.time())
    done = _done(turn, [message] if turn.task else [search, message], count_words(part["text"]), ended)
    if turn.task:
        _save(state, turn, ended)
        stored = {} if turn.spoken else {"store": False}
        yield {"type": "response.completed", "response": done | stored | {"trinch": None}}
        return
    if turn.given.store and not head["completed_at"]:
        given = msgspec.structs.replace(turn.given, input="", instructions=None)
        asked = turn.asked._replace(as_of=parse_time(shown["as_of"]))
        kept = turn._replace(given=given, asked=asked, head=head | {"completed_at": ended})
        state.responses.save(head["id"], codec.encode(kept), turn.key)
    yield {"type": "response.completed", "response": done | extras(turn.given, shown, also, turn.base)}


def _done(turn: _Turn, output: list[dict[str, Any]], output_words: int, ended: int) -> dict[str, Any]:
    """A response that is complete."""
    input_words = count_words(*turn.texts)
    usage = {
        "input_tokens": input_words,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_words,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_words + output_words,
    }
    return turn.head | {"status": "completed", "completed_at": ended, "output": output, "usage": usage}


def _call_events(state: AppState, turn: _Turn) -> Iterator[dict[str, Any]]:
    """The events of a response that calls the client's functions. It is stored with its calls, which hold nothing of a
    post, and repeats them when it is fetched."""
    items = function_calls.call_items(turn.calls, turn.head["id"].removeprefix("resp_"))
    yield from function_calls.call_events(items)
    ended = turn.head["completed_at"] or int(time.time())
    _save(state, turn, ended)
    words = count_words(*(call.arguments for call in turn.calls))
    yield {"type": "response.completed", "response": _done(turn, items, words, ended) | {"trinch": None}}


def _save(state: AppState, turn: _Turn, ended: int) -> None:
    """Store a response made by the client's functions, if it is wanted and not stored yet."""
    if turn.spoken and turn.given.store and not turn.head["completed_at"]:
        given = msgspec.structs.replace(turn.given, input="", instructions=None)
        kept = turn._replace(given=given, head=turn.head | {"completed_at": ended})
        state.responses.save(turn.head["id"], codec.encode(kept), turn.key)


def _pieces(state: AppState, turn: _Turn) -> AsyncIterator[tuple[dict[str, Any], Piece]]:
    """The text of a response, with the whole answer at each step."""
    if turn.task:
        return _task_reply(turn.task)
    wanted = _format(turn.given)
    if wanted.json:
        return json_pieces(state, turn.asked, turn.base, turn.key, wanted)
    linked = "inline_citations" in turn.given.include
    return text_pieces(state, turn.asked, turn.base, turn.key, linked)


def _piece_events(
    piece: Piece, notes: list[dict[str, Any]], place: dict[str, Any], first_index: int
) -> Iterator[dict[str, Any]]:
    """The events of one piece of the text; none for an empty one."""
    if not piece.text:
        return
    yield {"type": "response.output_text.delta", **place, "delta": piece.text, "logprobs": []}
    for i, note in enumerate(notes, first_index):
        event = {"type": "response.output_text.annotation.added", **place}
        yield event | {"annotation": note, "annotation_index": i}


async def _task_reply(text: str) -> AsyncIterator[tuple[dict[str, Any], Piece]]:
    yield {}, Piece(text, [])


_SOURCES = "web_search_call.action.sources"


def _completed_search(
    search: dict[str, Any], shown: dict[str, Any], also: list[dict[str, Any]], turn: _Turn
) -> dict[str, Any]:
    """The search item when done; with its sources where the client asked for them, the cited ones first."""
    action = search["action"]
    if _SOURCES in turn.given.include:
        cited = {source["key"] for source in shown["sources"]}
        posts = [*shown["sources"], *(post for post in also if post["key"] not in cited)]
        action = action | {"sources": [{"type": "url", "url": post_url(post, turn.base)} for post in posts]}
    return search | {"status": "completed", "action": action}


def _annotations(piece: Piece) -> list[dict[str, Any]]:
    return [
        {"type": "url_citation", "start_index": c.start, "end_index": c.end, "title": c.title, "url": c.url}
        for c in piece.cited
    ]


def _head(given: ResponseRequest) -> dict[str, Any]:
    """A response before its answer."""
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
        "metadata": given.metadata,
        "model": given.model,
        "output": [],
        "parallel_tool_calls": False,
        "previous_response_id": given.previous_response_id,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": given.store,
        "temperature": 0.0,
        "text": {"format": _format_as_given(given)},
        "tool_choice": given.tool_choice or "auto",
        "tools": [_given_options(tool) for tool in given.tools if "search" in tool.type or tool.name],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


def _format_as_given(given: ResponseRequest) -> dict[str, Any]:
    wanted = given.text.format if given.text and given.text.format else Format()
    return {name: v for name, v in msgspec.to_builtins(wanted).items() if v not in (None, "")}


def _given_options(tool: Tool) -> dict[str, Any]:
    """A search tool with only the options that were given; a function."""
    if tool.type == "function":
        optional = {"description": tool.description} if tool.description else {}
        fixed = {"type": "function", "name": tool.name, "parameters": tool.parameters, "strict": tool.strict}
        return fixed | optional
    return {name: value for name, value in msgspec.to_builtins(tool).items() if value not in (None, [])}


routes = [
    Route("/v1/responses", create, methods=["POST"]),
    Route("/v1/responses/{id}", retrieve_or_delete, methods=["GET", "DELETE"]),
]
