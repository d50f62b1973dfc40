"""Training of a tokenizer: byte-level BPE over the training posts, with Hugging Face `tokenizers`.

Text is cut as Grok-2 cuts it (digits one by one). All bytes are tokens, so that any text can be encoded. A special
token spelled out in a post is encoded as text.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer as RawTokenizer
from tokenizers import models, pre_tokenizers, trainers

from trinch.model.tokenizer import EOS, PAD, SEPARATOR, SPECIAL_TOKENS, Tokenizer, split_and_bytes
from trinch.training.settings import SettingsError

SMALLEST = 256 + len(SPECIAL_TOKENS)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """A new tokenizer of at most `vocabulary` tokens (fewer where the text is too small to fill it).

    Raises SettingsError when the vocabulary is smaller than the bytes.
    """
    if vocabulary < SMALLEST:
        raise SettingsError(
            f"data.vocabulary is {vocabulary}; the bytes and special tokens alone are {SMALLEST}"
        )
    raw = RawTokenizer(models.BPE())
    raw.pre_tokenizer, raw.decoder = split_and_bytes()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, SEPARATOR, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    return Tokenizer(raw)


def bytes_of_tokens(path: Path) -> npt.NDArray[np.int64]:
    """Bytes of UTF-8 that each token of a `tokenizer.json` decodes to (special tokens: 0), for bits per
    byte."""
    vocabulary = RawTokenizer.from_file(str(path)).get_vocab()
    out = np.zeros(len(vocabulary), np.int64)
    for token, number in vocabulary.items():
        if token not in SPECIAL_TOKENS:
            out[number] = len(token)  # in byte-level BPE one character of a token's name is one byte
    return out
