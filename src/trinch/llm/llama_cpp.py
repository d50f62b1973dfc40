"""A GGUF model in this process, by llama.cpp through the package xllamacpp (`trinch[local]`).

One conversation at a time; others wait their turn. It uses one thread unless TRINCH_LLM_THREADS says otherwise: its
threads wait actively for each other, so that a busy core beside them costs more than a further thread gains.
"""

import json
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from trinch.llm.interface import LLMError, Message, Report, Setting, Tools, refuse_tools

CONTEXT = 8192
"""Tokens that the model sees, prompt and answer together."""
THREADS = "TRINCH_LLM_THREADS"


class LlamaCpp:
    """One model file."""

    def __init__(self, setting: Setting) -> None:
        """Load the model. Raises LLMError for a file that is none, or that does not fit into memory."""
        import xllamacpp

        self._name, self._seconds = setting.name or Path(setting.where).stem, setting.seconds
        self._turn = threading.Lock()
        parameters = xllamacpp.CommonParams()
        parameters.model.path = setting.where
        parameters.n_ctx = CONTEXT
        parameters.n_parallel = 1
        threads = _threads()
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
        try:
            self._server = xllamacpp.Server(parameters)
        except Exception as error:  # whatever llama.cpp raises for a file of a stranger
            raise LLMError("address", f"cannot load {setting.where}: {error}") from None

    @property
    def name(self) -> str:
        """The name given, or that of the file."""
        return self._name

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
        """As `LanguageModel.complete`. A schema is not used: small models write worse under one. It takes no tools."""
        refuse_tools(self._name, tools)
        deadline = time.monotonic() + min(self._seconds, seconds or self._seconds)
        if not self._turn.acquire(timeout=self._seconds):
            raise LLMError("timeout", f"{self._name} was busy for {self._seconds:g} s")
        body = {
            "messages": [{"role": m.role, "content": m.content} for m in messages],
            "max_tokens": max_tokens,
            "temperature": temperature,
            "stop": list(stop),
            "stream": True,
            "cache_prompt": True,
            "stream_options": {"include_usage": True},
        }
        yield from self._streamed(json.dumps(body), max_tokens, deadline, report)

    def _streamed(self, body: str, max_tokens: int, deadline: float, report: Report | None) -> Iterator[str]:
        """The pieces of one completion. Whoever stops reading makes the engine stop at its next token; only then is it
        the turn of the next, since a prompt that is being read cannot be interrupted."""
        chunks: queue.Queue[Any] = queue.Queue()
        stopped = threading.Event()

        def chunk(found: Any) -> bool:
            chunks.put(found)
            return stopped.is_set()

        def work() -> None:
            try:
                self._server.handle_chat_completions(body, chunk)
            except Exception as error:  # as above
                chunks.put(error)
            finally:
                self._turn.release()
                chunks.put(None)

        threading.Thread(target=work, daemon=True).start()
        finish = ""
        try:
            while True:
                try:
                    found = chunks.get(timeout=max(deadline - time.monotonic(), 0.001))
                except queue.Empty:
                    raise LLMError(
                        "timeout", f"{self._name} did not finish within {self._seconds:g} s"
                    ) from None
                if found is None:
                    break
                piece, ended = self._read(found, report)
                finish = ended or finish
                if piece:
                    yield piece
        finally:
            stopped.set()
        if finish == "length":
            raise LLMError("truncated", f"the text of {self._name} was cut off at {max_tokens} tokens")

    def _read(self, found: Any, report: Report | None) -> tuple[str, str]:
        """The text and the reason for the end in what the engine hands over: a chunk as JSON, or an exception."""
        if isinstance(found, Exception):
            raise LLMError("server", f"{self._name} failed: {found}")
        chunk = json.loads(found) if isinstance(found, str | bytes) else found
        if error := chunk.get("error"):
            too_long = error.get("type") == "exceed_context_size_error"
            raise LLMError("too_long" if too_long else "server", f"{self._name}: {error.get('message', '')}")
        if (usage := chunk.get("usage")) and report:
            report(usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0))
        for choice in chunk.get("choices", [])[:1]:
            return (choice.get("delta") or {}).get("content") or "", choice.get("finish_reason") or ""
        return "", ""


def _threads() -> int:
    given = os.environ.get(THREADS, "1")
    if not given.isdecimal() or int(given) == 0:
        raise LLMError("address", f"{THREADS} is {given!r}: write a number of threads, such as 2")
    return int(given)
