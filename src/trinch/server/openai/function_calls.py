"""Functions that a chat client offers: passed to the language model, and its calls passed back, in either API."""

from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from trinch.llm.interface import Message as Turn
from trinch.llm.interface import Role, ToolCall
from trinch.server import answering
from trinch.server.app_state import AppState
from trinch.server.http.errors import Problem
from trinch.server.openai.messages import Conversation, Message, text_of
from trinch.server.openai.search_filters import Tool
from trinch.service.client_tools import ToolRequest, ToolTurn, results, take_turn

MOST_CHARACTERS = 400_000
"""Of a conversation with functions, their descriptions included."""


def tool_request(given: Conversation, turns: list[Turn]) -> ToolRequest | None:
    """What the language model is to be asked about the client's functions; None where it may not call any and no result
    waits to be read. Raises Problem for a call that cannot be forced, and for a conversation that is too long."""
    choice = _choice(given)
    tools = tuple(_definition(tool) for tool in given.tools if tool.type == "function" and choice != "none")
    forced = choice == "required" or isinstance(choice, dict)
    waiting = bool(results(tuple(turns)))
    if not (tools or forced or waiting):
        return None
    if len(msgspec.json.encode((turns, tools))) > MOST_CHARACTERS:
        raise Problem(
            400, f"the conversation and its functions are longer than {MOST_CHARACTERS:,} characters",
            code="context_length_exceeded",
        )  # fmt: skip
    names = {tool["function"].get("name") for tool in tools}
    if forced and not (choice["function"].get("name") in names if isinstance(choice, dict) else tools):
        raise Problem(
            400,
            "tool_choice forces a call of a function that is not offered",
            param="tool_choice",
            code="invalid_value",
        )
    parallel = {} if given.parallel_tool_calls is None else {"parallel_tool_calls": given.parallel_tool_calls}
    return ToolRequest(tuple(turns), tools, choice if tools else "auto", parallel, forced or waiting)


def _choice(given: Conversation) -> Any:
    """`tool_choice` in the form of Chat Completions. A forced search is what an answer does anyway."""
    choice = given.tool_choice
    if isinstance(choice, dict):
        if choice.get("type") in ("custom", "mcp"):
            raise Problem(
                400, "only functions can be called", param="tool_choice", code="unsupported_parameter"
            )
        if choice.get("type") == "function":
            return {"type": "function", "function": choice.get("function") or {"name": choice.get("name")}}
        if choice.get("type") == "allowed_tools":
            raise Problem(
                400, "offer only the functions that may be called, instead of allowed_tools",
                param="tool_choice", code="unsupported_parameter",
            )  # fmt: skip
        return "auto"
    if choice == "required" and any("search" in tool.type for tool in given.tools):
        return "auto"
    return choice if choice in ("none", "required") else "auto"


def _definition(tool: Tool) -> dict[str, Any]:
    """A function in the form of Chat Completions; Responses writes it flat."""
    flat = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
    function = tool.function or {name: value for name, value in flat.items() if value is not None}
    return {"type": "function", "function": function}


def transcript(messages: list[Message]) -> list[Turn]:
    """The conversation as the client sent it: in Responses, items of calls become turns of the assistant."""
    turns: list[Turn] = []
    for message in messages:
        if message.type == "function_call":
            call = ToolCall(message.call_id, message.name, message.arguments)
            before = turns.pop().tool_calls if turns and turns[-1].tool_calls else ()
            turns.append(Turn("assistant", "", (*before, call)))
        elif message.type == "function_call_output":
            turns.append(Turn("tool", text_of(message.output), tool_call_id=message.call_id))
        elif message.role == "developer":
            turns.append(Turn("system", text_of(message.content)))
        elif message.role in get_args(Role):
            calls = tuple(ToolCall(c.id, c.function.name, c.function.arguments) for c in message.tool_calls)
            turns.append(Turn(message.role, text_of(message.content), calls, message.tool_call_id))  # type: ignore[arg-type]  # one of the roles
    return turns


async def taken(state: AppState, asked: ToolRequest | None, key: str | None, model: str) -> ToolTurn:
    """What the model makes of the client's functions; nothing where there is no model that takes them, unless the client
    cannot do without: then raises Problem."""
    if asked is None:
        return ToolTurn()
    setting = answering.model_for(state, key, model)
    if setting is None:
        if not asked.required:
            return ToolTurn()
        if state.language_model is None and not state.named_models:
            raise _unsupported(
                "functions are called by a language model, and this server has none (serve --model)", asked
            )
        raise Problem(429, "the language model's tokens of this day are used up", code="insufficient_quota")
    if not all(isinstance(name := tool["function"].get("name"), str) and name for tool in asked.tools):
        raise Problem(400, "a function needs a name", param="tools", code="invalid_value")
    turn = await state.answer_pool.run(take_turn, asked, setting)
    state.model_use.add_tokens(key, turn.tokens, answering.model_name(state, model))
    if turn.error and asked.required:
        if turn.error == "no_tools":
            raise _unsupported("the language model of this server does not take these functions", asked)
        raise Problem(502, f"the language model failed ({turn.error})", code="model_failed")
    return turn


def _unsupported(why: str, asked: ToolRequest) -> Problem:
    param = "tools" if asked.choice == "auto" else "tool_choice"
    return Problem(400, why, param=param, code="unsupported_parameter")


def call_items(calls: tuple[ToolCall, ...], own: str) -> list[dict[str, Any]]:
    """The calls as output items of a response with the id `own`."""
    return [
        {
            "type": "function_call",
            "id": f"fc_{own}{n}",
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
        for n, call in enumerate(calls)
    ]


def call_events(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events of a response that calls functions, between its beginning and its end."""
    for n, item in enumerate(items):
        place = {"output_index": n, "item_id": item["id"]}
        begun = item | {"arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": n, "item": begun}
        yield {"type": "response.function_call_arguments.delta", **place, "delta": item["arguments"]}
        done = {"type": "response.function_call_arguments.done", **place, "name": item["name"]}
        yield done | {"arguments": item["arguments"]}
        yield {"type": "response.output_item.done", "output_index": n, "item": item}
