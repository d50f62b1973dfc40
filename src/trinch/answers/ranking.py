"""Which of the candidates answer the question.

Owns scoring spans against each other and choosing: how many others say the like, how much is told at once, how new
it is, whether its numbers still stand, how much it adds. Knows nothing of the store and writes no text.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate, manner, tongue
from trinch.answers.count_timeline import CountState, agrees
from trinch.answers.quantities import figures
from trinch.answers.question import Question
from trinch.posts.text import fold, query_terms, stem, tokens

MAX_CLAIMS = 5
DAY = 86_400_000_000
NOVELTY = 0.55
"""How strongly a span is held back by its likeness to one already chosen (0 not at all, 1 fully)."""
WORTH = 0.15
"""A further span must score this share of the first."""
ALIKE = 0.4
"""Two spans of different sources at least this alike (cosine) tell the same thing in their own words."""
SPOKEN = 0.2
"""A span nearer than this speaks of the topic itself, not only its post."""
ECHO = np.log2(1 + 3) / 3
"""What three sources that tell the same amount to."""
STALE = 0.25
"""What is left of the score of a span that states a number since replaced."""
CURRENT = 1.5
"""What the score of a span is multiplied by that states the present number."""
REPEATED = 0.12
"""What is left of the score of a span that only counts what the answer has counted already."""


_EVENTS = lexicon.ANY_CONCEPT
_STOP = lexicon.ANY_STOPWORD


def _likeness(found: Sequence[QuoteCandidate], weight_of: Callable[[str], float]) -> NDArray[np.float64]:
    """Cosine of idf-weighted term vectors between all candidates, [n, n]."""
    held = [sorted(term for term in candidate.terms if term[0] not in "#$") for candidate in found]
    common = Counter(chain.from_iterable(held))
    weights = {term: weight_of(term) for term in common}
    index = {term: column for column, term in enumerate(term for term, n in common.items() if n > 1)}
    rows = [row for row, words in enumerate(held) for term in words if term in index]
    columns = [index[term] for words in held for term in words if term in index]
    table = np.zeros((len(found), max(len(index), 1)), dtype=np.float32)
    table[rows, columns] = [weights[term] for words in held for term in words if term in index]
    # A term that one candidate alone holds lengthens its vector and meets no other: it needs no column.
    norms = np.array([math.sqrt(sum(weights[term] ** 2 for term in words)) for words in held])
    table /= np.maximum(norms, 1e-9)[:, None].astype(np.float32)
    # Rounded, so that the order in which a machine adds does not decide what is chosen.
    cosine = (table @ table.T).astype(np.float64)
    return np.round(cosine, 4)


def _richness(found: Sequence[QuoteCandidate], weight_of: Callable[[str], float]) -> NDArray[np.float64]:
    """How many of the things that many sources speak of a span tells at once, 0 to 1.

    A term counts by the share of sources that hold it and by its rarity in the store, so that "two explosions at
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
    richness: NDArray[np.float64] = raw / max(float(raw.max(initial=0.0)), 1e-9)
    return richness


def _crowd(
    times: NDArray[np.int64],
) -> NDArray[np.float64]:
    """How much is said within a day of each time, 0 to 1: what a question is about happened when many spoke of it."""
    ordered = np.sort(times)
    near = np.searchsorted(ordered, times + DAY, "right") - np.searchsorted(ordered, times - DAY, "left")
    crowd: NDArray[np.float64] = np.sqrt(near / max(int(near.max(initial=1)), 1))
    return crowd


