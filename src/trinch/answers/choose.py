"""Which spans answer the question.

Owns scoring and choosing spans: how much a span speaks of what is asked, how many others say the like, how it is
put, how new it is, how much it adds. Knows nothing of the ocean and writes no text.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from trinch.answers import lexicon
from trinch.answers.evidence import Source
from trinch.answers.figures import Figure, figures
from trinch.answers.question import Question
from trinch.answers.spans import Span, spans
from trinch.answers.states import Report, State, agrees, curve
from trinch.answers.topic import Evidence, coverage
from trinch.posts.text import fold, query_terms, stem, terms, tokens

MAX_CLAIMS = 4
SPANS_PER_POST = 4
DAY = 86_400_000_000
NOVELTY = 0.55
"""How strongly a span is held back by its likeness to one already chosen (0 not at all, 1 fully)."""
UNIT_SHARE = 0.6
"""Share of the question a span must hold itself where it counts something the lexicon does not know."""
WORTH = 0.3
"""A further span must score this share of the first."""
ALIKE = 0.4
"""Two spans of different sources at least this alike (cosine) tell the same thing in their own words."""
STALE = 0.25
"""What is left of the score of a span that states a number since replaced."""


CURRENT = 1.5
"""What the score of a span is multiplied by that states the present number."""


REPEATED = 0.12
"""What is left of the score of a span that only counts what the answer has counted already."""


class Candidate(NamedTuple):
    source: Source
    span: Span
    text: str
    terms: frozenset[str]
    about: float
    share: float
    """How much of the question the span itself holds."""


def candidates(question: Question, evidence: Evidence) -> list[Candidate]:
    """All spans of the sources' best posts, in a fixed order."""
    found = []
    for source, about in zip(evidence.sources, evidence.about, strict=True):
        post = source.best.post
        for span in spans(post.text)[:SPANS_PER_POST]:
            text = post.text[span.start : span.end]
            held = frozenset(terms(text, post.lang))
            share, _ = coverage(question, held, text, source.best.at, post.lang)
            found.append(Candidate(source, span, text, held, about, share))
    return found


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


def reports(question: Question, evidence: Evidence, found: Sequence[Candidate]) -> dict[str, list[Report]]:
    """The figures stated in the candidates, by quantity; of several of one quantity the one nearest to the topic."""
    topical = frozenset(evidence.profile).union(*(term.forms for term in question.terms))
    result: dict[str, list[Report]] = {}
    for candidate in found:
        stated: dict[str, Report] = {}
        if candidate.text.rstrip("\"”'").endswith("?"):
            continue
        found_here = figures(candidate.text, question.unit)
        for figure in found_here:
            if figure.quantity == "unit" and candidate.share < UNIT_SHARE:
                continue
            rivals = [f for f in found_here if f.quantity == figure.quantity]
            if len(rivals) > 1 and _nearest(rivals, candidate.text, topical) is not figure:
                continue
            stated[figure.quantity] = Report(candidate.source, candidate.span, figure, candidate.about)
        for quantity, report in stated.items():
            result.setdefault(quantity, []).append(report)
    return result


def manner(text: str) -> float:
    """How like a report a sentence is put, about 0.1 to 1.1: feelings, questions, shouting and scraps score less."""
    words = tokens(text)
    if not words:
        return 0.1
    score = 1.0
    score *= (1.0, 0.5, 0.3)[min(sum(word in lexicon.PERSONAL for word in words), 2)]
    score *= (1.0, 0.65, 0.45)[min(sum(word in lexicon.POINTERS for word in words), 2)]
    score *= (1.0, 0.7, 0.5)[min(sum(word in lexicon.OPINION for word in words), 2)]
    score *= (0.8, 1.0, 1.1, 1.2)[min(sum(word in lexicon.REPORTING for word in words), 3)]
    if text.rstrip("\"”'").endswith("?"):
        score *= 0.45
    if "!!" in text:
        score *= 0.7
    elif text.endswith("!"):
        score *= 0.85
    if len(words) < 5:
        score *= 0.55
    elif len(words) < 7:
        score *= 0.85
    elif len(words) > 45:
        score *= 0.8
    if any(word in lexicon.HEARSAY for word in words):
        score *= 0.7
    if words[0] in ("he", "she", "they", "it", "this", "that", "and", "but", "so", "il", "elle", "ils", "et", "also", "because"):
        score *= 0.7
    if text[:1].islower():
        score *= 0.8
    if re.search(r"\[[^\]]*\]|\(\d{4}\)|\bago\b", text):
        score *= 0.6
    if sum(word[0] in "#@$" for word in words) > 3:
        score *= 0.7
    if any(c.isdigit() for c in text):
        score *= 1.08
    return score


