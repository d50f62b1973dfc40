"""Text to the pieces the reader knows, with the place of each piece in the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BEGIN, PADDING, END, UNKNOWN = 0, 1, 2, 3
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")

_LINK = re.compile(r"https?://\S+|\bwww\.\S+|\bt\.co/\S+")
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


class Encoded(NamedTuple):
    """Piece ids, and where each piece begins and ends in the text that was encoded (character offsets)."""

    ids: list[int]
    begins: list[int]
    ends: list[int]


def clean(text: str) -> str:
    """Blank out links, control, format and lone surrogate characters. The length, hence every offset, stays."""
    text = _LINK.sub(lambda link: " " * len(link.group()), text)
    return _CONTROL.sub(" ", text)


class Pieces:
    """A SentencePiece unigram model over NFKC text."""

    def __init__(self, model: bytes) -> None:
        import sentencepiece  # of the extra `reader`: not needed to import this module

        self._model = sentencepiece.SentencePieceProcessor(model_proto=model)

    def __len__(self) -> int:
        return int(self._model.vocab_size())

    def encode(self, text: str, limit: int) -> Encoded:
        """The first `limit` pieces of a text."""
        text = clean(text[: limit * 24])  # hardly a piece is longer: bounds the work on a text of any length
        origin: Sequence[int] = range(len(text) + 1)
        if not unicodedata.is_normalized("NFKC", text):
            text, origin = _fold(text)
        found = self._model.encode(text, return_type="proto").pieces[:limit]
        starts = np.frombuffer(text.encode(), np.uint8) & 0xC0 != 0x80
        place = [*(np.cumsum(starts) - 1).tolist(), len(text)]  # of each byte, the character it belongs to
        return Encoded(
            [piece.id for piece in found],
            [origin[place[piece.begin]] for piece in found],
            [origin[place[piece.end]] for piece in found],
        )


def _fold(text: str) -> tuple[str, list[int]]:
    """NFKC of each character, and for each resulting character the place of the one it came from."""
    folded, origin = [], []
    for place, character in enumerate(text):
        plain = unicodedata.normalize("NFKC", character)
        folded.append(plain)
        origin += [place] * len(plain)
    return "".join(folded), [*origin, len(text)]
