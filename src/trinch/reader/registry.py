"""Which reader answers use: the built-in one, or one that another package adds and TRINCH_READER names.

A package adds one through the entry point group `trinch.readers`, which loads a function without arguments that makes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Protocol

from trinch.errors import TrinchError
from trinch.reader.model import Reading, load
from trinch.reader.pairs import Passage, Query

VARIABLE = "TRINCH_READER"
BUILT_IN = "built-in"


class AnyReader(Protocol):
    """What answers ask of a reader; `trinch.reader.Reader` says what each method returns. Threads share one."""

    def knows(self, word: str) -> bool: ...
    def akin(self, words: Sequence[str], least: float, most: int) -> list[list[str]]: ...
    def read(self, query: Query, passages: Sequence[Passage]) -> list[Reading]: ...
    def judge(self, query: Query, passages: Sequence[Passage]) -> tuple[list[Reading], float]: ...


class ReaderError(TrinchError, ValueError):
    """The setting names a reader that is not installed."""


def reader() -> AnyReader:
    """The reader that is set. Raises ReaderError."""
    return _made(os.environ.get(VARIABLE, ""))


def require_reader() -> None:
    """Raise ReaderError where the reader that is set is not installed, without loading it."""
    _maker(os.environ.get(VARIABLE, ""))


@cache
def _made(name: str) -> AnyReader:
    return _maker(name)()


def _maker(name: str) -> Callable[[], AnyReader]:
    if name in ("", BUILT_IN):
        return load
    points = {point.name: point for point in entry_points(group="trinch.readers")}
    if name not in points:
        raise ReaderError(
            f"{VARIABLE}: no such reader: {name!r}; there are {', '.join([BUILT_IN, *sorted(points)])}"
        )
    make: Callable[[], AnyReader] = points[name].load()
    return make
