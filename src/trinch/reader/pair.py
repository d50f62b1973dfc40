"""A request and a passage as one sequence: <s> request </s> passage </s>."""

from __future__ import annotations

from typing import NamedTuple

from trinch.reader.pieces import BEGIN, END, Pieces

REQUEST_PIECES = 40
PASSAGE_PIECES = 96


class Pair(NamedTuple):
    """Piece ids, the segment of each (0 request, 1 passage), and where the passage's pieces stand in its text."""

    ids: list[int]
    segments: list[int]
    begins: list[int]
    ends: list[int]

    def token_span(self, begin: int, end: int) -> tuple[int, int]:
        """The first and last position in the sequence of the characters [begin, end), or (-1, -1)."""
        first = len(self.ids) - 1 - len(self.begins)
        inside = [
            n for n, (a, b) in enumerate(zip(self.begins, self.ends, strict=True)) if a < end and b > begin
        ]
        return (first + inside[0], first + inside[-1]) if begin >= 0 and inside else (-1, -1)


def encode_pair(pieces: Pieces, request: str, passage: str) -> Pair:
    """Encode; what exceeds 40 pieces of the request or 96 of the passage is not read."""
    asked = pieces.encode(request, REQUEST_PIECES).ids
    read = pieces.encode(passage, PASSAGE_PIECES)
    ids = [BEGIN, *asked, END, *read.ids, END]
    segments = [0] * (len(asked) + 2) + [1] * (len(read.ids) + 1)
    return Pair(ids, segments, read.begins, read.ends)
