"""What could be quoted: every span of the evidence, what it counts, and how it is put.

Owns the candidates and the judgements that need no other candidate.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.count_timeline import CountState, Report, curve
from trinch.answers.evidence import PostGroup
from trinch.answers.quantities import Figure, figures
from trinch.answers.question import Question
from trinch.answers.reading import PostReader
from trinch.answers.retrieval import Evidence, closeness, coverage
from trinch.answers.spans import Span, spans
from trinch.posts.text import fold, query_terms, terms, tokens
from trinch.reader import Passage

SPANS_PER_POST = 4
UNIT_SHARE = 0.6
"""Share of the question a span must hold itself where it counts something the lexicon does not know."""


class QuoteCandidate(NamedTuple):
    source: PostGroup
    span: Span
    text: str
    terms: frozenset[str]
    about: float
    share: float
    """How much of the question the span itself holds."""
    near: float
    """The same, or how near its words are to the topic's, if that is more."""
    figures: tuple[Figure, ...]
    """The counted numbers it states."""
    manner: float
    """How like a report it is put (`manner`)."""
    answer: float = 1.0
    """How likely it says what is asked, by the reader, as a share of the likeliest span."""


def candidates(
    question: Question, evidence: Evidence, reader: PostReader | None = None
) -> list[QuoteCandidate]:
    """All spans of the sources' best posts, in a fixed order, read by the `reader` if there is one."""
    found: list[QuoteCandidate] = []
    for source, about in zip(evidence.sources, evidence.about, strict=True):
        post = source.best.post
        for span in spans(post.text)[:SPANS_PER_POST]:
            text = post.text[span.start : span.end]
            held = frozenset(terms(text, post.lang))
            share, _ = coverage(question, held, fold(text), source.best.at, post.lang)
            near = max(share, 0.95 * closeness(evidence.profile, held))
            found.append(
                QuoteCandidate(
                    source, span, text, held, about, share, near, figures(text, question.unit), manner(text)
                )
            )
    if reader is None or not reader.judges_answers or not found:
        return found
    chances = reader.answers([Passage(c.text, c.terms, c.source.best.post.lang) for c in found])
    best = max(*chances, 1e-6)
    return [
        candidate._replace(answer=chance / best) for candidate, chance in zip(found, chances, strict=True)
    ]


def reports(
    question: Question, evidence: Evidence, found: Sequence[QuoteCandidate]
) -> dict[str, list[Report]]:
    """The figures stated in the candidates, by quantity; of several of one quantity the one nearest to the topic."""
    topical = frozenset(evidence.profile).union(*(term.forms for term in question.terms))
    result: dict[str, list[Report]] = {}
    for candidate in found:
        stated: dict[str, Report] = {}
        if candidate.text.rstrip("\"”'").endswith("?"):
            continue
        found_here = candidate.figures
        for figure in found_here:
            if figure.quantity == "unit" and candidate.share < UNIT_SHARE:
                continue
            rivals = [f for f in found_here if f.quantity == figure.quantity]
            if len(rivals) > 1 and _nearest(rivals, candidate.text, topical) is not figure:
                continue
            stated[figure.quantity] = Report(candidate.source, candidate.span, figure, candidate.about)
        for quantity, report in stated.items():
            result.setdefault(quantity, []).append(report)
    return {quantity: _of_part(question, group) for quantity, group in result.items()}


def _of_part(question: Question, found: list[Report]) -> list[Report]:
    """The reports that count whom the question asks about: such people alone, or everybody. Where nobody counts
    everybody, the numbers of a part are all that is known."""
    if question.part:
        return [report for report in found if report.figure.part == question.part]
    return [report for report in found if not report.figure.part] or found


def present_states(found: dict[str, list[Report]]) -> dict[str, list[CountState]]:
    """The believed curve of each quantity."""
    return {quantity: curve(group) for quantity, group in sorted(found.items())}