def _names(
    question: Question, found: Sequence[QuoteCandidate], weight_of: Callable[[str], float]
) -> dict[str, float]:
    """Capitalised words that the question does not hold: how many sources hold them times how rare they are, 0 to 1."""
    asked = {form for term in question.terms for form in term.forms}
    holders: dict[str, set[str]] = {}
    for candidate in found:
        for word in re.findall(r"\b[A-Z][\w'’-]+", candidate.text):
            name = fold(word)
            if (
                name not in _STOP
                and asked.isdisjoint(query_terms(name))
                and name not in lexicon.REPORTING
                and name not in lexicon.POINTERS
            ):
                holders.setdefault(name, set()).add(candidate.source.best.post.id)
    worth = {
        name: len(ids) ** 0.5 * weight_of(stem(name, "en")) ** 2
        for name, ids in holders.items()
        if len(ids) >= 2
    }
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
        return (
            1.15
            if any(f" {word} " in padded for word in ("in", "at", "near", "a", "en", "près", "cerca", "bei"))
            else 1.0
        )
    return 1.0


def rank(
    question: Question,
    found: Sequence[QuoteCandidate],
    curves: dict[str, list[CountState]],
    weight_of: Callable[[str], float],
) -> list[QuoteCandidate]:
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
        own_share = 0.5 if question.kind == "overview" else 0.7
        relevance = (1 - own_share) * candidate.about + own_share * candidate.near
        if candidate.near < SPOKEN:
            relevance *= 0.3
        if any(t.role == "event" and t.forms.isdisjoint(candidate.source.best.terms) for t in question.terms):
            relevance *= 0.5
        newness = 0.5 + 0.5 * order[i] if question.newest else 0.8 + 0.2 * order[i]
        newness *= 0.5 + 0.5 * crowd[i]
        score = relevance * (0.25 + float(central[i])) * newness * (0.55 + 0.45 * float(echoed[i]))
        score *= (
            manner(candidate.text)
            * candidate.source.weight
            * tongue(question, candidate.source.best.post.lang)
        )
        score *= _cue(question, candidate.text, names) * (0.85 if candidate.span.cut else 1.0)
        score *= _currency(candidate, curves, question)
        reported = any(word in lexicon.REPORTING or word in _EVENTS for word in tokens(candidate.text))
        if question.kind == "overview" and echoed[i] < ECHO and not reported:
            score = 0.0  # what hardly anybody else says, and is no report, is chatter about the name
        scores[i] = score

    stated = [figures(candidate.text, question.unit) for candidate in found]
    chosen: list[int] = []
    best = 0.0
    while len(chosen) < MAX_CLAIMS:
        held_back = likeness[:, chosen].max(axis=1) if chosen else np.zeros(len(found))
        told = {figure.quantity for i in chosen for figure in stated[i]}
        repeats = np.array([bool(s) and all(figure.quantity in told for figure in s) for s in stated])
        marginal = (
            scores
            * np.where(repeats, REPEATED, 1.0)
            * (1.0 - NOVELTY * np.clip(held_back / 0.6, 0.0, 1.0) ** 2)
        )
        for i in chosen:
            marginal[own[i]] = -1.0
        marginal[np.asarray(held_back) > 0.6] = -1.0
        pick = min(
            range(len(found)), key=lambda i: (-round(float(marginal[i]), 9), ids[i], found[i].span.start)
        )
        if marginal[pick] <= 0 or (chosen and marginal[pick] < WORTH * best):
            break
        best = best or float(marginal[pick])
        chosen.append(pick)
    return [found[i] for i in chosen]


def _same(ids: Sequence[str]) -> NDArray[np.bool_]:
    array = np.array(ids)
    same: NDArray[np.bool_] = array[:, None] == array[None, :]
    return same


def _currency(candidate: QuoteCandidate, curves: dict[str, list[CountState]], question: Question) -> float:
    """`STALE` for a span that states a number since replaced, `CURRENT` for one that states the present number."""
    stated = figures(candidate.text, question.unit)
    told = [figure for figure in stated if figure.quantity == "dead"] or stated
    current = False
    for figure in told:
        line = curves.get(figure.quantity, [])
        if not line or (len(line) == 1 and line[0].support < 2):
            continue
        present = line[-1:] if line[-1].support >= 2 else line[-2:]
        if not any(agrees(figure, state.value) for state in present):
            return STALE
        current = True
    return CURRENT if current and question.kind == "overview" else 1.0
