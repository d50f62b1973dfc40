"""Pieces: their places in the text, whatever the text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trinch.reader.pair import PASSAGE_PIECES, REQUEST_PIECES, encode_pair
from trinch.reader.pieces import Pieces, clean


def test_places_in_a_text_that_normalisation_changes(pieces: Pieces) -> None:
    """½ becomes three characters; the places are those of the text as written."""
    text = "½ of Résumé http://example.org/x 日本"
    found = pieces.encode(text, 64)
    assert [text[a:b].strip() for a, b in zip(found.begins, found.ends, strict=True)][-1] in "日本"
    assert found.begins[0] == 0
    assert found.ends[-1] == len(text)


def test_links_are_not_read() -> None:
    """Links are blanks of the same length."""
    assert clean("a http://example.org/x b") == "a " + " " * 20 + " b"


@given(st.text(max_size=300))
def test_places_are_in_order_and_within(pieces: Pieces, text: str) -> None:
    """Begins and ends never fall and never leave the text."""
    found = pieces.encode(text, 64)
    assert len(found.ids) <= 64
    assert all(0 <= a <= b <= len(text) for a, b in zip(found.begins, found.ends, strict=True))
    assert found.begins == sorted(found.begins)
    assert found.ends == sorted(found.ends)


@given(st.text(max_size=400), st.text(max_size=800))
def test_a_pair_is_bounded(pieces: Pieces, request_: str, passage: str) -> None:
    """A pair is never longer than its two parts may be, with three marks between and around."""
    pair = encode_pair(pieces, request_, passage)
    assert len(pair.ids) == len(pair.segments) <= REQUEST_PIECES + PASSAGE_PIECES + 3
