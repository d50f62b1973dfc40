"""The reader with the weights of the package: what it is sure of, and what it must never depend on."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trinch.posts.text import query_terms, terms
from trinch.reader import Passage, Query, Reader, Wanted, load
from trinch.reader.model import DATA, NETWORK, WORDS
from trinch.reader.words import WordTable, load_table, save


def wanted(text: str, role: str, weight: float = 6.0) -> Wanted:
    return Wanted(text, frozenset(query_terms(text)), weight, role)


DEATHS = Query(
    (wanted("zorvane", "name", 12.0), wanted("earthquake", "event"), wanted("died", "asked", 3.0)),
    "count",
    "en",
)
DONATE = Query(
    (wanted("zorvane", "name", 12.0), wanted("earthquake", "event"), wanted("donate", "word")), "fact", "en"
)


def passage(text: str, lang: str = "en") -> Passage:
    return Passage(text, frozenset(terms(text, lang)), lang)


TOLL = passage("At least 41 people killed in the Zorvane earthquake, officials say")
HELP = passage("You can give money for the victims of the Zorvane earthquake at the Red Cross")
SHOCK = passage("Zorvane earthquake felt by everybody here, so scary")
OTHER = passage("At least 41 people killed in the Melbora flood, officials say")
LUNCH = passage("The new lunch place round the corner is lovely")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load()


def test_the_post_that_answers_comes_first(reader: Reader) -> None:
    deaths = [reading.answer for reading in reader.read(DEATHS, [TOLL, SHOCK, LUNCH])]
    gifts = [reading.answer for reading in reader.read(DONATE, [TOLL, HELP, LUNCH])]
    assert deaths[0] == max(deaths)
    assert gifts[1] == max(gifts)


def test_another_place_and_another_matter_are_off_the_topic(reader: Reader) -> None:
    on, elsewhere, lunch = (reading.topic for reading in reader.read(DEATHS, [TOLL, OTHER, LUNCH]))
    assert on > 0.5 > elsewhere > 0.0
    assert lunch < 0.1


def test_the_same_in_another_language_is_read_too(reader: Reader) -> None:
    french = passage("Séisme à Zorvane : au moins 41 morts", "fr")
    off = passage("Le marché de Noël ouvre samedi", "fr")
    on_topic, other = reader.read(DEATHS, [french, off])
    assert on_topic.topic > 0.5 > other.topic
    assert on_topic.answer > other.answer


def test_a_pair_is_read_alone(reader: Reader) -> None:
    every = [TOLL, HELP, SHOCK, OTHER, LUNCH]
    together = reader.read(DEATHS, every)
    assert together == [reader.read(DEATHS, [each])[0] for each in every]
    assert together == reader.read(DEATHS, every[::-1])[::-1]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=400), st.lists(st.text(min_size=1, max_size=20), max_size=4))
def test_any_text_gets_probabilities(text: str, words: list[str]) -> None:
    query = Query(tuple(wanted(word, "word") for word in words), "fact", "en")
    (reading,) = load().read(query, [passage(text)])
    assert 0.0 <= reading.topic <= 1.0
    assert 0.0 <= reading.answer <= 1.0


def test_nothing_to_read_and_nothing_asked(reader: Reader) -> None:
    assert reader.read(DEATHS, []) == []
    assert len(reader.read(Query((), "fact", "en"), [TOLL, passage("")])) == 2


def test_words_of_six_languages_that_mean_the_same_are_near() -> None:
    table = load_table(DATA / WORDS)
    pairs = [
        ("earthquake", "terremoto"),
        ("floods", "inondations"),
        ("chemical", "chimiques"),
        ("killed", "getotet"),
    ]
    left, right = (table.vectors(table.rows([pair[side] for pair in pairs])) for side in (0, 1))
    assert ((left * right).sum(axis=1) > 0.7).all()
    assert (left[0] @ right[1:].T < 0.7).all()


def test_a_table_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    vectors = np.array([[127, 0], [0, 127], [90, 90]], np.int8)
    save(tmp_path / "words.npz", ["a", "é", "ñ"], vectors, np.array([255, 0, 128], np.uint8))
    table: WordTable = load_table(tmp_path / "words.npz")
    rows = table.rows(["ñ", "missing", "a"])
    assert rows.tolist() == [2, -1, 0]
    np.testing.assert_allclose(np.linalg.norm(table.vectors(rows), axis=1), [1, 0, 1], atol=1e-6)
    np.testing.assert_allclose(table.weights(rows), [128 / 255, 0, 1], atol=1e-6)


def test_the_weights_are_small() -> None:
    assert sum((DATA / name).stat().st_size for name in (WORDS, NETWORK)) < 12_000_000


def test_words_of_other_languages_that_mean_the_same_are_near() -> None:
    near = dict(zip(("incendio", "zorvane"), load().akin(["incendio", "zorvane"], 0.75, 8), strict=True))
    assert "fire" in near["incendio"]
    assert near["zorvane"] == []
    assert load().akin([], 0.75, 8) == []


def test_posts_that_say_what_is_asked_pass_the_gate_and_others_do_not(reader: Reader) -> None:
    said, beside, nothing = (
        reader.judge(DEATHS, passages)[1] for passages in ([TOLL, SHOCK], [OTHER, LUNCH], [])
    )
    assert said > 0.6 > 0.3 > beside
    assert nothing == 0.0
    assert reader.judge(DEATHS, [TOLL, SHOCK])[0] == reader.read(DEATHS, [TOLL, SHOCK])
