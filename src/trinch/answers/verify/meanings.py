"""What words mean, as far as the verifier knows: concepts, marks, synonyms and names, read from data files.

`concepts.toml` and `markers.toml` are ours; `english_verbs.txt`, `english_antonyms.txt` and
`english_synonyms.tsv.gz` are drawn from WordNet 3.1 (see NOTICE): for each
English word the other words of its first three senses that occur in WordNet's tagged texts, then the words above its
first noun sense. The word vectors are those of the reader.
"""

import gzip
import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from trinch.answers import lexicon
from trinch.posts.text import FUNCTION_WORDS, fold, stem
from trinch.reader.model import DATA, WORDS
from trinch.reader.words import Floats, load_table

_FOLDER = files("trinch.answers.verify")


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(_FOLDER.joinpath(name).read_text(encoding="utf-8"))


_TABLES, _MARKERS = _read("concepts.toml"), _read("markers.toml")
LANGUAGES = frozenset(_MARKERS["speech"])
"""The languages that the marks cover; in any other nothing is supported."""

_CONCEPTS: dict[str, dict[str, frozenset[str]]] = {lang: {} for lang in LANGUAGES}
for _name, _languages in _TABLES["concepts"].items():
    for _lang, _words in _languages.items():
        for _word in fold(_words).split():
            for _form in {_word, stem(_word, _lang)}:
                _known = _CONCEPTS[_lang].get(_form, frozenset())
                _CONCEPTS[_lang][_form] = _known | {_name}

_IRREGULAR: dict[str, str] = {}
_forms = _TABLES["verbs"]["irregular"].split()
_PASTS = frozenset(_forms[::2])
_forms += _TABLES["verbs"]["plurals"].split()
for _past, _base in zip(_forms[::2], _forms[1::2], strict=True):
    _IRREGULAR[_past] = _base

OPPOSITES: dict[str, frozenset[str]] = {}
for _a, _b in _TABLES["opposites"]["pairs"]:
    OPPOSITES[_a] = OPPOSITES.get(_a, frozenset()) | {_b}
    OPPOSITES[_b] = OPPOSITES.get(_b, frozenset()) | {_a}

_NAMES = {word: n for n, group in enumerate(_TABLES["names"]["groups"]) for word in fold(group).split()}


def _pairs(text: str) -> dict[str, int]:
    return {word: int(value) for word, _, value in (pair.partition("=") for pair in text.split())}


NUMBERS: dict[str, dict[str, int]] = {
    lang: {
        **_pairs(_TABLES["numbers"].get(lang, "")),
        **{
            word: int(value)
            for value, found in lexicon.LANGUAGES.get(lang, {}).get("numbers", {}).items()
            for word in found.split()
        },
    }
    for lang in LANGUAGES
}
"""The number words of each language."""
MULTIPLIERS = _pairs(_TABLES["numbers"]["multipliers"])
EVENTS = lexicon.words(_TABLES["events"]["concepts"])
THINGS = lexicon.words(_TABLES["things"]["concepts"])
"""Concepts of things and places of a kind, of which one excludes the others."""
SPEAKERS = lexicon.words(_TABLES["speakers"]["concepts"])
SERIES = lexicon.words(_TABLES["series"]["words"])
"""Words that stand in a row with others which they exclude: ordinals, colours, relations, ranks."""
ORDINALS = [lexicon.words(row) for row in _TABLES["series"]["ordinals"]]
"""The ordinals from the first on, in all languages."""
VAGUE = [lexicon.words(row) for row in _TABLES["series"]["vague"]]
"""Words for tens, hundreds, thousands of things."""
ENDED: list[tuple[str, str]] = [(state, end) for state, end in _TABLES["states"]["ended"]]
"""Concepts of a state, each with one that ends it."""
MEASURES = {name: lexicon.words(row) for name, row in _TABLES["measures"].items()}
"""Words for what a number measures, by the kind of measure."""
IMPLIED: frozenset[tuple[str, str]] = frozenset((post, said) for post, said in _TABLES["implied"]["pairs"])
"""A concept of a post with a wider one that follows from it."""
LANGUAGE_NAMES = {lang: lexicon.words(names) for lang, names in _TABLES["languages"].items()}
AUTHORITATIVE = lexicon.words(_TABLES["authoritative"]["concepts"])
AUTHORITATIVE_WORDS = lexicon.words(_TABLES["authoritative"]["words"])
"""Bodies whose plain account may be repeated without naming them: by concept, and by word."""
OPERATORS = lexicon.words(_TABLES["operators"]["concepts"])
SPEECH = frozenset({"say", "confirm", "announce", "deny", "warn"})
"""Concepts of verbs by which somebody says something."""


_PHRASES: dict[str, dict[str, str]] = {lang: dict(rows) for lang, rows in _TABLES["phrases"].items()}
_PHRASE = {
    lang: re.compile(
        r"(?<!\w)(?:" + "|".join(re.escape(each) for each in sorted(rows, key=len, reverse=True)) + r")(?!\w)"
    )
    for lang, rows in _PHRASES.items()
}


def plain_words(text: str, lang: str) -> str:
    """A text with phrases that say what one word says replaced by that word."""
    if lang not in _PHRASE:
        return text
    folded = fold(text)
    if len(folded) != len(text):  # folding moved the places: nothing can be replaced in the original
        return text
    found, last = [], 0
    for match in _PHRASE[lang].finditer(folded):
        word = _PHRASES[lang][match[0]]
        found += [text[last : match.start()], word.upper() if len(word) < 4 else word]
        last = match.end()
    return "".join((*found, text[last:]))


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, frozenset[str]]:
    text = gzip.decompress(_FOLDER.joinpath("english_synonyms.tsv.gz").read_bytes()).decode()
    rows = (line.split("\t") for line in text.splitlines())
    return {word: frozenset((*same.split(), *above.split())) for word, same, above in rows}