def _nearest(rivals: Sequence[Figure], text: str, topical: frozenset[str]) -> Figure:
    """Of several figures of one quantity in a sentence, the one that words of the topic stand closest to.

    "Blast kills 30 in Kabul, 3 people died at Boston Marathon" counts 3 where Boston is asked about. A figure
    behind "toll" is the running total.
    """
    marks = [
        (found.start(), found.end())
        for found in re.finditer(r"\w+", text)
        if not topical.isdisjoint(query_terms(fold(found[0])))
    ]

    def pull(figure: Figure) -> float:
        left = max((f.end for f in rivals if f.end <= figure.start), default=0)
        right = min((f.start for f in rivals if f.start >= figure.end), default=len(text))
        near = sum(
            1.0 / (1 + (figure.start - end if end <= figure.start else start - figure.end))
            for start, end in marks
            if left <= start < right and not start <= figure.start < end
        )
        return near + ("toll" in fold(text[left : figure.start]))

    return max(rivals, key=lambda f: (round(pull(f), 6), f.value, -f.start))


_REFERRING = frozenset(
    [
        "he",
        "she",
        "they",
        "it",
        "this",
        "that",
        "and",
        "but",
        "so",
        "il",
        "elle",
        "ils",
        "et",
        "also",
        "because",
    ]
)
"""Words that a sentence begins with that speaks of something named elsewhere."""
_ASIDE = re.compile(r"\[[^\]]*\]|\(\d{4}\)|\bago\b")


_MARKS = frozenset().union(
    lexicon.PERSONAL, lexicon.POINTERS, lexicon.OPINION, lexicon.REPORTING, lexicon.HEARSAY, lexicon.JOKES
)


def _wording(words: list[str]) -> float:
    """How like a report a row of words is."""

    marked = [word for word in words if word in _MARKS]

    def count(listed: frozenset[str]) -> int:
        return sum(word in listed for word in marked)

    value = (1.0, 0.5, 0.3)[min(count(lexicon.PERSONAL), 2)]
    value *= (1.0, 0.65, 0.45)[min(count(lexicon.POINTERS), 2)]
    value *= (1.0, 0.7, 0.5)[min(count(lexicon.OPINION), 2)]
    value *= (0.8, 1.0, 1.1, 1.2)[min(count(lexicon.REPORTING), 3)]
    value *= 0.7 if count(lexicon.HEARSAY) else 1.0
    value *= 0.3 if count(lexicon.JOKES) else 1.0
    value *= 0.7 if words[0] in _REFERRING else 1.0
    return value * (0.7 if sum(word[0] in "#@$" for word in words) > 3 else 1.0)


def _length(words: list[str]) -> float:
    """Scraps and endless sentences are worth less."""
    size = len(words)
    return 0.55 if size < 5 else 0.85 if size < 7 else 0.8 if size > 45 else 1.0


def manner(text: str) -> float:
    """How like a report a sentence is put, about 0.1 to 1.1: feelings, questions, shouting and scraps score less."""
    words = tokens(text)
    if not words:
        return 0.1
    score = _wording(words) * _length(words)
    score *= 0.45 if text.rstrip("\"”'").endswith("?") else 1.0
    score *= 0.7 if "!!" in text else 0.85 if text.endswith("!") else 1.0
    score *= 0.8 if text[:1].islower() else 1.0
    score *= 0.6 if _ASIDE.search(text) else 1.0
    score *= 0.5 if "\ufffd" in text else 1.0  # letters lost before the post was ingested
    return score * (1.08 if any(c.isdigit() for c in text) else 1.0)


def tongue(question: Question, lang: str) -> float:
    if question.lang in ("und", lang):
        return 1.0
    return 0.45 if lang in ("en", "und") else 0.4


def fitness(question: Question, candidate: QuoteCandidate) -> float:
    """Which of several spans that state the same number to quote."""
    score = candidate.manner * candidate.source.weight * (0.4 + candidate.about * 0.3 + candidate.share * 0.3)
    stated = candidate.figures
    if len({f.quantity for f in stated}) < len({(f.quantity, f.value) for f in stated}):
        score *= 0.5  # two counts of one quantity in a sentence: a reader cannot tell which is meant
    if any(
        word in ("toll", "confirmed", "confirm", "bilan", "confirmados", "bestatigt")
        for word in tokens(candidate.text)
    ):
        score *= 1.25
    return score * (0.85 if candidate.span.cut else 1.0) * tongue(question, candidate.source.best.post.lang)
