"""Calls of tools in the wire format of Chat Completions: assembled from a stream's pieces, and written into messages."""

from collections.abc import Sequence
from typing import Any

import msgspec

from trinch.llm.interface import Message, ToolCall, Tools

MOST = 32
"""Calls taken from one completion; further ones are left out."""


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None
    """A piece of JSON text; some servers send the object itself."""


class CallPart(msgspec.Struct):
    """A piece of a call, or a whole one."""

    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class CallAssembler:
    """Joins the pieces of calls: those of one index, or where there is none, what follows a new id."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[str, str, str]] = {}

    def add(self, parts: Sequence[CallPart]) -> int:
        """Add pieces, and return how many characters they hold."""
        length = 0
        for part in parts:
            function = part.function or _Function()
            given = function.arguments
            text = given if isinstance(given, str) else "" if given is None else _json(given)
            length += len(text) + len(function.name or "") + 1
            place = self._place(part)
            if place < MOST:
                id, name, arguments = self._calls.get(place, ("", "", ""))
                self._calls[place] = (part.id or id, name or function.name or "", arguments + text)
        return length

    def _place(self, part: CallPart) -> int:
        last = max(self._calls, default=-1)
        if part.index is not None:
            return part.index if 0 <= part.index < MOST else MOST
        return last if last >= 0 and part.id in (None, self._calls[last][0]) else last + 1

    def hand_over(self, tools: Tools | None) -> None:
        """Give the calls to whoever offered the tools."""
        if tools is not None:
            for call in self.calls():
                tools.called(call)

    def calls(self) -> list[ToolCall]:
        """The calls that have a name, in order; one without an id gets one."""
        return [
            ToolCall(id or f"call_{place}", name, arguments or "{}")
            for place, (id, name, arguments) in sorted(self._calls.items())
            if name
        ]


def wire_message(message: Message) -> dict[str, Any]:
    """A message as Chat Completions takes it."""
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [wire_call(call) for call in message.tool_calls]
    return wire


def wire_call(call: ToolCall) -> dict[str, Any]:
    """A call as Chat Completions writes it."""
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
