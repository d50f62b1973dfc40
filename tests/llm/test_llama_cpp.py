"""A GGUF model in process: what is done with all that the engine may hand over. The engine is a stand-in."""

import json
import sys
import threading
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from trinch.llm.interface import LLMError, Message, Setting
from trinch.llm.llama_cpp import LlamaCpp

Handle = Callable[[dict[str, Any], Callable[[Any], bool]], None]
ASK = [Message("user", "Hello")]


def delta(text: str, finish: str | None = None) -> str:
    return json.dumps({"choices": [{"delta": {"content": text}, "finish_reason": finish}]})


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LlamaCpp]:
    """Opens a model whose engine does as a function says."""

    def opened(handle: Handle, seconds: float = 5.0) -> LlamaCpp:
        module = ModuleType("xllamacpp")

        class Parameters:
            def __init__(self) -> None:
                self.model, self.cpuparams = SimpleNamespace(), SimpleNamespace()
                self.cpuparams_batch = SimpleNamespace()

        class Server:
            def __init__(self, parameters: Parameters) -> None:
                if parameters.model.path == "broken.gguf":
                    raise RuntimeError("bad magic")

            def handle_chat_completions(self, body: str, chunk: Callable[[Any], bool]) -> None:
                handle(json.loads(body), chunk)

        module.CommonParams, module.Server = Parameters, Server  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "xllamacpp", module)
        return LlamaCpp(Setting("small.gguf", seconds=seconds))

    return opened


def code_of(model: LlamaCpp, **more: Any) -> str:
    with pytest.raises(LLMError) as raised:
        list(model.complete(ASK, max_tokens=10, **more))
    return raised.value.code


def test_pieces_and_tokens_are_passed_on(engine: Callable[..., LlamaCpp]) -> None:
    counted: list[tuple[int, int]] = []

    def handle(body: dict[str, Any], chunk: Callable[[Any], bool]) -> None:
        assert body["messages"] == [{"role": "user", "content": "Hello"}]
        assert body["max_tokens"] == 10
        for found in (
            delta("Good "),
            delta("day"),
            delta("", "stop"),
            json.dumps({"usage": {"prompt_tokens": 7, "completion_tokens": 2}}),
        ):
            assert not chunk(found)

    model = engine(handle)
    assert model.name == "small"
    pieces = list(
        model.complete(ASK, max_tokens=10, report=lambda read, wrote: counted.append((read, wrote)))
    )
    assert pieces == ["Good ", "day"]
    assert counted == [(7, 2)]


def test_whatever_goes_wrong_is_an_error_of_the_model(
    engine: Callable[..., LlamaCpp], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: dict[str, Any], __: Callable[[Any], bool]) -> None:
        raise RuntimeError("out of memory")

    full = json.dumps({"error": {"type": "exceed_context_size_error", "message": "too many tokens"}})
    assert code_of(engine(fails)) == "server"
    assert code_of(engine(lambda _, chunk: chunk(delta("cut", "length")) and None)) == "truncated"
    assert code_of(engine(lambda _, chunk: chunk(full) and None)) == "too_long"
    with pytest.raises(LLMError, match=r"cannot load broken\.gguf: bad magic"):
        LlamaCpp(Setting("broken.gguf"))
    monkeypatch.setenv("TRINCH_LLM_THREADS", "many")
    with pytest.raises(LLMError, match="TRINCH_LLM_THREADS is 'many'"):
        engine(fails)


def test_a_silent_engine_times_out_and_the_next_waits_its_turn(engine: Callable[..., LlamaCpp]) -> None:
    go_on = threading.Event()
    model = engine(lambda _, __: go_on.wait(10) and None, seconds=0.2)
    assert code_of(model) == "timeout"
    assert code_of(model) == "timeout"  # the engine is at work still: its turn is not given away
    go_on.set()


def test_who_stops_reading_stops_the_engine(engine: Callable[..., LlamaCpp]) -> None:
    ended = threading.Event()

    def endless(_: dict[str, Any], chunk: Callable[[Any], bool]) -> None:
        while not chunk(delta("word ")):
            pass
        ended.set()

    pieces = engine(endless).complete(ASK, max_tokens=10)
    assert next(pieces) == "word "
    pieces.close()  # type: ignore[attr-defined]  # a generator
    assert ended.wait(5)
