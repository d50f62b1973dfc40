"""The tone of a text: praise, blame or neither, by a small network over the vectors of its words.

Each word passes through one layer; the sums and maxima over the words, apart for those behind a negation, and signs of
form decide. It sees no grammar beyond that and no irony: callers set a threshold and leave the rest undecided.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trinch.posts.text import fold, tokens
from trinch.reader.model import DATA, WORDS
from trinch.reader.words import Floats, WordTable, load_table

TONE = "tone.npz"
LONGEST = 60
"""Words of a text that are read."""
REACH = 3
"""Words behind a negation that it turns."""
_ASIDE = re.compile(r"https?://\S+|@\w+")
_GLAD = re.compile(
    "[\U0001f600-\U0001f60f\U0001f618-\U0001f61c\U0001f642\U0001f44d\U0001f44f\u2764\u2665]|[:;]-?[)D]|<3"
)
_SAD = re.compile("[\U0001f612-\U0001f616\U0001f61e-\U0001f62d\U0001f641\U0001f44e\U0001f494]|:-?[(/](?!/)")


class Marked(NamedTuple):
    """A text as the network reads it."""

    rows: NDArray[np.intp]
    """Rows of its words in the table, -1 for unknown ones."""
    negated: NDArray[np.bool_]
    form: Floats
    """Signs of form: pictures, exclamation, question, negation, length, quotation."""


def mark(table: WordTable, text: str, negating: frozenset[str]) -> Marked:
    """Read one text; `negating` are folded words."""
    bare = _ASIDE.sub(" ", text)
    words = tokens(fold(bare))[:LONGEST] or [""]
    turned = [not negating.isdisjoint(words[max(0, n - REACH) : n]) for n in range(len(words))]
    form = [
        bool(_GLAD.search(bare)),
        bool(_SAD.search(bare)),
        "!" in bare,
        "?" in bare,
        not negating.isdisjoint(words),
        min(len(words), 40) / 40,
        '"' in bare,
    ]
    rows = table.rows([word.lstrip("#@$") for word in words])
    return Marked(rows, np.array(turned), np.array(form, np.float32))


class Tone(NamedTuple):
    """The weights: words [dimensions, hidden], output [4 * hidden + signs of form, 3]."""

    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats
    negating: tuple[str, ...]

    def of(self, texts: Sequence[str], table: WordTable) -> Floats:
        """The probabilities of blame, neither and praise for each text, [texts, 3], rounded."""
        turning = frozenset(self.negating)
        inputs = [self._inputs(mark(table, text, turning), table) for text in texts]
        if not inputs:
            return np.zeros((0, 3), np.float32)
        logits = np.stack(inputs) @ self.output + self.output_bias
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        rounded: Floats = np.round(powers / powers.sum(axis=1, keepdims=True), 4)
        return rounded

    def _inputs(self, marked: Marked, table: WordTable) -> Floats:
        known = marked.rows >= 0
        inner = np.maximum(table.vectors(marked.rows) @ self.hidden + self.hidden_bias, 0.0) * known[:, None]
        plain, turned = inner * ~marked.negated[:, None], inner * marked.negated[:, None]
        size = np.sqrt(max(int(known.sum()), 1))
        parts = [plain.sum(axis=0) / size, inner.max(axis=0), turned.sum(axis=0) / size, turned.max(axis=0)]
        return np.concatenate([*parts, marked.form]).astype(np.float32)


@cache
def load_tone(folder: Path = DATA) -> tuple[Tone, WordTable]:
    """The network of a folder, the package's own by default, with the table of its words; loaded once."""
    with np.load(folder / TONE, allow_pickle=False) as held:
        negating = tuple(held["negating"].tobytes().decode().split())
        hidden, hidden_bias, output, output_bias = (
            held[name].astype(np.float32) for name in Tone._fields[:-1]
        )
    return Tone(hidden, hidden_bias, output, output_bias, negating), load_table(folder / WORDS)


def tones(texts: Sequence[str]) -> Floats:
    """The probabilities of blame, neither and praise for each text, [texts, 3]."""
    tone, table = load_tone()
    return tone.of(texts, table)
