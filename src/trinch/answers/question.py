"""What a question asks for, by its words alone.

Owns: its language, kind (overview, count, who, where, when), the terms a post must speak of and their weight,
what is counted, and the period it is about. No model: word lists (lexicon.py),
spelling (capitals, digits, `#`, `@`, `$`) and how rare each term is in the store.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.time_expressions import Period, period
from trinch.answers.types import Corpus
from trinch.posts.language_id import identify
from trinch.posts.text import fold, query_terms, stem, tokens
from trinch.reader.registry import reader

NAME_WEIGHT = 1.5
"""A name or number says more about what is asked than a common word as rare as it."""


PART_WEIGHT = 0.5
RARE = 40
"""A word that more posts hold is spelled as it is meant."""
RATIO = 30
_KNOWN = frozenset().union(lexicon.ANY_CONCEPT, lexicon.PLACE_OF, *lexicon.MEASURES.values())
AKIN, MOST_AKIN = 0.75, 4
"""Cosine from which on a word of another language is a translation of a word of the question, and the most kept."""
LONG = 6
"""Letters from which on a name may have other endings in other languages."""
SHARED = 4
"""A word that begins with the same letters is another form of the same word, or only looks like it."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_GOING_ON = ("going on", "se passe", "esta pasando", "ist los", "sta succedendo", "esta acontecendo")
_HAPPEN = [
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
]
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
    forms being words of several languages; `word`; or `aside`, a word that posts need not hold."""

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
    part: str = ""
    """Key of `lexicon.PARTS` where only such people are counted ("how many children died")."""

    @property
    def wanted(self) -> float:
        """Weight of all terms together."""
        return sum(term.weight for term in self.terms)


def language(words: list[str]) -> str:
    """The language whose stopwords are most among `words`; of several with equally many, and without any, what
    `identify` says, ties to list order."""
    counts = {lang: sum(word in stop for word in words) for lang, stop in lexicon.STOPWORDS.items()}
    most = max(counts.values())
    best = [lang for lang, count in counts.items() if count == most > 0]
    if len(best) > 1:
        cues = {lang: sum(word in lexicon.CUE_WORDS[lang] for word in words) for lang in best}
        best = [lang for lang in best if cues[lang] == max(cues.values())]
    if len(best) == 1:
        return best[0]
    said = identify(" ".join(words))
    return said if said in best or not best else best[0]


def spellings(word: str) -> tuple[str, ...]:
    """`word` without its sign, and the names of the same place in other languages."""
    bare = word.lstrip("#@$")
    return (bare, *sorted(lexicon.PLACE_OF.get(bare, frozenset()) - {bare}))


def forms(word: str) -> frozenset[str]:
    """Every index term of `word`: its stems, the same without its sign, and its concept's words."""
    words = {word, *spellings(word)}
    for row in (*lexicon.CONCEPT_ROWS, *lexicon.MEASURES.values(), *lexicon.PARTS.values()):
        if word in row:
            words |= row
    return frozenset(form for item in words if item for form in query_terms(item))


