"""What a question asks for, told from its words alone.

Owns: its language, kind (overview, count, who, where, when), the terms a post must speak of and their weight,
what is counted, and the period it is about. Knows nothing of evidence. No model: word lists (lexicon.py),
spelling (capitals, digits, `#`, `@`, `$`) and how rare each term is in the store.
"""

import math
import re
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.time_expressions import Period, period
from trinch.answers.types import Corpus
from trinch.posts.language_id import identify
from trinch.posts.text import fold, query_terms, tokens

NAME_WEIGHT = 1.5
"""A name or number says more about what is asked than a common word as rare as it."""


PART_WEIGHT = 0.5
_RUN = re.compile(r"[^\W\d_a-z][\w'’-]*(?: [^\W\d_a-z][\w'’-]*)+")


class Term(NamedTuple):
    """One thing the question names. A post speaks of it when it holds any of `forms`."""

    text: str
    forms: frozenset[str]
    weight: float
    """Inverse document frequency in nats, times `NAME_WEIGHT` for names and numbers."""
    spellings: tuple[str, ...]
    """How a name may be written: itself, and the same place in other languages."""
    role: str
    """`name`; `part` of a name that is often left out; `event`, a kind of happening (lexicon.CONCEPTS), its
    forms being words of several languages; or `word`."""

    @property
    def needed(self) -> bool:
        """Whether a post that lacks it is about something else."""
        return self.role in ("name", "event")


class Question(NamedTuple):
    text: str
    lang: str
    kind: str
    """`overview`, `count`, `who`, `where`, `when`, or `fact` for the rest."""
    terms: tuple[Term, ...]
    measure: str
    """Key of `lexicon.MEASURES` that is counted, `unit`, or empty."""
    unit: frozenset[str]
    """Forms of the thing counted, where it is no measure of the lexicon ("how many acres")."""
    newest: bool
    """Asks for the present state above all."""
    period: Period | None

    @property
    def wanted(self) -> float:
        """Weight of all terms together."""
        return sum(term.weight for term in self.terms)


def language(words: list[str]) -> str:
    """The language whose stopwords are most among `words`, ties to list order; without any, what `identify` says."""
    best, most = "", 0
    for lang, stopwords in lexicon.STOPWORDS.items():
        count = sum(word in stopwords for word in words)
        if count > most:
            best, most = lang, count
    return best or identify(" ".join(words))


def spellings(word: str) -> tuple[str, ...]:
    """`word` without its sign, and the names of the same place in other languages."""
    bare = word.lstrip("#@$")
    return (bare, *sorted({name for place in lexicon.PLACES if bare in place for name in place} - {bare}))


def forms(word: str) -> frozenset[str]:
    """Every index term that stands for `word`: its stems, the same without its sign, and its concept's words."""
    words = {word, *spellings(word)}
    for concept in lexicon.CONCEPT_ROWS:
        if word in concept:
            words |= concept
    return frozenset(form for item in words if item for form in query_terms(item))


def _starts(folded: str, cues: tuple[str, ...]) -> bool:
    return any(re.search(rf"\b{re.escape(cue)}\b", folded) for cue in cues)


def _kind(folded: str, words: list[str], lang: str) -> str:
    if _starts(folded, lexicon.COUNT_CUES):
        return "count"
    for kind, cues in lexicon.KIND_CUES.items():
        if words and words[0] in cues:
            return kind
    if folded.startswith(("ou ", "ou,")) and lang in ("fr", "und"):  # "où", without its accent
        return "where"
    return "fact"


def _joined(terms: list[Term], text: str) -> list[Term]:
    """Capitalised words in a row are one name. Where its last word is written more often than another of them, posts
    say it alone ("Maduro" for "Nicolás Maduro"), and that other is but a `part`; "Boston Marathon" needs both."""
    names = {term.text: term for term in terms if term.role == "name"}
    parts: set[str] = set()
    for run in _RUN.findall(text):
        words = [word for word in tokens(run) if word in names]
        acronyms = {token for word in run.split() if word.isupper() for token in tokens(word)}
        parts.update(
            word
            for word in words[:-1]
            if names[word].weight > names[words[-1]].weight and word not in acronyms
        )
    return [
        term._replace(role="part", weight=PART_WEIGHT * term.weight) if term.text in parts else term
        for term in terms
    ]


def understand(text: str, as_of: int, store: Corpus) -> Question:
    """Read a question asked about the store as of `as_of` (microseconds)."""
    folded = fold(text)
    for phrase, word in lexicon.PHRASES.items():
        folded = folded.replace(phrase, word)
    about = period(folded, as_of)
    words = tokens(folded)
    lang = language(words)
    kind = _kind(folded, words, lang)
    stop = lexicon.STOPWORDS.get(lang, lexicon.ANY_STOPWORD)
    rest = tokens(about.rest) if about else words
    if about and about.year:
        rest.append(about.year)  # met by a post of that year or one that names it

    capital = {token for word in text.split() if word[:1].isupper() for token in tokens(word)}
    if text.istitle() or text.isupper():
        capital = set()
    measure, unit, terms = "", frozenset[str](), list[Term]()
    overview = not rest
    newest = False
    seen = set[str]()
    for word in rest:
        if word in seen or (len(word) == 1 and word.isascii()) or (word in stop and word not in ("it",)):
            continue
        seen.add(word)
        if word in stop:
            continue
        if word in lexicon.NEWEST:
            newest = True
        if word in lexicon.OVERVIEW and word not in capital:
            overview = True
            if word == "bilan":
                measure = measure or "dead"
            continue
        kind_of = next((name for name, members in lexicon.MEASURES.items() if word in members), "")
        if kind_of and (kind == "count" or (kind == "fact" and word in lexicon.TALLIES)):
            measure, kind = measure or kind_of, "count"
            continue
        if word in lexicon.PEOPLE and kind in ("count", "who"):
            continue
        if kind == "count" and not measure and not unit and not terms and word not in capital:
            unit = forms(word)
        variants = forms(word)
        event = any(word in concept for concept in lexicon.CONCEPT_ROWS)
        if event and any(term.role == "event" and term.text in variants for term in terms):
            continue  # "volcano eruption" names one thing
        found = max((store.doc_freq(form) for form in variants), default=0)
        name = (word in capital and not event) or word[0] in "#@$" or any(c.isdigit() for c in word)
        weight = math.log((store.num_posts + 1) / (found + 0.5)) * (NAME_WEIGHT if name else 1.0)
        role = "event" if event else "name" if name else "word"
        terms.append(Term(word, variants, max(weight, 0.1), spellings(word), role))
    if kind == "count" and not measure:
        measure = "unit" if unit else ""
    newest = (
        newest
        or "happening" in words
        or _starts(
            folded, ("going on", "se passe", "esta pasando", "ist los", "sta succedendo", "esta acontecendo")
        )
    )
    if kind == "fact" and (
        overview
        or _starts(
            folded,
            (
                "happen",
                "happened",
                "happening",
                "happens",
                "going on",
                "passe",
                "passant",
                "pasado",
                "paso",
                "pasando",
                "passiert",
                "geschehen",
                "los",
                "successo",
                "succede",
                "aconteceu",
                "acontecendo",
            ),
        )
    ):
        kind = "overview"
    return Question(text, lang, kind, tuple(_joined(terms, text)), measure, unit, newest, about)
