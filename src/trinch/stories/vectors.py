"""The mean of the word vectors of a text (docs/reader.md), in which texts of six languages on one matter lie close."""

from collections.abc import Sequence

import numpy as np

from trinch.posts.text import fold, tokens
from trinch.reader.model import DATA, WORDS
from trinch.reader.words import Floats, load_table


def mean(texts: Sequence[str]) -> Floats:
    """The direction of the weighted mean of the words of some texts [dimensions]; zeros where no word is known."""
    table = load_table(DATA / WORDS)
    rows = table.rows([word for text in texts for word in tokens(fold(text))])
    return _unit((table.vectors(rows) * table.weights(rows)[:, None]).sum(axis=0))


def likeness(texts: Sequence[str]) -> float:
    """The mean cosine between two of some texts; 0 where fewer than two have known words."""
    each = np.array([vector for text in texts if (vector := mean([text])).any()])
    if len(each) < 2:
        return 0.0
    total = float(np.square(each.sum(axis=0)).sum())
    return (total - len(each)) / (len(each) * (len(each) - 1))


def _unit(vector: Floats) -> Floats:
    length = float(np.linalg.norm(vector))
    unit: Floats = vector / length if length else vector
    return unit
