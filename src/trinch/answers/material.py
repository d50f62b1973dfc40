"""What composing an answer looks at, and what every task does with the spans it chose."""

import math
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate, candidates, present_states, reports
from trinch.answers.claims import Picked, agreeing
from trinch.answers.contradictions import Denied, denied, heard, paired, replaced
from trinch.answers.count_timeline import QUIET, CountState, Report
from trinch.answers.quantities import numbers
from trinch.answers.ranking import Scored, pick, reports_death, score
from trinch.answers.reading import PostReader, akin_to
from trinch.answers.render import minute
from trinch.answers.request import Request
from trinch.answers.retrieval import Evidence
from trinch.answers.types import Corpus, Outcome
from trinch.posts.schema import UNDATED
from trinch.posts.text import fold, tokens

SIZES = {"summary": 6, "timeline": 8, "opinions": 6, "list": 5, "said_by": 5, "latest": 5, "changes": 5}
"""Claims by task; `SIZE` for the others."""
SIZE = 4
HOLDS = 0.7
"""Share of a claim's words that a span must hold to say the same."""
FEW = 3
"""Posts on a happening from which on an earlier one of the same name is left out."""
_ROLE = re.compile(
    r"(?i)<\|?/?(?:system|assistant|user|posts|im_\w+)\|?>|\[/?(?:system|assistant|user|inst)\]"
)
"""Marks that chat templates set between the parts of a conversation."""


class Draft(NamedTuple):
    picked: list[Picked]
    headline: str
    outcome: Outcome


class Material(NamedTuple):
    """Everything about the evidence that composing looks at."""

    request: Request
    corpus: Corpus
    as_of: int
    found: list[QuoteCandidate]
    reports: dict[str, list[Report]]
    curves: dict[str, list[CountState]]
    weight_of: Callable[[str], float]
    scored: Scored
    reader: PostReader | None = None

    @property
    def topic(self) -> str:
        return self.request.topic or self.request.text

    def frame(self, key: str, **values: object) -> str:
        return lexicon.frame(self.request.lang, key, **values)

    def size(self) -> int:
        return self.request.limit or SIZES.get(self.request.task, SIZE)


def material(
    request: Request, evidence: Evidence, corpus: Corpus, as_of: int, reader: PostReader | None = None
) -> Material:
    """Read the evidence into candidates, reports of counts and scores."""
    found = [c for c in candidates(request.question, evidence, reader) if not gives_orders(c)]
    if request.members:
        found = _members(request, found)
    if not (request.question.period or request.task in ("said_by", "timeline")):
        found = newest_happening(found)
    reported = reports(request.question, evidence, found)
    curves = present_states(reported)
    weight_of = _idf(corpus)
    return Material(
        request,
        corpus,
        as_of,
        found,
        reported,
        curves,
        weight_of,
        score(request, found, curves, weight_of),
        reader,
    )


def _members(request: Request, found: Sequence[QuoteCandidate]) -> list[QuoteCandidate]:
    """The spans that name one of the kind listed; where deaths are listed, that report one of somebody by name."""
    kindred = akin_to(request.members)
    of_kind = [c for c in found if not kindred.isdisjoint(c.source.best.terms)]
    if lexicon.DIED.isdisjoint(tokens(fold(request.topic))):
        return [c for c in of_kind if c.share >= HOLDS and not kindred.isdisjoint(c.terms)]
    aside = frozenset(tokens(fold(request.text)))
    return [
        c
        for c in of_kind
        if not lexicon.DIED.isdisjoint(said := tokens(fold(c.text)))
        and lexicon.CONDITIONAL.isdisjoint(said)
        and lexicon.FEARED.isdisjoint(said)
        and reports_death(c.text, aside)
    ]


def gives_orders(candidate: QuoteCandidate) -> bool:
    """Whether a post addresses a program that reads it: such a post is no evidence."""
    text = candidate.source.best.post.text
    return bool(_ROLE.search(text)) or len(lexicon.ADDRESSES_ASSISTANTS.intersection(tokens(text))) >= 2


def newest_happening(found: Sequence[QuoteCandidate]) -> list[QuoteCandidate]:
    """The candidates since the last silence of `QUIET`, if that parts off at least `FEW` posts."""
    ordered = sorted(found, key=lambda c: (c.source.first, c.source.best.post.id))
    start = 0
    for i in range(1, len(ordered)):
        if ordered[i].source.first - ordered[i - 1].source.first > QUIET:
            posts = {c.source.best.post.id for c in ordered[i:]}
            if len(posts) >= max(FEW, 0.1 * len(ordered)):
                start = i
    since = ordered[start].source.first if ordered else 0
    return [c for c in found if c.source.first >= since]


def _idf(corpus: Corpus) -> Callable[[str], float]:
    size = corpus.num_posts + 1

    @cache
    def weight(term: str) -> float:
        return math.log(size / (corpus.doc_freq(term) + 0.5))

    return weight


def states_something(text: str) -> bool:
    """Whether a sentence neither asks nor supposes."""
    return lexicon.CONDITIONAL.isdisjoint(tokens(text)) and not text.rstrip("\"”'").endswith("?")


def attribution(m: Material, lead: QuoteCandidate) -> str:
    """How many say the first claim."""
    if not agreeing(lead, m.found) and len(lead.source.hits) == 1 and not _number_repeated(m, lead):
        return m.frame("single")
    return m.frame("question", posts=len({h.post.id for c in m.found for h in c.source.hits}))


def _number_repeated(m: Material, lead: QuoteCandidate) -> bool:
    """Whether another author gives the numbers of a span about the topic, in whatever words."""
    given = numbers(lead.text)
    return bool(given) and any(
        given <= numbers(c.text) and c.source.voice != lead.source.voice and c.near >= HOLDS / 2
        for c in m.found
    )


def chosen_spans(m: Material, limit: int, worth: float = 0.15) -> list[QuoteCandidate]:
    return [m.found[i] for i in pick(m.scored, limit, worth=worth)]


def against(m: Material, chosen: Sequence[QuoteCandidate]) -> dict[str, Denied]:
    """What is said against the chosen spans, in other posts on the topic and in replies to them."""
    return heard(chosen, m.corpus, m.as_of) | denied(m.request.question, m.found, m.weight_of)


def undenied(m: Material, chosen: Sequence[QuoteCandidate]) -> list[QuoteCandidate]:
    """`chosen` with the denial in place of each claim that is outweighed."""
    return replaced(chosen, against(m, chosen), m.request.question)


def count_headline(m: Material, quantity: str) -> str:
    """The newest number of a quantity and its time as a sentence; empty where its time is not known."""
    now = m.curves[quantity][-1]
    if now.latest == UNDATED:
        return ""
    return m.frame(
        "count",
        quantity=lexicon.name_of(m.request.lang, "quantities", quantity).capitalize(),
        value=f"{now.value:,.0f}" if now.value >= 10_000 else f"{now.value:.0f}",
        time=minute(now.latest),
    )


def with_denials(m: Material, chosen: Sequence[QuoteCandidate]) -> list[QuoteCandidate]:
    """`chosen` with the denial in place of each claim that is outweighed, and in front of each that stays."""
    denials = against(m, chosen)
    return paired(replaced(chosen, denials, m.request.question), denials, m.request.question)


def draft_of(
    m: Material, ordered: Sequence[QuoteCandidate], headline: str, outcome: Outcome = "answer"
) -> Draft:
    picked = [Picked(candidate, agreeing(candidate, m.found)) for candidate in ordered]
    return Draft(picked, headline, outcome if picked else "not_enough_evidence")