def translations(words: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each word those of other languages that mean nearly the same, by the reader's word vectors."""
    found = reader().akin(words, AKIN, 2 * MOST_AKIN) if words else []
    return {
        word: tuple(other for other in akin if other[:SHARED] != word[:SHARED])[:MOST_AKIN]
        for word, akin in zip(words, found, strict=True)
    }


def _endings(name: str, corpus: Corpus) -> tuple[str, ...]:
    """A name that no post holds, with the endings by which other languages write it, as far as posts do (Sibérie:
    siberia)."""
    if len(name) < LONG or any(corpus.doc_freq(form) for form in query_terms(name)):
        return ()
    stems = {name.rstrip("aeio"), name[:-1]}
    others = (stem + end for stem in sorted(stems) for end in ("", "a", "e", "o", "ia", "y"))
    return tuple(other for other in others if other != name and any(map(corpus.doc_freq, query_terms(other))))


def _nouns(text: str, foreign: Mapping[str, tuple[str, ...]]) -> set[str]:
    """The words of a German text that have a capital only because they are nouns: those with a translation that are
    no place and have no name beside them."""
    beside = {word for run in _RUN.findall(text) for word in tokens(run)}
    return {word for word in foreign if foreign[word] and word not in beside and word not in lexicon.PLACE_OF}


def _starts(folded: str, cues: Sequence[str]) -> bool:
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


def _with_phrases(folded: str) -> str:
    for phrase, word in lexicon.PHRASES.items():
        folded = folded.replace(phrase, word)
    return folded


def corrected(word: str, corpus: Corpus) -> str:
    """`word`, or the word of the index that it is most likely a misspelling of: one letter added, lost, changed or
    swapped with its neighbour, and `RATIO` times as frequent. Words of fewer than five letters are left alone, and so
    are the frequent words of the languages that the reader knows."""
    if len(word) < 5 or not word.isascii() or not word.isalpha() or word in _KNOWN or reader().knows(word):
        return word
    known = max(corpus.doc_freq(form) for form in query_terms(word))
    if known > RARE:
        return word
    splits = [(word[:i], word[i:]) for i in range(len(word) + 1)]
    swapped = {a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1}
    fewer = {a + b[1:] for a, b in splits if b}
    changed = {a + c + b[1:] for a, b in splits if b for c in _LETTERS}
    more = {a + c + b for a, b in splits for c in _LETTERS}
    options = sorted((swapped | fewer | changed | more) - {word})
    best = max(options, key=lambda option: (corpus.doc_freq(stem(option, "en")), option))
    return best if corpus.doc_freq(stem(best, "en")) >= RATIO * (known + 1) else word


class _Reading:
    """The terms of a question as they are read, word by word."""

    def __init__(
        self, kind: str, capital: set[str], corpus: Corpus, foreign: dict[str, tuple[str, ...]]
    ) -> None:
        self.kind, self._capital, self._corpus, self._foreign = kind, capital, corpus, foreign
        self.measure, self.unit, self.terms = "", frozenset[str](), list[Term]()
        self.newest = self.overview = False
        self.tally = ""
        """The word that asked for a count by itself."""

    def add(self, word: str) -> None:
        """Take in the next word that is no stopword."""
        self.newest |= word in lexicon.NEWEST
        if word in lexicon.OVERVIEW and word not in self._capital:
            self.overview = True
            if word == "bilan":
                self.measure = self.measure or "dead"
            return
        measured = next((name for name, members in lexicon.MEASURES.items() if word in members), "")
        if measured and (self.kind == "count" or (self.kind == "fact" and word in lexicon.TALLIES)):
            self.tally = word if self.kind != "count" else ""  # two of them ("death toll") ask for a count
            self.measure, self.kind = self.measure or measured, "count"
            return
        if word in lexicon.PEOPLE and self.kind in ("count", "who"):
            return
        self._name(word)

    def _name(self, word: str) -> None:
        if (
            self.kind == "count"
            and not self.measure
            and not self.unit
            and not self.terms
            and word not in self._capital
            and word not in lexicon.ANY_CONCEPT
            and word not in lexicon.PART_OF
        ):
            self.unit = forms(word)
        variants = forms(word)
        event = word in lexicon.ANY_CONCEPT and not (self.kind == "who" and word in lexicon.PART_OF)
        if event and any(term.role == "event" and term.text in variants for term in self.terms):
            return  # "volcano eruption" names one thing
        self.terms.append(self.term(word, event))

    def term(self, word: str, event: bool) -> Term:
        foreign = self._foreign.get(word, ())
        variants = forms(word).union(*(query_terms(other) for other in foreign))
        found = max((self._corpus.doc_freq(form) for form in variants), default=0)
        name = (word in self._capital and not event) or word[0] in "#@$" or any(c.isdigit() for c in word)
        weight = math.log((self._corpus.num_posts + 1) / (found + 0.5)) * (NAME_WEIGHT if name else 1.0)
        role = "event" if event else "name" if name else "word"
        return Term(word, variants, max(weight, 0.1), (*spellings(word), *foreign), role)

    def settle(self) -> None:
        """A word of counting asks for a count only beside a kind of event: "Thatcher's death" counts nobody."""
        if self.tally and not any(term.role == "event" for term in self.terms):
            self.terms.append(self.term(self.tally, False)._replace(role="word"))
            self.measure, self.kind, self.tally = "", "fact", ""
        if self.kind == "count" and not self.measure:
            self.measure = "unit" if self.unit else ""


def understand(
    text: str, as_of: int, corpus: Corpus, *, topic: str | None = None, lang: str = ""
) -> Question:
    """Read a question asked about the corpus as of `as_of` (microseconds). `topic` are the words of `text` that say
    what it is about (all where None); spelling is corrected against the index."""
    folded = _with_phrases(fold(text))
    about = period(folded, as_of)
    words = tokens(folded)
    lang = lang or language(words)
    kind = _kind(folded, words, lang)
    stop = lexicon.STOPWORDS.get(lang, lexicon.ANY_STOPWORD)
    named = text if topic is None else topic
    of_topic = _with_phrases(fold(named))
    dated = period(of_topic, as_of)
    rest = tokens(dated.rest) if dated else tokens(of_topic)
    if about and about.year:
        rest.append(about.year)  # met by a post of that year or one that names it
    capital = {token for word in named.split() if word[:1].isupper() for token in tokens(word)}
    if text.istitle() or text.isupper():
        capital = set()
    foreign: dict[str, tuple[str, ...]] = {}
    if lang not in ("en", "und"):
        foreign = translations([word for word in dict.fromkeys(rest) if word not in stop])
        if lang == "de":
            capital -= _nouns(named, foreign)
        foreign = {
            word: _endings(word, corpus) if word in capital else others for word, others in foreign.items()
        }
    reading = _Reading(kind, capital, corpus, foreign)
    reading.overview = not rest
    for word in dict.fromkeys(rest):
        if not ((len(word) == 1 and word.isascii()) or word in stop):
            fixed = word if word in capital or foreign.get(word) else corrected(word, corpus)
            if fixed not in stop:
                reading.add(fixed)
    reading.settle()
    going_on = "happening" in words or _starts(folded, _GOING_ON)
    kind = reading.kind
    if kind == "fact" and (reading.overview or _starts(folded, _HAPPEN)):
        kind = "overview"
    terms = tuple(_joined(_without_idle(reading.terms, lang), named))
    part = _part_counted(words) if kind == "count" and reading.measure else ""
    return Question(
        text, lang, kind, terms, reading.measure, reading.unit, reading.newest or going_on, about, part
    )


def _without_idle(terms: list[Term], lang: str) -> list[Term]:
    """The terms without words that only name a kind of statement ("the ammonia rumour") or ask for the newest state
    ("still"), where others are left."""
    idle = lexicon.STATEMENTS.get(lang, frozenset()) | lexicon.NEWEST
    return [term for term in terms if term.role != "word" or term.text not in idle] or terms


def _part_counted(words: Sequence[str]) -> str:
    """The kind of people that a question counts: the first named right behind its word of counting."""
    for n, word in enumerate(words):
        if word in _COUNTING:
            return next(
                (part for near in words[n + 1 : n + 3] if (part := lexicon.PART_OF.get(near, ""))), ""
            )
    return ""


_COUNTING = frozenset(cue.split()[-1] for cue in lexicon.COUNT_CUES if len(cue.split()) < 3)