def fitness(question: Question, candidate: Candidate) -> float:
    """Which of several spans that state the same number to quote."""
    score = manner(candidate.text) * candidate.source.weight * (0.4 + candidate.about * 0.3 + candidate.share * 0.3)
    stated = figures(candidate.text, question.unit)
    if len({f.quantity for f in stated}) < len({(f.quantity, f.value) for f in stated}):
        score *= 0.5  # two counts of one quantity in a sentence: a reader cannot tell which is meant
    if any(word in ("toll", "confirmed", "confirm", "bilan", "confirmados", "bestatigt") for word in tokens(candidate.text)):
        score *= 1.25
    return score * (0.85 if candidate.span.cut else 1.0) * tongue(question, candidate.source.best.post.lang)


def tongue(question: Question, lang: str) -> float:
    if question.lang in ("und", lang):
        return 1.0
    return 0.55 if lang in ("en", "und") else 0.45


def _likeness(found: Sequence[Candidate], weight_of: Callable[[str], float]) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
    """Cosine of idf-weighted term vectors between all candidates, [n, n]."""
    index: dict[str, int] = {}
    rows, columns, values = [], [], []
    for row, candidate in enumerate(found):
        for term in sorted(candidate.terms):
            if term[0] in "#$":
                continue
            rows.append(row)
            columns.append(index.setdefault(term, len(index)))
            values.append(weight_of(term))
    table = np.zeros((len(found), max(len(index), 1)), dtype=np.float32)
    table[rows, columns] = values
    norms = np.linalg.norm(table, axis=1, keepdims=True)
    table /= np.maximum(norms, 1e-9)
    cosine: np.ndarray[tuple[int, int], np.dtype[np.float32]] = table @ table.T
    return cosine


