"""Client for servers that speak OpenAI's Chat Completions (llama.cpp's llama-server, vLLM, SGLang, Ollama).

The streamed answer is bounded in size and time, whatever the server sends. The key comes from the environment, goes to
the named address only (redirects are not followed), and is in no message of ours. Needs the extra `trinch[llm]`
(httpx).

https://platform.openai.com/docs/api-reference/chat describes the wire format.
"""

import asyncio
import ipaddress
import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, asynccontextmanager
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from trinch.llm.interface import KEY, LLMError, Message, Report, Setting, Tools
from trinch.llm.tool_calls import CallAssembler, CallPart, wire_message

MAX_BYTES = 4_000_000
"""Longest answer, in bytes on the wire: a chunk of a few letters comes in 200 to 400 bytes."""
MAX_LINE = 262_144
CHARS_PER_TOKEN = 40
"""A server that sends more text than this for each token it was allowed does not honour `max_tokens`."""

Result = TypeVar("Result")

_OPTIONAL = (
    "tool_choice",
    "parallel_tool_calls",
    "tools",
    "response_format",
    "stream_options",
    "max_tokens",
    "temperature",
)
"""Parts of a request that a server may refuse, in the order in which they are given up."""


class _BadRequest(Exception):
    """The server refused the request itself (status 400 or 422)."""


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[CallPart] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Chunk(msgspec.Struct):
    """A chunk of a stream, or a whole completion; or an error, which some servers send inside a stream."""

    choices: list[_Choice] = []
    error: Any = None
    usage: _Usage | None = None


class _Named(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Named]


