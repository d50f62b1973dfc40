"""The words whose meaning an answer depends on, read from one TOML file per language (`languages/`).

A file holds one language: stopwords, question words, words for kinds of events and for what people are counted as,
time words, cues for tasks, and the phrases of an answer. All words are folded (`posts.text.fold`). A new language is
one new file with the same keys. `places.toml` holds the names of places in several languages.
"""

import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from itertools import chain
from typing import Any

_FOLDER = files("trinch.answers")


def words(text: str) -> frozenset[str]:
    """The words of a list written as running text."""
    return frozenset(text.split())


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(_FOLDER.joinpath(name).read_text(encoding="utf-8"))


LANGUAGES: dict[str, dict[str, Any]] = {
    table["language"]: table
    for table in (
        tomllib.loads(file.read_text(encoding="utf-8"))
        for file in sorted(_FOLDER.joinpath("languages").iterdir(), key=lambda file: file.name)
        if file.name.endswith(".toml")
    )
}
"""Every language file by its ISO 639-1 code. A file with `follow_up_only` has only the section `follow_up`."""

COMPLETE = tuple(
    sorted((code for code, table in LANGUAGES.items() if not table.get("follow_up_only")), key="en".__ne__)
)
"""The languages that questions are understood in, English first."""


def _merged(section: str, key: str) -> frozenset[str]:
    """The words under one key, of all languages together."""
    return frozenset().union(*(words(LANGUAGES[lang][section][key]) for lang in COMPLETE))


def _merged_keys(section: str) -> dict[str, frozenset[str]]:
    return {key: _merged(section, key) for key in LANGUAGES["en"][section]}


def _cues(key: str) -> tuple[str, ...]:
    found = {cue for lang in COMPLETE for cue in LANGUAGES[lang]["cues"][key]}
    return tuple(sorted(found, key=lambda cue: (-len(cue), cue)))


STOPWORDS = {lang: words(LANGUAGES[lang]["words"]["stopwords"]) for lang in COMPLETE}
ANY_STOPWORD = frozenset().union(*STOPWORDS.values())

OVERVIEW = _merged("words", "overview")
"""Words that ask for the state of things; nothing that a post must hold."""
NOISE = _merged("words", "noise")
"""Laughter and filler of a chat ("lol"), which says nothing about what is asked."""
REACTIONS = _merged("words", "reactions")
"""Words for how people take a thing ("why is everyone sad about it"): posts that give the reason need not hold them."""
DIED = _merged("words", "died")
"""Words that report a death, not those that may only speak of dying."""
MOURNING = _merged("words", "mourning")
"""Signs that a text is sad about a loss, which is no blame of who was lost."""
NEWEST = _merged("words", "newest")
"""Words that ask for the newest state above all."""
COUNT_CUES = _cues("count")
KIND_CUES = {kind: _cues(kind) for kind in ("who", "where", "when")}
PEOPLE = _merged("words", "people")

MEASURES = _merged_keys("measures")
"""What people are counted as. Each is its own quantity: the dead are never mixed with the injured or missing."""
TALLIES = _merged("words", "tallies")
"""Measure words that ask for a count by themselves ("Nepal earthquake dead")."""
TAKES_NEXT = _merged("words", "takes_next")
"""Measure words that may precede their number ("toll hits 912"); the rest follow it."""
TAKES_OBJECT = _merged("words", "takes_object")
"""Measure words that always take the number behind them ("kills", "toll")."""

PARTS: dict[str, frozenset[str]] = _merged_keys("parts")
"""Kinds of people that may be counted by themselves ("7 children"): such a number is part of a toll, not the toll."""
PART_OF = {word: part for part, members in PARTS.items() for word in members}

AXES: dict[str, dict[str, dict[int, frozenset[str]]]] = {
    axis: {
        lang: dict(zip((1, -1), map(words, LANGUAGES[lang]["opposites"][axis]), strict=True))
        for lang in COMPLETE
    }
    for axis in LANGUAGES["en"]["opposites"]
}
"""Pairs of opposites that a claim may turn on, by language: words of the first pole (1) and of the second (-1)."""
POLES: dict[str, dict[str, tuple[str, int]]] = {
    lang: {
        word: (axis, side)
        for axis, poles in reversed(AXES.items())
        for side, found in poles[lang].items()
        for word in found
    }
    for lang in COMPLETE
}
"""By language the axis and the pole of a word; of several axes the first."""
AMBIGUOUS = ANY_STOPWORD
"""Words that are common words of another language ("die"): they are no evidence by themselves."""