def _richness(found: Sequence[Candidate], weight_of: Callable[[str], float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """How many of the things that many sources speak of a span tells at once, 0 to 1.

    A term counts by the share of sources that hold it and by its rarity in the ocean, so that "two explosions at
    the finish line, 2 dead" outweighs "explosion at the marathon"; shared with one other source at least.
    """
    sources: dict[str, set[str]] = {}
    for candidate in found:
        for term in candidate.terms:
            sources.setdefault(term, set()).add(candidate.source.best.post.id)
    total = max(len({candidate.source.best.post.id for candidate in found}), 1)
    worth = {
        term: (len(ids) / total) ** 0.5 * weight_of(term)
        for term, ids in sources.items()
        if len(ids) >= 2 and term[0] not in "#@" and len(term) > 1
    }
    raw = np.array([sum(sorted((worth.get(t, 0.0) for t in c.terms), reverse=True)[:14]) for c in found])
    richness: np.ndarray[tuple[int], np.dtype[np.float64]] = raw / max(float(raw.max(initial=0.0)), 1e-9)
    return richness


def _crowd(times: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """How much is said within a day of each time, 0 to 1: what a question is about happened when many spoke of it."""
    ordered = np.sort(times)
    near = np.searchsorted(ordered, times + DAY, "right") - np.searchsorted(ordered, times - DAY, "left")
    crowd: np.ndarray[tuple[int], np.dtype[np.float64]] = np.sqrt(near / max(int(near.max(initial=1)), 1))
    return crowd


def _names(question: Question, found: Sequence[Candidate], weight_of: Callable[[str], float]) -> dict[str, float]:
    """Capitalised words that the question does not hold: how many sources hold them times how rare they are, 0 to 1."""
    asked = {form for term in question.terms for form in term.forms}
    holders: dict[str, set[str]] = {}
    for candidate in found:
        for word in re.findall(r"(?<=[a-z,] )[A-Z][\w'’-]+", candidate.text):
            name = fold(word)
            if asked.isdisjoint(query_terms(name)) and name not in lexicon.REPORTING and name not in lexicon.POINTERS:
                holders.setdefault(name, set()).add(candidate.source.best.post.id)
    worth = {name: len(ids) ** 0.5 * weight_of(stem(name, "en")) ** 2 for name, ids in holders.items() if len(ids) >= 2}
    most = max(worth.values(), default=1.0)
    return {name: value / most for name, value in worth.items()}


def _cue(question: Question, text: str, names: dict[str, float]) -> float:
    """Whether a span looks like the kind of thing that is asked for."""
    if question.kind == "who":
        return 0.7 + max((names.get(word, 0.0) for word in tokens(text)), default=0.0)
    if question.kind == "when":
        return 1.2 if any(c.isdigit() for c in text) else 1.0
    if question.kind == "where":
        padded = f" {text.lower()} "
        return 1.15 if any(f" {word} " in padded for word in ("in", "at", "near", "a", "en", "près", "cerca", "bei")) else 1.0
    return 1.0


def rank(question: Question, found: Sequence[Candidate], curves: dict[str, list[State]], weight_of: Callable[[str], float]) -> list[Candidate]:
    """Up to `MAX_CLAIMS` spans, best first: relevant, agreed upon, well put, new, and each adding to the last."""
    if not found:
        return []
    likeness = _likeness(found, weight_of)
    trust = np.array([candidate.source.weight for candidate in found], dtype=np.float32)
    ids = [candidate.source.best.post.id for candidate in found]
    own = _same(ids)
    others = np.where(own, 0.0, likeness) * trust[None, :]
    central = others.sum(axis=1)
    central = 0.4 * central / max(float(central.max()), 1e-9) + 0.6 * _richness(found, weight_of)
    times = np.array([candidate.source.first for candidate in found], dtype=np.int64)
    crowd = _crowd(times)
    echoed = np.minimum(np.log2(1.0 + (others > ALIKE).sum(axis=1)) / 3.0, 1.0)
    names = _names(question, found, weight_of) if question.kind == "who" else {}
    order = np.argsort(np.argsort(times, kind="stable"), kind="stable") / max(len(found) - 1, 1)

    scores = np.zeros(len(found))
    for i, candidate in enumerate(found):
        relevance = 0.5 * candidate.about + 0.5 * candidate.share
        newness = 0.5 + 0.5 * order[i] if question.newest else 0.8 + 0.2 * order[i]
        newness *= 0.5 + 0.5 * crowd[i]
        score = relevance * (0.25 + float(central[i])) * newness * (0.55 + 0.45 * float(echoed[i]))
        score *= manner(candidate.text) * candidate.source.weight * tongue(question, candidate.source.best.post.lang)
        score *= _cue(question, candidate.text, names) * (0.85 if candidate.span.cut else 1.0)
        score *= _currency(candidate, curves, question)
        scores[i] = score

    stated = [figures(candidate.text, question.unit) for candidate in found]
    chosen: list[int] = []
    best = 0.0
    while len(chosen) < MAX_CLAIMS:
        held_back = likeness[:, chosen].max(axis=1) if chosen else np.zeros(len(found))
        told = {figure.quantity for i in chosen for figure in stated[i]}
        repeats = np.array([bool(s) and all(figure.quantity in told for figure in s) for s in stated])
        marginal = scores * np.where(repeats, REPEATED, 1.0) * (1.0 - NOVELTY * np.clip(held_back / 0.6, 0.0, 1.0) ** 2)
        for i in chosen:
            marginal[own[i]] = -1.0
        marginal[np.asarray(held_back) > 0.6] = -1.0
        pick = min(range(len(found)), key=lambda i: (-round(float(marginal[i]), 9), ids[i], found[i].span.start))
        if marginal[pick] <= 0 or (chosen and marginal[pick] < WORTH * best):
            break
        best = best or float(marginal[pick])
        chosen.append(pick)
    return [found[i] for i in chosen]


def _same(ids: Sequence[str]) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    array = np.array(ids)
    same: np.ndarray[tuple[int, int], np.dtype[np.bool_]] = array[:, None] == array[None, :]
    return same


def _currency(candidate: Candidate, curves: dict[str, list[State]], question: Question) -> float:
    """`STALE` for a span that states a number since replaced, `CURRENT` for one that states the present number."""
    told = figures(candidate.text, question.unit)
    told = [figure for figure in told if figure.quantity == "dead"] or told
    current = False
    for figure in told:
        line = curves.get(figure.quantity, [])
        if not line or (len(line) == 1 and line[0].support < 2):
            continue
        present = line[-1:] if line[-1].support >= 2 else line[-2:]
        if not any(agrees(figure, state.value) for state in present):
            return STALE
        current = True
    return CURRENT if current else 1.0


def present_states(found: dict[str, list[Report]]) -> dict[str, list[State]]:
    """The believed curve of each quantity."""
    return {quantity: curve(group) for quantity, group in sorted(found.items())}
