"""A Grok in this process behind the interface of `trinch.llm`."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from trinch.llm.interface import LLMError, Message, Report, Tools, refuse_tools
from trinch.model.generate import Sampling, TextStream, generate_tokens
from trinch.model.grok import Grok
from trinch.model.load import load, read_config
from trinch.model.tokenizer import SEPARATOR, Tokenizer, load_tokenizer


class LocalModel:
    """A model and its tokenizer that hold a conversation. One at a time: others wait."""

    def __init__(self, model: Grok, tokenizer: Tokenizer, name: str, seconds: float = 60.0) -> None:
        self._model, self._tokenizer, self._name, self._seconds = model.eval(), tokenizer, name, seconds
        self._turn = threading.Lock()

    @classmethod
    def open(cls, folder: Path, name: str = "", seconds: float = 60.0) -> "LocalModel":
        """The model saved in a folder. Raises LLMError."""
        try:
            tokenizer = load_tokenizer(folder)
            tokenizer.special(SEPARATOR)
            if tokenizer.vocab_size > read_config(folder).vocab_size:
                raise ValueError("the tokenizer has more tokens than the model")
            model = load(folder, dtype=torch.float32)
        except (
            Exception
        ) as error:  # the files of strangers can be wrong in any way, and the libraries raise anything
            raise LLMError("address", f"cannot open the model in {folder}: {error}") from None
        return cls(model, tokenizer, name or "/".join(folder.resolve().parts[-2:]), seconds)

    @property
    def name(self) -> str:
        """The name given, or the end of the folder's path."""
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
        """As `LanguageModel.complete`, without a schema or tools. Raises LLMError `too_long` where the conversation does
        not fit."""
        refuse_tools(self._name, tools)
        deadline = time.monotonic() + min(self._seconds, seconds or self._seconds)
        turns = [{"role": message.role, "content": message.content} for message in messages]
        prompt, _ = self._tokenizer.encode_chat(turns)
        room = self._model.config.max_positions
        max_tokens = min(max_tokens, room - len(prompt))
        if max_tokens < 1:
            raise LLMError(
                "too_long", f"{self._name} sees {room} tokens, fewer than the {len(prompt)} to read"
            )
        sampling = Sampling(
            max_new_tokens=max_tokens,
            temperature=temperature,
            stop_tokens=frozenset({self._tokenizer.special(SEPARATOR)}),
        )
        if not self._turn.acquire(timeout=self._seconds):
            raise LLMError("timeout", f"{self._name} was busy for {self._seconds:g} s")
        text, written = TextStream(self._tokenizer, stop), 0
        try:
            for (token,) in generate_tokens(self._model, [prompt], sampling):
                if token is None:
                    break
                written += 1
                yield text.add(token)
                if text.stopped:
                    return
                if time.monotonic() > deadline:
                    raise LLMError("timeout", f"{self._name} did not finish within {self._seconds:g} s")
            yield text.finish()
        except (RuntimeError, MemoryError) as error:  # torch's: no memory left, weights that do not fit
            raise LLMError("server", f"{self._name} failed: {error}") from None
        finally:
            self._turn.release()
            if report:
                report(len(prompt), written)
        if written >= max_tokens:
            raise LLMError("truncated", f"the text of {self._name} was cut off at {max_tokens} tokens")