CONCEPTS: dict[str, frozenset[str]] = _merged_keys("concepts")
"""Words that name the same kind of event across languages; any of them matches a word of its row."""
CONCEPT_ROWS = tuple(CONCEPTS.values())
ANY_CONCEPT = frozenset().union(*CONCEPT_ROWS)

NUMBER_WORDS: dict[str, int] = {
    word: int(value) for value, found in _merged_keys("numbers").items() for word in found
}

STILL = _merged("none", "still")
"""Words that may come between those and what they count."""
NONE_WORDS = _merged("none", "words")
"""Words that count nobody ("no", "aucun")."""


def _phrases(section: str, key: str) -> re.Pattern[str]:
    """The patterns of all languages under one key, as one that matches whole words."""
    found = sorted({pattern for lang in COMPLETE for pattern in LANGUAGES[lang][section][key]})
    return re.compile(rf"\b(?:{'|'.join(found)})\b")


NONE_PHRASES = _phrases("none", "phrases")
"""The same in several words ("no hay")."""
ALL_FOUND = _phrases("none", "all_found")
"""Phrases that say that nobody is missing any more ("all accounted for")."""

SCALES: dict[str, int] = dict.fromkeys(_merged("words", "thousands"), 1000) | dict.fromkeys(
    _merged("words", "millions"), 1_000_000
)
"""Words that multiply the number in front of them ("5 mila", "10k")."""
ROUGHLY = _merged("words", "roughly")
"""Words for a number that nobody counted ("dozens")."""
AT_LEAST = _merged("words", "at_least")
NEARLY = _merged("words", "nearly")
FEARED = _merged("words", "feared")
"""Hedges of a number: it is a floor, it is round, or it is a guess."""
FILLERS = _merged("words", "fillers")
"""Words that may come between a number and the word that says what it counts."""
AWAY = _merged("words", "away")
"""Between a number and a thing these say that the thing is not what was counted ("32,000 flee homes")."""
MOVES = _merged("words", "moves")
"""Verbs by which a count moves to a number."""
MORE = _merged("words", "more")
"""After a number these make it an increment ("50 more bodies"), not a state."""
NEGATIONS = _merged("words", "negations")
"""Before a number these refuse it ("9 people died, not 11")."""
DATING = _merged("words", "dating")
"""Before a number of four digits these make it a year."""

DENIAL_WORDS = _merged("words", "denial")
"""Words that say that something is not so."""
DENIAL = (
    r"\b(?:"
    + "|".join(sorted(DENIAL_WORDS))
    + r")\b(?! (?:flag|alarm))|\b(?:"
    + "|".join(phrase for lang in COMPLETE for phrase in LANGUAGES[lang]["denial"]["phrases"])
    + r")\b"
)
"""What says, in a folded text, that something is not so. "Rumour" alone does not: rumours are spread in these words too."""

HEARSAY = _merged("words", "hearsay")
HEDGED = HEARSAY | _merged("words", "hedged")
"""Words by which a text passes on what it does not vouch for."""
CORRECTING = _merged("words", "correcting")
"""Words by which a number replaces an earlier one or is the last ("correction", "bilan définitif")."""
PERSONAL = _merged("words", "personal")
"""Signs that a sentence speaks of its writer's feelings rather than of what happened."""
POINTERS = _merged("words", "pointers")
"""Signs that a sentence points at something else (a picture, an appeal, a joke) instead of reporting."""
REPORTING = _merged("words", "reporting")
"""Signs that a sentence reports: who says so, what happened, to how many."""
OPINION = _merged("words", "opinion")
"""Signs that a sentence argues or addresses somebody."""
CONDITIONAL = _merged("words", "conditional")
"""Signs that a sentence says what would be, not what is."""
NEGATING = _merged("words", "negating")
"""Words that deny the words behind them."""
CLAUSES = {lang: words(LANGUAGES[lang]["words"]["clauses"]) for lang in COMPLETE}
"""Words that begin another clause: a negation does not reach past them."""
CONTRARY = _merged("words", "contrary")
"""Words for the contrary of what was just said ("messages saying otherwise")."""
POINTING = _merged("words", "pointing")
"""Words by which a sentence begins that speaks of what was just said ("that is fake")."""
STATEMENTS = {lang: words(LANGUAGES[lang]["words"]["statements"]) for lang in COMPLETE}
"""Words that name a kind of statement or happening ("rumour", "case"): posts about it need not hold them."""
ONGOING = _merged("words", "ongoing")
ENDED = _merged("words", "ended")
"""Signs that somebody is still sought or held, and that this is over."""
ABBREVIATIONS = _merged("words", "abbreviations")
"""Words whose full stop ends no sentence."""