class OpenAI:
    """One model at one address."""

    def __init__(self, setting: Setting) -> None:
        """Raises LLMError for an address that cannot be one. Does not connect yet."""
        self._base, self._local = base_url(setting.where)
        self._given, self._seconds = setting.name, setting.seconds
        self._key_variable = setting.key_variable
        self._refused: set[str] = set()
        """Optional parts of a request (`_OPTIONAL`) that this server has refused."""

    @cached_property
    def name(self) -> str:
        """The name given, or that of the only model there."""
        return self._given or self._run(self._only_model())

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
        """As `LanguageModel.complete`. Not from inside a running event loop.

        A server that refuses tools, the schema, the count of tokens or a parameter that newer models no longer take is
        asked again without it.
        """
        deadline = time.monotonic() + min(self._seconds, seconds or self._seconds)
        body: dict[str, Any] = {
            "model": self.name,
            "messages": [wire_message(message) for message in messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if stop:
            body["stop"] = list(stop)
        if schema:
            wanted = {"name": "answer", "schema": dict(schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": wanted}
        if tools and tools.definitions:
            body |= {**tools.options, "tools": list(tools.definitions)}
            if tools.choice != "auto":
                body["tool_choice"] = tools.choice
        refused, reason = set(self._refused), "it refused them before"
        while True:
            if tools and tools.required and "tools" in body and "tools" in refused:
                raise LLMError(
                    "no_tools", f"{self.name} at {self._base} does not take these tools ({reason})"
                )
            try:
                yield from self._completed(_accepted(body, refused), max_tokens, deadline, report, tools)
                # Only what was the cause is remembered: another request must not lose what one bad request had to.
                self._refused |= refused
                return
            except _BadRequest as refusal:
                reason = str(refusal)
                if not (part := _to_leave_out(body, refused, reason)):
                    raise LLMError("refused", reason) from None
                refused.add(part)

    def _completed(
        self,
        body: dict[str, Any],
        max_tokens: int,
        deadline: float,
        report: Report | None,
        tools: Tools | None,
    ) -> Iterator[str]:
        # Waiting is asynchronous, so that the deadline holds against a server that drips a byte a second.
        with asyncio.Runner() as runner:
            pieces = self._pieces(body, max_tokens, report, tools)
            try:
                while (piece := runner.run(self._bounded(anext(pieces, None), deadline))) is not None:
                    yield piece
            finally:
                runner.run(pieces.aclose())

    def _run(self, work: Awaitable[Result]) -> Result:
        return asyncio.run(self._bounded(work, time.monotonic() + self._seconds))

    async def _bounded(self, work: Awaitable[Result], deadline: float) -> Result:
        """The work's result by the deadline, with every failure on the way raised as LLMError."""
        try:
            return await asyncio.wait_for(work, max(deadline - time.monotonic(), 0.001))
        except (TimeoutError, httpx.TimeoutException):
            raise LLMError(
                "timeout",
                f"{self._base} did not finish within {self._seconds:g} s; is the model too large for it?",
            ) from None
        except httpx.ConnectError as error:
            raise LLMError(
                "unreachable", f"nothing answers at {self._base} ({error}); is the server running?"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:  # the last: no name of a host
            what = str(error) or type(error).__name__
            raise LLMError("malformed", f"{self._base} broke off or does not speak HTTP ({what})") from None

    @asynccontextmanager
    async def _opened(self, method: str, path: str, body: Any = None) -> AsyncIterator[httpx.Response]:
        """The server's answer to one request, not read yet. Raises LLMError unless it is 200."""
        headers = {"Accept-Encoding": "identity"}  # no decompression bombs
        if key := os.environ.get(self._key_variable, "").strip():
            if not key.isascii() or not key.isprintable():
                raise LLMError("refused", f"{self._key_variable} holds characters that no key has")
            headers["Authorization"] = f"Bearer {key}"
        async with (
            self._client() as client,
            client.stream(method, self._base + path, json=body, headers=headers) as response,
        ):
            if response.headers.get("content-encoding", "identity") != "identity":
                raise LLMError("malformed", f"{self._base} sent compressed data that nobody asked for")
            if response.status_code != 200:
                raise await self._refusal(response, key)
            yield response

    def _client(self) -> httpx.AsyncClient:
        """A client. Proxies and certificates of the environment are used for other hosts, not for this machine."""
        try:
            return httpx.AsyncClient(timeout=self._seconds, trust_env=not self._local)
        except (ValueError, ImportError, OSError) as error:
            raise LLMError("unreachable", f"the proxy or certificates of the environment: {error}") from None

    async def _refusal(self, response: httpx.Response, key: str) -> LLMError | _BadRequest:
        """What a status other than 200 means, with the beginning of what the server says."""
        status, start = response.status_code, b""
        async for part in response.aiter_raw():
            start += part
            if len(start) > 2000:
                break
        said = _safe(start.decode("utf-8", "replace"), key)
        said = f": {said}" if said else ""
        if status in (401, 403):
            have = (
                f"the key in {self._key_variable} is refused"
                if key
                else f"a key is needed: set {self._key_variable}"
            )
            return LLMError("refused", f"{self._base}: {have}{said}")
        if status == 404 or status in range(300, 400):
            return LLMError(
                "address",
                f"{self._base} has no such model or is not the API's address (it often ends in /v1){said}",
            )
        if status in (400, 422) or (status in (500, 501) and "tools" in said):  # llama-server without --jinja
            return _BadRequest(f"{self._base} refused the request (status {status}){said}")
        if status in range(400, 500) and status != 429:
            return LLMError("refused", f"{self._base} refused the request (status {status}){said}")
        return LLMError("server", f"{self._base} failed (status {status}){said}")

    async def _only_model(self) -> str:
        """The name of the only model at the server."""
        raw = b""
        async with self._opened("GET", "/models") as response:
            async for part in response.aiter_raw():
                raw += part
                if len(raw) > MAX_LINE:
                    raise LLMError("malformed", f"the list of models at {self._base} does not end")
        try:
            names = [model.id for model in msgspec.json.decode(raw, type=_Models).data]
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise LLMError("malformed", f"{self._base}/models is not a list of models") from None
        if len(names) != 1:
            some = _safe(", ".join(name[:60] for name in names[:10]), "") or "none"
            raise LLMError("address", f"which model? give its name; {self._base} has {some}")
        return names[0]

    async def _pieces(
        self, body: Any, max_tokens: int, report: Report | None, tools: Tools | None
    ) -> AsyncGenerator[str, None]:
        """The pieces of text of one completion; its calls of tools are handed over at its end."""
        most = max_tokens * CHARS_PER_TOKEN
        finish, length, calls = "", 0, CallAssembler()
        async with (
            self._opened("POST", "/chat/completions", body) as response,
            aclosing(_events(response)) as events,
        ):
            async for event in events:
                if event == b"[DONE]":
                    finish = finish or "stop"  # some servers give no reason
                    break
                chunk = self._chunk(event)
                if chunk.usage and report:
                    report(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                for choice in chunk.choices[:1]:
                    delta = choice.delta or choice.message or _Delta()
                    said = delta.content or ""
                    finish = choice.finish_reason or finish
                    length += len(said) + calls.add(delta.tool_calls or [])
                    if length > most:
                        raise LLMError("too_long", f"{self._base} goes on beyond the tokens it was allowed")
                    if said:
                        yield said
        if finish == "length":
            raise LLMError("truncated", f"the text of {self._base} was cut off at {max_tokens} tokens")
        if not finish:
            raise LLMError("truncated", f"{self._base} broke off in the middle")
        if "tools" in body:
            calls.hand_over(tools)

    def _chunk(self, event: bytes) -> _Chunk:
        """One chunk of an answer. Raises LLMError for what is none, and for an error that a server sends inside."""
        try:
            chunk = msgspec.json.decode(event, type=_Chunk)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise LLMError("malformed", f"{self._base} sent what is no chunk of an answer") from None
        if chunk.error:
            said = _safe(
                msgspec.json.encode(chunk.error).decode(), os.environ.get(self._key_variable, "").strip()
            )
            raise LLMError("server", f"{self._base}: {said}")
        return chunk


async def _events(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The data of each server-sent event; a plain JSON body is one event. Bounded."""
    whole = "text/event-stream" not in response.headers.get("content-type", "")
    total, rest = 0, b""
    async for part in response.aiter_raw():
        total += len(part)
        lines = [rest + part] if whole else (rest + part).split(b"\n")
        rest = lines.pop()
        if total > MAX_BYTES or len(rest) > MAX_LINE:
            raise LLMError("too_long", f"{response.url.host} sends an answer without an end")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()
    if whole:
        yield rest
    elif rest.startswith(b"data:"):
        yield rest[5:].strip()


def base_url(address: str) -> tuple[str, bool]:
    """The API's address without a slash at its end (`/v1` where no path was given), and whether it is this machine.

    Raises LLMError for what is no such address, also for one that holds a password or key: it would be shown.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or not address.isprintable() or " " in address:
        raise LLMError("address", "not the address of a model: write http://127.0.0.1:8080/v1 or https://…")
    if parts.username is not None or parts.query or parts.fragment:
        raise LLMError("address", f"the address may hold no password, ? or #; a key belongs into {KEY}")
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}", local


def _safe(text: str, key: str) -> str:
    """The beginning of a server's text, fit for a message: on one line, without control characters, and without the
    key should it echo it."""
    shown = (text.replace(key, "…") if key else text)[:1000]
    return " ".join("".join(c if c.isprintable() else " " for c in shown).split())[:200]


def _accepted(body: Mapping[str, Any], refused: AbstractSet[str]) -> dict[str, Any]:
    """A request without what the server has refused, and without a schema beside tools: few servers take both."""
    sent = {name: value for name, value in body.items() if name not in refused}
    if "max_tokens" in refused:
        sent["max_completion_tokens"] = body["max_tokens"]
    for name in ("tool_choice", "parallel_tool_calls") if "tools" not in sent else ("response_format",):
        sent.pop(name, None)
    return sent


def _to_leave_out(body: Mapping[str, Any], refused: AbstractSet[str], refusal: str) -> str:
    """What to leave out of a refused request: what the refusal names, else the next optional part; empty for nothing."""
    left = [name for name in _OPTIONAL if name in body and name not in refused]
    named = [name for name in left if re.search(rf"\b{name}\b", refusal)]
    return (named or left or [""])[0]
