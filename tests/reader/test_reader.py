"""The reader through its interface: loads, repeats itself, and survives what people post."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import trinch.reader
from trinch.reader import Reader, Reading
from trinch.reader import model as reader_model
from trinch.reader.model import MODEL, PIECES, SETTINGS

POSTS = [
    "Praying for everyone in Guatemala today",
    "At least 39 people died in the quake in Guatemala, officials say http://example.org/a",
    "I ate the best tacos of my life",
    "Strong earthquake felt in Guatemala City, buildings shook",
]


@pytest.fixture(scope="module")
def reader(folder: Path) -> Reader:
    """A reader with random weights."""
    return Reader(folder)


def test_without_weights_there_is_no_reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`load` returns None, and callers go on without."""
    monkeypatch.setattr(reader_model, "WEIGHTS", tmp_path)
    monkeypatch.setattr(reader_model, "_loaded", [])
    assert not trinch.reader.available()
    assert trinch.reader.load() is None


@pytest.mark.parametrize("missing", [MODEL, PIECES, SETTINGS])
def test_a_file_short_is_no_reader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path, missing: str
) -> None:
    """All three files are needed."""
    for path in folder.iterdir():
        if path.name != missing:
            (tmp_path / path.name).symlink_to(path)
    monkeypatch.setattr(reader_model, "WEIGHTS", tmp_path)
    assert not trinch.reader.available()


def test_loads_once(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A process holds one reader."""
    monkeypatch.setattr(reader_model, "WEIGHTS", folder)
    monkeypatch.setattr(reader_model, "_loaded", [])
    monkeypatch.setattr(Reader.__init__, "__defaults__", (folder, 1))
    first = trinch.reader.load()
    assert first is not None
    assert trinch.reader.load() is first
    assert first.threshold == 0.5


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


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request_=st.text(max_size=200), passage=st.text(max_size=400))
def test_any_text_is_read(reader: Reader, request_: str, passage: str) -> None:
    """Whatever the characters, `answers` is a probability and the span lies within the passage."""
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
