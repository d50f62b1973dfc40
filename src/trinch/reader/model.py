"""The reader: how likely is it that a passage answers a request, and with which words?"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trinch.reader.pair import Pair, encode_pair
from trinch.reader.pieces import Pieces

WEIGHTS = Path(__file__).parent / "weights"
MODEL, PIECES, SETTINGS = "reader.onnx", "pieces.model", "reader.json"
SPAN_PIECES = 24  # an answer is hardly ever longer

Logits = NDArray[np.float32]


class Reading(NamedTuple):
    """One passage read for one request.

    `answers` is a probability, calibrated on events that the training has not seen. `start` and `end` are the character
    offsets of the words most likely to be the answer; they mean something only where `answers` is high.
    """

    answers: float
    start: int
    end: int


class Reader:
    """A cross-encoder in int8 (see docs/reader.md). One thread; a pair at a time, so that a reading depends on nothing else.

    `threshold` is the probability from which a passage counts as an answer, calibrated with the weights.
    """

    def __init__(self, folder: Path = WEIGHTS, threads: int = 1) -> None:
        import onnxruntime

        settings = json.loads((folder / SETTINGS).read_text())
        self.threshold = float(settings["threshold"])
        self._scale, self._shift = float(settings["scale"]), float(settings["shift"])
        self._pieces = Pieces((folder / PIECES).read_bytes())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            str(folder / MODEL), options, providers=["CPUExecutionProvider"]
        )

    def score(self, request: str, passages: Sequence[str]) -> list[Reading]:
        """Read each passage for the request. An empty request or passage answers nothing."""
        return [self._read(request, passage) for passage in passages]

    def _read(self, request: str, passage: str) -> Reading:
        pair = encode_pair(self._pieces, request, passage)
        if not pair.begins or pair.segments.count(0) == 2:  # the two marks alone: nothing was asked
            return Reading(0.0, 0, 0)
        inputs = {"ids": np.array([pair.ids]), "segments": np.array([pair.segments])}
        answers, begins, ends = self._session.run(None, inputs)
        chance = 1.0 / (1.0 + math.exp(-(self._scale * float(answers[0]) + self._shift)))
        return Reading(chance, *_span(pair, passage, begins[0], ends[0]))


def _span(pair: Pair, passage: str, begins: Logits, ends: Logits) -> tuple[int, int]:
    """The best span of at most SPAN_PIECES pieces, in characters, without white space around it."""
    first, count = len(pair.ids) - 1 - len(pair.begins), len(pair.begins)
    total = begins[first : first + count, None] + ends[None, first : first + count]
    reach = np.arange(count)[None, :] - np.arange(count)[:, None]
    total = np.where((reach >= 0) & (reach < SPAN_PIECES), total, -np.inf)
    a, b = divmod(int(total.argmax()), count)
    start, end = pair.begins[a], pair.ends[b]
    text = passage[start:end]
    return start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())


_lock = Lock()
_loaded: list[Reader] = []


def available() -> bool:
    """Whether the weights are here and the extra `reader` (onnxruntime, sentencepiece) is installed."""
    installed = all(find_spec(name) is not None for name in ("onnxruntime", "sentencepiece"))
    return installed and all((WEIGHTS / name).is_file() for name in (MODEL, PIECES, SETTINGS))


def load() -> Reader | None:
    """The reader of this process, loaded at the first call, or None where it is not available."""
    with _lock:
        if not _loaded and available():
            _loaded.append(Reader())
        return _loaded[0] if _loaded else None
