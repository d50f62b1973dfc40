"""Which of the candidates answer the question.

Owns scoring spans against each other and choosing: how many others say the like, how much it says at once, how new
it is, whether its numbers are current, how much it adds.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate, tongue
from trinch.answers.causes import reason
from trinch.answers.count_timeline import CountState, agrees
from trinch.answers.question import Question
from trinch.answers.request import Request
from trinch.posts.text import fold, query_terms, stem, tokens

DAY = 86_400_000_000
NOVELTY = 0.55
"""How strongly a span is held back by its likeness to one already chosen (0 not at all, 1 fully)."""
WORTH = 0.15
"""A further span must score this share of the first."""
ALIKE = 0.4
"""Two spans of different sources at least this alike (cosine) tell the same thing in their own words."""
_RUN = re.compile(r"\b[A-ZÀ-Þ][\w'’.-]*(?: [A-ZÀ-Þ][\w'’.-]*)+")
LEAST = 0.3
"""What is left of the score of a span that, by the reader, does not say what is asked."""
PERSONLESS = 0.4
"""What is left of the score of a span that names nobody where somebody is asked for."""
UNNAMED = 0.35
"""What is left of the score of a span whose post does not hold a full name of the topic."""
SPOKEN = 0.2
"""A span nearer than this speaks of the topic itself, not only its post."""
ECHO = np.log2(1 + 3) / 3
"""What three sources that tell the same amount to."""
STALE = 0.25
"""What is left of the score of a span that states a number since replaced."""
CURRENT = 1.5
"""What the score of a span is multiplied by that states the present number."""
ENDED = 3
"""Sources that report the end of a search or a siege from which on it is over."""
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


_MAGNITUDE = re.compile(r"\b\d[.,]\d\b")
_NUMBER = re.compile(r"(?<![\w#@])\d+(?:[.,]\d+)?\s?-?(?!\d|th\b|st\b|nd\b|rd\b)[^\W\d_]*")
_MONEY = re.compile(
    r"[$€£¥] ?\d|\d ?[€£$]|\b\d[\d.,]* ?(?:dollars|euros?|usd|eur|billion|million)\b", re.IGNORECASE
)
_RESULT = re.compile(r"(?<![\d-])\d{1,3} ?[-–] ?\d{1,3}(?![\d-])")
_PLACED = re.compile(r"(?i)(?<!\w)(?:in|at|near|off|a|en|près|cerca|bei|presso|perto)(?!\w)")


def _cue(request: Request, text: str, lang: str, names: dict[str, float]) -> float:
    """How much a span looks like the kind of thing that is asked for; 1 is neutral."""
    held = set(tokens(text))
    value = 1.0
    if request.question.kind == "who" or "person" in request.wants:
        value *= 0.7 + max((names.get(word, 0.0) for word in held), default=0.0)
        value *= 1.0 if holds_person(text, frozenset(tokens(fold(request.text)))) else PERSONLESS
    if "time" in request.wants and any(c.isdigit() for c in text):
        value *= 1.2
    if "place" in request.wants and _PLACED.search(text):
        value *= 1.2
    if "magnitude" in request.wants:
        value *= 2.0 if _MAGNITUDE.search(text) else 0.4
    if "amount" in request.wants:
        value *= 1.6 if _NUMBER.search(text) else 0.5
    if "price" in request.wants:
        value *= 2.0 if _MONEY.search(text) else 0.5
    if "result" in request.wants:
        value *= 2.0 if _RESULT.search(text) or not held.isdisjoint(lexicon.CONCEPTS["win"]) else 0.5
    if request.task == "explain" or "manner" in request.wants:
        own = frozenset(tokens(fold(request.text)))  # "fire" gives no reason where a fire is asked about
        signs = max(len((held & lexicon.CAUSE) - own), reason(request.question, text, lang))
        value *= 0.4 + 0.6 * min(signs, 3)
    return value


_PERSON = re.compile(
    r"(?<!\b[Ii]n )(?<!\b[Aa]t )(?<!\bof )(?<!\bfrom )(?<!\bnear )(?<!['’]s )(?<![\w@#])[A-ZÀ-Þ][\w'’-]+(?: [A-ZÀ-Þ][\w'’.-]*){1,3}"
)
_TITLED = 0.6


def holds_person(text: str, aside: frozenset[str]) -> bool:
    """Whether a text names somebody: two to four words with a capital in a row, those `aside` left out ("King Willem"),
    none of them a place or a common word of reports. Of a headline, all of whose words have one, it may."""
    if not aside.isdisjoint(lexicon.DIED) and any(word in lexicon.PART_OF for word in tokens(fold(text))):
        return True  # "an officer was killed" says who died
    said = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) > 3]
    if said and sum(word[0].isupper() for word in said) >= _TITLED * len(said):
        return True
    named = ([word for word in tokens(fold(run)) if word not in aside] for run in _PERSON.findall(text))
    return any(words and all(word not in _NO_PERSON for word in words) for words in named)


_DIED = "|".join(
    sorted(
        lexicon.DIED
        - {"passed", "passes", "killed", "murdered", "death", "muerte", "tod", "deces", "fallecimiento"}
    )
)
_DEATH = re.compile(
    rf"(?i:\b(?:has |have |just )?(?:(?:{_DIED})(?!\s+or\b)|pass(?:ed|es) away|found dead)\b)"
)
_OF = re.compile(r"(?i:\b(?:rip|r\.i\.p\.?|death of|farewell,?)[\s:,]+)$")
_NAME = re.compile(r"(?<![\w@#])[A-ZÀ-Þ][\w'’-]+(?: [A-ZÀ-Þ][\w'’.-]*){0,3}")
NEAR = 90
"""Characters between a name and the word that reports a death."""


def reports_death(text: str, aside: frozenset[str]) -> bool:
    """Whether a text reports that somebody named in it died: a name in front of the verb ("Jeff Hanneman of Slayer died
    today"), or behind "RIP"."""
    for found in _NAME.finditer(text):
        words = [word for word in found[0].split() if not word.isupper()]
        last = bool(words) and not lexicon.DIED.isdisjoint(tokens(fold(words[-1])))
        words = [word for word in tokens(fold(" ".join(words))) if word not in lexicon.DIED]
        if not words or any(word in aside or word in _NO_PERSON for word in words):
            continue
        behind = text[found.end() : found.end() + NEAR]
        verb = _DEATH.search(behind)
        near = verb is not None and not re.search(r"[.!?]\s", behind[: verb.start()])
        if last or (near and verb and (len(words) > 1 or verb.start() < 3)):
            return True
        if len(words) > 1 and (_OF.search(text[: found.start()]) or found[0].upper().startswith("RIP ")):
            return True
    return False


_NO_PERSON = (
    lexicon.ANY_STOPWORD
    | lexicon.ANY_CONCEPT
    | lexicon.REPORTING
    | lexicon.POINTERS
    | frozenset(lexicon.PLACE_OF)
    | frozenset(["white", "house", "state", "national", "international", "university", "marathon", "street"])
)


class Scored(NamedTuple):
    """Candidates with what choosing among them needs."""

    found: Sequence[QuoteCandidate]
    scores: NDArray[np.float64]
    likeness: NDArray[np.float64]
    """Cosine of every two candidates, [n, n]."""


def score(
    request: Request,
    found: Sequence[QuoteCandidate],
    curves: dict[str, list[CountState]],
    weight_of: Callable[[str], float],
) -> Scored:
    """Score each candidate alone: relevant, agreed upon, well put, in time, of the kind asked for."""
    question = request.question
    likeness = _likeness(found, weight_of)
    trust = np.array([candidate.source.weight for candidate in found], dtype=np.float32)
    own = _same([candidate.source.best.post.id for candidate in found])
    others = np.where(own, 0.0, likeness) * trust[None, :]
    central = others.sum(axis=1)
    central = 0.4 * central / max(float(central.max(initial=0.0)), 1e-9) + 0.6 * _richness(found, weight_of)
    times = np.array([candidate.source.first for candidate in found], dtype=np.int64)
    crowd = _crowd(times)
    echoed = np.minimum(np.log2(1.0 + (others > ALIKE).sum(axis=1)) / 3.0, 1.0)
    names = _names(question, found, weight_of)
    order = np.argsort(np.argsort(times, kind="stable"), kind="stable") / max(len(found) - 1, 1)
    fresh = question.newest or (request.yes_no and request.task == "question")
    least = 0.3 if fresh else 0.5 if request.task in ("explain", "verify", "summary") else 0.8
    newness = (least + (1 - least) * order) * (0.5 + 0.5 * crowd)
    support = (0.25 + central) * newness * (0.55 + 0.45 * echoed)
    scores = np.array(
        [
            _relevance(request, candidate) * support[i] * _form(request, candidate, curves, names)
            if not _is_chatter(request, candidate, float(echoed[i]))
            else 0.0
            for i, candidate in enumerate(found)
        ]
    )
    if request.task in ("question", "summary", "list"):
        scores *= np.where(_is_over(found), STALE, 1.0)
    return Scored(found, scores, likeness)


def _is_over(found: Sequence[QuoteCandidate]) -> NDArray[np.bool_]:
    """Which candidates say that somebody is sought or held, where `ENDED` later sources, and no fewer than those that
    still say so, report that it is over."""
    said = [frozenset(tokens(c.text)) for c in found]
    ongoing = [not words.isdisjoint(lexicon.ONGOING) for words in said]
    ended = [not words.isdisjoint(lexicon.ENDED) and not on for words, on in zip(said, ongoing, strict=True)]

    def later(marked: Sequence[bool], at: int) -> int:
        return len(
            {
                c.source.best.post.id
                for c, is_so in zip(found, marked, strict=True)
                if is_so and c.source.first > at
            }
        )

    return np.array(
        [
            on and (over := later(ended, c.source.first)) >= ENDED and over >= later(ongoing, c.source.first)
            for c, on in zip(found, ongoing, strict=True)
        ],
        dtype=bool,
    )


def _relevance(request: Request, candidate: QuoteCandidate) -> float:
    question = request.question
    own_share = 0.5 if question.kind == "overview" else 0.7
    relevance = (1 - own_share) * candidate.about + own_share * candidate.near
    if candidate.near < SPOKEN:
        relevance *= 0.3
    names = full_names(request.topic)
    if names and not any(name in fold(candidate.source.best.post.text) for name in names):
        relevance *= UNNAMED
    if any(t.role == "event" and t.forms.isdisjoint(candidate.source.best.terms) for t in question.terms):
        relevance *= 0.5
    return relevance * (LEAST + (1 - LEAST) * candidate.answer)


@lru_cache(maxsize=64)
def full_names(topic: str) -> tuple[str, ...]:
    """Names of several capitalised words in a topic, folded, also as one word as hashtags write them ("Xbox One")."""
    found = [fold(run) for run in _RUN.findall(topic)]
    return tuple(name for run in found for name in (run, run.replace(" ", "")))


def _form(
    request: Request, candidate: QuoteCandidate, curves: dict[str, list[CountState]], names: dict[str, float]
) -> float:
    """What the wording of a span is worth."""
    value = candidate.source.weight * tongue(request.question, candidate.source.best.post.lang)
    value *= 1.0 if request.task in ("opinions", "said_by") else candidate.manner
    value *= 0.85 if candidate.span.cut else 1.0
    return (
        value
        * _cue(request, candidate.text, candidate.source.best.post.lang, names)
        * _currency(candidate, curves, request.question)
    )


def _is_chatter(request: Request, candidate: QuoteCandidate, echoed: float) -> bool:
    """What hardly anybody else says, and is no report, is chatter about the name."""
    if request.members or request.task not in ("summary", "list", "timeline", "latest", "changes"):
        return False
    own = frozenset(tokens(fold(request.topic))) if request.question.kind != "overview" else frozenset()
    return echoed < ECHO and not any(
        word in lexicon.REPORTING or word in lexicon.ANY_CONCEPT
        for word in tokens(candidate.text)
        if word.lstrip("#") not in own
    )


def pick(
    scored: Scored,
    limit: int,
    *,
    among: Sequence[int] | None = None,
    chosen: Sequence[int] = (),
    worth: float = WORTH,
) -> list[int]:
    """Up to `limit` places of candidates, best first, each adding to those before and to `chosen`."""
    found, likeness = scored.found, scored.likeness
    ids = [candidate.source.best.post.id for candidate in found]
    own = _same(ids)
    allowed = np.zeros(len(found), dtype=bool)
    allowed[list(range(len(found)) if among is None else among)] = True
    kept: list[int] = []
    best = 0.0
    while len(kept) < limit:
        before = [*chosen, *kept]
        held_back = likeness[:, before].max(axis=1) if before else np.zeros(len(found))
        counted = {figure.quantity for i in before for figure in found[i].figures}
        repeats = np.array(
            [bool(c.figures) and all(figure.quantity in counted for figure in c.figures) for c in found]
        )
        marginal = scored.scores * np.where(repeats, REPEATED, 1.0)
        marginal = marginal * (1.0 - NOVELTY * np.clip(held_back / 0.6, 0.0, 1.0) ** 2)
        marginal[~allowed | (np.asarray(held_back) > ALIKE)] = -1.0
        for i in before:
            marginal[own[i]] = -1.0
        top = min(
            range(len(found)), key=lambda i: (-round(float(marginal[i]), 9), ids[i], found[i].span.start)
        )
        if marginal[top] <= 0 or (kept and marginal[top] < worth * best):
            break
        best = best or float(marginal[top])
        kept.append(top)
    return kept


def _same(ids: Sequence[str]) -> NDArray[np.bool_]:
    array = np.array(ids)
    same: NDArray[np.bool_] = array[:, None] == array[None, :]
    return same


def _currency(candidate: QuoteCandidate, curves: dict[str, list[CountState]], question: Question) -> float:
    """`STALE` for a span that states a number since replaced, `CURRENT` for one that states the present number."""
    stated = candidate.figures
    counts = [figure for figure in stated if figure.quantity == "dead"] or stated
    current = False
    for figure in counts:
        line = curves.get(figure.quantity, [])
        if not line or (len(line) == 1 and line[0].support < 2):
            continue
        present = line[-1:] if line[-1].support >= 2 else line[-2:]
        if not any(agrees(figure, state.value) for state in present):
            return STALE
        current = True
    return CURRENT if current and question.kind == "overview" else 1.0
