"""The reader as it is shipped: loads, tells an answer from other posts, and survives what people post."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import trinch.reader
from trinch.reader import Reader, Reading
from trinch.reader.model import WEIGHTS

TOLL = "At least 39 people died in the quake in Guatemala, officials say http://example.org/a"
POSTS = [
    "Praying for everyone in Guatemala today #sad",
    TOLL,
    "I ate the best tacos of my life",
    "Strong earthquake felt in Guatemala City, buildings shook",
]


@pytest.fixture(scope="module")
def reader() -> Reader:
    """The shipped reader."""
    loaded = trinch.reader.load()
    assert loaded is not None, "the weights are part of the package"
    return loaded


def test_loads_once() -> None:
    """A process holds one reader."""
    assert trinch.reader.available()
    assert trinch.reader.load() is trinch.reader.load()


def test_files_are_small_enough_to_ship() -> None:
    """At most 40 MB in all."""
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) <= 40_000_000


def test_a_folder_without_weights_is_not_available(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Without weights, `available` says so."""
    monkeypatch.setattr("trinch.reader.model.WEIGHTS", tmp_path)
    assert not trinch.reader.available()


@pytest.mark.parametrize(
    "request_",
    [
        "how many died in the Guatemala earthquake?",
        "how many people were killed in guatemala quake",
        "combien de morts dans le séisme au Guatemala ?",
        "¿cuántos muertos hay por el terremoto de Guatemala?",
        "wie viele Tote gab es bei dem Erdbeben in Guatemala?",
        "quanti morti per il terremoto in Guatemala?",
        "quantas pessoas morreram no terremoto na Guatemala?",
    ],
)
def test_the_post_with_the_number_is_first(reader: Reader, request_: str) -> None:
    """In each of six languages the post that gives the toll scores highest."""
    chances = [reading.answers for reading in reader.score(request_, POSTS)]
    assert chances.index(max(chances)) == POSTS.index(TOLL)


def test_same_words_about_another_place_score_lower(reader: Reader) -> None:
    """A request about an earthquake that nobody posted about is less answered than the one that happened."""
    (here,) = reader.score("how many died in the Guatemala earthquake?", [TOLL])
    (elsewhere,) = reader.score("how many died in the Lisbon earthquake?", [TOLL])
    assert elsewhere.answers < here.answers


def test_a_reading_does_not_depend_on_the_others(reader: Reader) -> None:
    """One at a time, in a batch, in another order, again: the same to the last bit."""
    request = "how many died in the Guatemala earthquake?"
    together = reader.score(request, POSTS)
    assert together == [reader.score(request, [post])[0] for post in POSTS]
    assert together == reader.score(request, POSTS[::-1])[::-1]


@pytest.mark.parametrize("text", ["", " ", "\n\t", "https://example.org/only/a/link", "\x00\x07\u202e\u200b"])
def test_nothing_to_read_answers_nothing(reader: Reader, text: str) -> None:
    """Empty requests and passages have no answer and no span."""
    assert reader.score("what happened?", [text]) == [Reading(0.0, 0, 0)]
    assert reader.score(text, ["Something happened."]) == [Reading(0.0, 0, 0)]


def test_no_passages(reader: Reader) -> None:
    """Nothing to read is no error."""
    assert reader.score("what happened?", []) == []


@settings(max_examples=60, deadline=None)
@given(request_=st.text(max_size=200), passage=st.text(max_size=400))
def test_any_text_is_read(request_: str, passage: str) -> None:
    """Whatever the characters, the chance is one and the span lies within the passage."""
    reader = trinch.reader.load()
    assert reader is not None
    (reading,) = reader.score(request_, [passage])
    assert 0.0 <= reading.answers <= 1.0
    assert 0 <= reading.start <= reading.end <= len(passage)


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "word " * 200_000, "😀" * 300_000, "\ud800" * 50_000, "ﷺ" * 100_000]
)
def test_a_very_long_text_costs_no_more(reader: Reader, text: str) -> None:
    """What is read of a passage is bounded, and so is the time."""
    began = time.process_time()
    reader.score("what happened?", [text])
    reader.score(text, ["Something happened."])
    assert time.process_time() - began < 2.0


def test_fifty_posts_are_read_in_time(reader: Reader) -> None:
    """50 posts of usual length: 400 ms of CPU on the machine it was measured on; ten times that anywhere."""
    posts = [f"{n}: {TOLL} and much more is expected as rescuers reach the villages" for n in range(50)]
    began = time.process_time()
    reader.score("how many died in the Guatemala earthquake?", posts)
    assert time.process_time() - began < 4.0


def test_the_span_is_the_answer(reader: Reader) -> None:
    """The likeliest answer of the post with the toll holds its number."""
    (reading,) = reader.score("how many died in the Guatemala earthquake?", [TOLL])
    assert "39" in TOLL[reading.start : reading.end]