CAUSE = _merged("opinion_words", "cause")
"""Signs that a sentence gives a reason."""
JOKES = _merged("opinion_words", "jokes")
ADDRESSES_ASSISTANTS = _merged("opinion_words", "addresses_assistants")
"""Signs that a post gives orders to a program that reads it; two of them, or one and an imperative of its kind."""

SHORTHAND: dict[str, dict[str, str]] = {lang: LANGUAGES[lang]["shorthand"] for lang in COMPLETE}
"""By language, what people type for short ("ppl") and the words it means."""

MEMBERS: dict[str, tuple[str, ...]] = {
    name: tuple(kind["members"].split())
    for kind in _read("kinds_of_people.toml").values()
    for name in kind["named"].split()
}
"""For the name of a kind of people ("musicians"), what its members are called in reports ("guitarist")."""

PHRASES: dict[str, str] = {
    phrase: word for lang in COMPLETE for phrase, word in LANGUAGES[lang]["phrases"].items()
}
"""Set phrases of questions and the one word that each means."""


def _places() -> tuple[frozenset[str], ...]:
    tables = _read("places.toml")
    territories, others = tables["territories"], tables["other_names"]
    codes = dict.fromkeys((*territories, *others))
    names = [f"{territories.get(code, '')} {others.get(code, '')}" for code in codes]
    return tuple(map(words, (*names, *tables["cities_and_regions"].values())))


PLACES = _places()
"""The names of the same place in several languages, with the names of its people."""
PLACE_OF = {name: place for place in reversed(PLACES) for name in place}

LEADS = _merged("rewrite", "leads")
"""Words of a lead in front ("JUST IN:") that states nothing."""
SCOPING = _merged("rewrite", "scoping")
"""Words whose reach may be the whole quote: with one of them nothing may be left out."""
SUBORDINATE = _merged("rewrite", "subordinate")
"""Words that begin a clause which limits the one before it."""
ACCORDING = tuple(LANGUAGES[lang]["rewrite"]["according"] + " " for lang in COMPLETE)
"""How a clause begins that names who says so."""
_ENGLISH = _read("english_rewrites.toml")
GUARDED = _merged("rewrite", "guarded") | words(_ENGLISH["with_ing"]) | DENIAL_WORDS | HEARSAY
"""Words without which the rest would say more: who says so, how sure, when, in what world; or by which a later clause
takes back an earlier one. No clause with one is left out."""
PRONOUNS = words(_ENGLISH["pronouns"])
HEADLINE_VERBS = words(_ENGLISH["headline_verbs"])
SAYING = words(_ENGLISH["saying"])


def _cue(pattern: str) -> re.Pattern[str]:
    """A cue compiled; what its first `.*` matches is the group `kept`, words that belong to the topic."""
    return re.compile(pattern.replace(" .* ", " (?P<kept>.*) ", 1))


def tasks(lang: str) -> dict[str, tuple[re.Pattern[str], ...]]:
    """The cues of a language for what a request wants, compiled."""
    return _TASKS[lang]


_TASKS = {
    lang: {key: tuple(map(_cue, patterns)) for key, patterns in LANGUAGES[lang]["tasks"].items()}
    for lang in COMPLETE
}


CUE_WORDS = {
    lang: frozenset(
        re.findall(r"[a-z]{4,}", " ".join(chain.from_iterable(LANGUAGES[lang]["tasks"].values())))
    )
    | frozenset().union(*(words(row) for row in LANGUAGES[lang]["concepts"].values()))
    for lang in COMPLETE
}
"""The words of a language in its cues and of its kinds of events: they tell it from another with the same small words."""


def frame(lang: str, key: str, **values: object) -> str:
    """A phrase of an answer in a language, English where that language has no file."""
    frames: Mapping[str, str] = LANGUAGES[lang if lang in COMPLETE else "en"]["frames"]
    return frames[key].format(**values)


def name_of(lang: str, section: str, key: str) -> str:
    """The name of a quantity or of a language in a language; the key itself where it has none."""
    names: Mapping[str, str] = LANGUAGES[lang if lang in COMPLETE else "en"][section]
    return names.get(key, key)