@lru_cache(maxsize=50_000)
def root(word: str, lang: str) -> str:
    """The form by which a folded word is compared: its stem; of an irregular English form that of its base."""
    return stem(_IRREGULAR.get(word, word) if lang == "en" else word, lang)


_INFLECTED = frozenset(("es", "pt", "fr", "it"))
SHORTEST_STEM, LONGEST_ENDING = 4, 5


@lru_cache(maxsize=50_000)
def concepts(word: str, lang: str) -> frozenset[str]:
    """The concepts that a folded word of a language may mean."""
    known = _CONCEPTS.get(lang, {})
    found = known.get(word, frozenset()) | known.get(root(word, lang), frozenset())
    if found or lang not in _INFLECTED:
        return found
    # Folding takes the accents that the stemmers need ("venció"): what begins with a known stem is a form of it.
    starts = (word[:n] for n in range(len(word) - 1, max(SHORTEST_STEM, len(word) - LONGEST_ENDING) - 1, -1))
    return next((known[start] for start in starts if start in known), frozenset())


def vectors(words: Sequence[str]) -> Floats:
    """Unit vectors of folded words [n, dimensions], alike across six languages; zeros for unknown words."""
    table = load_table(DATA / WORDS)
    return table.vectors(table.rows(words))


@lru_cache(maxsize=50_000)
def implies(word: str, other: str) -> bool:
    """Whether an English word may be used where a post uses another: a synonym, or a wider word for the same thing."""
    base = _IRREGULAR.get(other, other)
    known = _synonyms().get(base) or _synonyms().get(base.removesuffix("s")) or frozenset()
    wanted = root(word, "en")
    return any(root(each, "en") == wanted for each in known)


def same_name(a: str, b: str) -> bool:
    """Whether two folded words name the same place, or the place and its people."""
    place = lexicon.PLACE_OF.get(a)
    return bool(place and b in place) or (a in _NAMES and _NAMES[a] == _NAMES.get(b))


@lru_cache(maxsize=256)
def _pattern(kind: str, lang: str) -> re.Pattern[str]:
    found: Iterable[str] = _MARKERS[kind].get(lang, "").split("|" if kind != "generic" else None)
    return re.compile(
        r"(?<!\w)(?:" + "|".join(re.escape(mark) for mark in found if mark) + r")(?!\w)" if found else r"(?!)"
    )


def marks(kind: str, folded: str, lang: str) -> list[str]:
    """The marks of a kind in a folded text without apostrophes, in order."""
    return _pattern(kind, lang).findall(folded) if lang in LANGUAGES else []


def mark_starts(kind: str, folded: str, lang: str) -> list[int]:
    """Where the marks of a kind begin in a folded text, in order."""
    return [found.start() for found in _pattern(kind, lang).finditer(folded)] if lang in LANGUAGES else []


@lru_cache(maxsize=1)
def _verbs() -> tuple[frozenset[str], frozenset[str]]:
    """English verbs, and those of them that are more often a verb than anything else."""
    lines = _FOLDER.joinpath("english_verbs.txt").read_text(encoding="utf-8").split()
    return frozenset(line.rstrip("*") for line in lines), frozenset(
        line.rstrip("*") for line in lines if line.endswith("*")
    )


@lru_cache(maxsize=1)
def _antonyms() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for a, b in (line.split() for line in _FOLDER.joinpath("english_antonyms.txt").read_text().splitlines()):
        a, b = root(a, "en"), root(b, "en")
        if a != b:
            found[a] = found.get(a, frozenset()) | {b}
            found[b] = found.get(b, frozenset()) | {a}
    return found


def opposites(word: str) -> frozenset[str]:
    """The roots of the opposites of a folded English word, by WordNet."""
    return _antonyms().get(root(word, "en"), frozenset())


@lru_cache(maxsize=50_000)
def is_verb(word: str) -> bool:
    """Whether a folded English word is a verb, as far as its form tells: a past form of one, or a form of a word that
    is mostly a verb."""
    every, mainly = _verbs()
    if word in _PASTS:
        return True
    past = [word[:-2], word[:-1], word[:-3], word[:-3] + "y"] if word.endswith("ed") else []
    if any(base in every for base in past):
        return True
    return word in mainly or word.removesuffix("s") in mainly or word.removesuffix("es") in mainly


@lru_cache(maxsize=50_000)
def is_past(word: str) -> bool:
    """Whether a folded English word is a past form, or a participle, of a verb."""
    return word in _PASTS or (word.endswith("ed") and is_verb(word))


@lru_cache(maxsize=50_000)
def is_common(word: str, lang: str) -> bool:
    """Whether a folded word of a language is no name: one of the marks, or in English one that WordNet has."""
    if lang == "en" and (word in _synonyms() or word.removesuffix("s") in _synonyms()):
        return True
    return word in _MARKED.get(lang, frozenset())


_MARKED = {
    lang: frozenset(word for kind in _MARKERS.values() for word in re.split(r"[| ]", kind.get(lang, "")))
    for lang in LANGUAGES
}


@lru_cache(maxsize=16)
def generic(lang: str) -> frozenset[str]:
    """Words of a language that need no support: function words, and those by which a sentence speaks of posts."""
    stop = lexicon.STOPWORDS.get(lang, frozenset()) | FUNCTION_WORDS
    known = frozenset(_MARKERS["generic"].get(lang, "").split())
    return stop | known | frozenset(root(word, lang) for word in known)
