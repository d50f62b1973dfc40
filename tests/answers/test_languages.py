"""Every language file holds the same keys, so that a language is either complete or says that it is not."""

import re
from string import Formatter

import pytest

from trinch.answers import lexicon
from trinch.posts.text import fold

ENGLISH = lexicon.LANGUAGES["en"]
FREE = {"phrases", "shorthand"}
"""Sections whose keys are words of the language itself."""


def test_six_languages_are_complete() -> None:
    assert set(lexicon.COMPLETE) == {"en", "fr", "es", "de", "it", "pt"}


@pytest.mark.parametrize("lang", lexicon.COMPLETE)
def test_a_language_holds_every_key_and_no_other(lang: str) -> None:
    table = lexicon.LANGUAGES[lang]
    assert table["language"] == lang
    assert table.keys() == ENGLISH.keys()
    for section, part in table.items():
        if not isinstance(part, dict):
            continue
        assert section in FREE or part.keys() == ENGLISH[section].keys(), section
        assert part, section
        for key, value in part.items():
            assert value, f"{lang}: {section}.{key} is empty"


@pytest.mark.parametrize("lang", lexicon.COMPLETE)
def test_words_are_folded_and_patterns_compile(lang: str) -> None:
    table = lexicon.LANGUAGES[lang]
    for section in ("words", "measures", "parts", "concepts", "opinion_words"):
        for key, value in table[section].items():
            assert value == fold(value), f"{section}.{key}"
    for patterns in table["tasks"].values():
        for pattern in patterns:
            re.compile(pattern)


@pytest.mark.parametrize("lang", lexicon.COMPLETE)
def test_phrases_of_an_answer_take_the_same_values_in_every_language(lang: str) -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    for key, text in lexicon.LANGUAGES[lang]["frames"].items():
        assert fields(text) <= fields(ENGLISH["frames"][key]), key
