"""Spans of posts in packed token files, and overwriting them.

The table of spans lies beside its token file (`train.bin` has `train.npy`). Overwritten tokens become padding, which
is never a target; all others keep their place, so the order of training does not change.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from trinch.model.tokenizer import EOS, PAD, SPECIAL_TOKENS
from trinch.training.data_selection import post_key
from trinch.training.post_source import PlacedPost
from trinch.training.settings import SettingsError

SPAN = np.dtype([("post", "u8"), ("place", "i8"), ("author", "u8"), ("start", "i8"), ("length", "i4")])
"""`post` and `author` are hashed names (`data_selection.post_key`, `data_selection.account_key`), `place` is the post's in
its source, `start` and `length` count tokens."""
REMOVED = -1
"""`place` of a span that was overwritten."""
PAD_TOKEN = SPECIAL_TOKENS.index(PAD)
"""Overwrites redacted posts; special tokens have the first ids."""
EOS_TOKEN = SPECIAL_TOKENS.index(EOS)
"""Ends each post."""

Spans = npt.NDArray[np.void]
"""Rows of SPAN."""


def token_type(path: Path) -> type[np.unsignedinteger]:
    """How wide the tokens of a file are."""
    return np.uint16 if path.with_suffix(".u16").exists() else np.uint32


def read_spans(path: Path, mode: Literal["r", "r+"] = "r") -> Spans:
    """The table of a token file, mapped from disk. Raises SettingsError where another version wrote it."""
    spans: Spans = np.load(path.with_suffix(".npy"), mmap_mode=mode)
    if spans.dtype != SPAN:
        raise SettingsError(
            f"{path.parent} was prepared by another version: remove it, and the run prepares it anew"
        )
    return spans


def overwrite(path: Path, rows: npt.NDArray[np.int64]) -> None:
    """Put padding over these spans of a token file, on disk when this returns. Killed half way, the rows that
    are not marked as removed are overwritten again at the next start."""
    spans = read_spans(path, "r+")
    tokens = np.memmap(path, token_type(path), "r+")
    for span in spans[rows]:
        tokens[span["start"] : span["start"] + span["length"]] = PAD_TOKEN
    tokens.flush()
    spans["place"][rows] = REMOVED
    spans["post"][rows] = spans["author"][rows] = 0
    spans.flush()  # type: ignore[attr-defined]  # a memmap


def invisible_rows(spans: Spans, visible: Iterable[PlacedPost]) -> npt.NDArray[np.int64]:
    """Rows whose post is not among these visible ones, in the version that was prepared, and not yet removed."""
    keys = np.unique(np.fromiter((post_key(post) for _, post in visible), np.uint64))
    return np.flatnonzero((spans["place"] != REMOVED) & ~np.isin(spans["post"], keys))


class ColumnIndex:
    """Rows of a table by a column's values, without reading the whole column each time."""

    def __init__(self, column: npt.NDArray[np.generic]) -> None:
        self._order = np.argsort(column, kind="stable")
        self._sorted = column[self._order]

    def rows(self, wanted: Iterable[int]) -> npt.NDArray[np.int64]:
        """The rows that hold one of these values."""
        values = np.array(list(wanted), self._sorted.dtype)
        begin = np.searchsorted(self._sorted, values, "left")
        end = np.searchsorted(self._sorted, values, "right")
        parts = [self._order[b:e] for b, e in zip(begin, end, strict=True)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)


class RedactedTokens:
    """Places of redacted tokens, kept in memory by every process of a run, so that all read the same whether or
    not their view of the file is current."""

    def __init__(self) -> None:
        self._starts: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._ends = self._starts

    def add(self, spans: Spans) -> None:
        """Cover these spans too; spans do not overlap."""
        starts = np.concatenate([self._starts, spans["start"]])
        ends = np.concatenate([self._ends, spans["start"] + spans["length"]])
        order = np.argsort(starts)
        self._starts, self._ends = starts[order], ends[order]

    def covers(self, at: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Whether each place is covered."""
        if not self._starts.size:
            return np.zeros(at.shape, bool)
        before = np.searchsorted(self._starts, at, "right") - 1
        return np.asarray((before >= 0) & (at < self._ends[before]))
