"""A table of word vectors in which words of six languages that mean the same lie close together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

CHUNK = 8192
"""Rows of the table that are turned into floats at a time."""


class WordTable:
    """Vectors of folded words (`posts.text.fold`), stored in int8.

    `vectors` is [words, dimensions]; only directions count. `weights` [words], 0 to 255, says how much a word counts in
    the mean of a text: a / (a + frequency) with a = 0.001 (Arora, Liang and Ma 2017).
    """

    def __init__(self, words: Sequence[str], vectors: NDArray[np.int8], weights: NDArray[np.uint8]) -> None:
        self._words = tuple(words)
        self._row = {word: row for row, word in enumerate(words)}
        self._vectors, self._weights = vectors, weights
        self._lengths = np.sqrt(np.square(vectors, dtype=np.int32).sum(axis=1, dtype=np.float32))

    def __len__(self) -> int:
        return len(self._row)

    def __contains__(self, word: object) -> bool:
        return word in self._row

    def rows(self, words: Sequence[str]) -> Rows:
        """The row of each word; -1 for a word that is not in the table."""
        return np.array([self._row.get(word, -1) for word in words], dtype=np.intp)

    def vectors(self, rows: Rows) -> Floats:
        """Unit vectors [n, dimensions]; zeros for row -1."""
        found = self._vectors[rows].astype(np.float32)
        found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-6)
        found[rows < 0] = 0.0
        return found

    def nearest(self, words: Sequence[str], least: float, most: int) -> list[list[str]]:
        """For each word up to `most` other words of the table with a cosine of at least `least`, nearest first; none
        for a word that is not in the table."""
        rows = self.rows(words)
        sought = self.vectors(rows)
        cosine = np.empty((len(rows), len(self)), np.float32)
        for start in range(0, len(self), CHUNK):
            part = slice(start, start + CHUNK)
            cosine[:, part] = sought @ self._vectors[part].astype(np.float32).T / self._lengths[part]
        found = []
        for row, values in zip(rows, cosine, strict=True):
            close = np.flatnonzero(values >= least) if row >= 0 else np.zeros(0, np.intp)
            ordered = close[np.argsort(-values[close], kind="stable")]
            found.append([self._words[n] for n in ordered if n != row][:most])
        return found

    def weights(self, rows: Rows) -> Floats:
        """The weight of each word in a mean, 0 to 1; 0 for row -1."""
        found = self._weights[rows].astype(np.float32) / 255.0
        found[rows < 0] = 0.0
        return found


def save(path: Path, words: Sequence[str], vectors: NDArray[np.int8], weights: NDArray[np.uint8]) -> None:
    """Write a table as one compressed file."""
    text = np.frombuffer("\n".join(words).encode(), np.uint8)
    np.savez_compressed(path, words=text, vectors=vectors, weights=weights)


def load_table(path: Path) -> WordTable:
    """Read a table written by `save`."""
    with np.load(path, allow_pickle=False) as held:
        words = held["words"].tobytes().decode().split("\n")
        return WordTable(words, held["vectors"], held["weights"])
