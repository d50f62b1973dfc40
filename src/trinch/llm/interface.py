"""Interface of a language model: messages in, text out, streamed; its setting and its errors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from trinch.errors import TrinchError

Role = Literal["system", "user", "assistant", "tool"]
ErrorCode = Literal[
    "address", "refused", "unreachable", "timeout", "server", "malformed", "truncated", "too_long", "no_tools"
]


class ToolCall(msgspec.Struct, frozen=True):
    """A call of a tool that a model asks for."""

    id: str
    name: str
    arguments: str
    """A JSON object as the model wrote it, which may be none."""


class Message(msgspec.Struct, frozen=True):
    """One turn of a conversation."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    """Calls in a turn of the assistant."""
    tool_call_id: str = ""
    """Which of these calls a turn of the role `tool` is the result of."""


class Tools(NamedTuple):
    """The tools that a model may call in a completion."""

    definitions: Sequence[Mapping[str, Any]]
    """In the form of Chat Completions: `{"type": "function", "function": {name, description, parameters}}`."""
    called: Callable[[ToolCall], None]
    """Gets each call once the completion has ended well."""
    choice: Any = "auto"
    """`tool_choice` of Chat Completions."""
    required: bool = False
    """Raise LLMError (`no_tools`) where the model takes none; else it is asked without them."""
    options: Mapping[str, Any] = MappingProxyType({})
    """Further fields of the request, such as `parallel_tool_calls`."""


KEY = "TRINCH_LLM_KEY"
"""Environment variable of the key of the model that no name was given, sent to its server as a bearer token."""


class Setting(msgspec.Struct, frozen=True):
    """Which model to use: plain values, so that it can be handed to another process and opened there."""

    where: str
    """Address of a server (`http://…`, `https://…`), a GGUF file, or the folder of a Grok."""
    name: str = ""
    """The model's name at that server; empty for the only one it has."""
    seconds: float = 60.0
    """Longest time for one answer, everything included."""
    tokens: int = 1500
    """Most tokens that it may write for one answer."""
    posts: int = 50
    """Most posts that it reads for one answer."""
    searches: int = 3
    """Most searches of its own that it may make for one answer, where its server takes tools; 0 is none."""
    key_variable: str = KEY
    """Environment variable of the key for that server."""


class NamedModel(msgspec.Struct, frozen=True):
    """One of several models of a server."""

    setting: Setting
    tokens_per_day: int = 0
    """Most tokens that it writes for a key in a day; 0 is no limit of its own."""


NO_MODELS: Mapping[str, NamedModel] = MappingProxyType({})

Report = Callable[[int, int], None]
"""Called with the tokens read and written, once, by a model that counts them."""


class LLMError(TrinchError):
    """A model that gave nothing usable. The text is for people and never holds a key; `code` is for machines."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(code, message)  # both, so that it can be pickled
        self.code: ErrorCode = code

    def __str__(self) -> str:
        return str(self.args[1])


def refuse_tools(name: str, tools: Tools | None) -> None:
    """For a model that takes none: raise LLMError where they are required."""
    if tools and tools.required:
        raise LLMError("no_tools", f"{name} takes no tools")


class LanguageModel(Protocol):
    """Something that continues a conversation."""

    @property
    def name(self) -> str:
        """What it is called. May raise LLMError, where a server has to be asked."""
        ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
        schema: Mapping[str, Any] | None = None,
        report: Report | None = None,
        tools: Tools | None = None,
        seconds: float | None = None,
    ) -> Iterator[str]:
        """The next turn of the assistant, in pieces as they come; bounded in size and time.

        `schema` is the JSON schema of the text wanted: a hint, which a model that cannot be held to one ignores, and
        that is not used beside `tools`. `seconds` bounds the time further than the model's setting does.

        Raises LLMError, also after some pieces: also where the text was cut off at `max_tokens` (`truncated`).
        """
        ...
