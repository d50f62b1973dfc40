"""Summaries, lists, timelines and the newest posts: which spans, and in which order."""

from collections.abc import Sequence

import numpy as np

from trinch.answers.candidates import QuoteCandidate, fitness
from trinch.answers.claims import Picked, agreeing
from trinch.answers.contradictions import paired, replaced
from trinch.answers.count_timeline import CountState, agrees
from trinch.answers.material import (
    Draft,
    Material,
    against,
    draft_of,
    undenied,
)
from trinch.answers.ranking import DAY, pick
from trinch.answers.render import minute
from trinch.posts.schema import UNDATED

POINT = 0.3
"""Share of the score of the second point of a summary that a further one must have."""
COUNTING = 0.15
"""Share of the posts on a topic that count the dead from which on an answer gives their number."""


def summary(m: Material) -> Draft:
    """The lead answers: the present number of the dead where it is known; then how it came to that, earliest first."""
    current = _current(m)
    lead = pick(m.scored, 1, among=current)
    if not lead:
        return Draft([], "", "not_enough_evidence")
    # Compared with each other: what everybody repeats must not silence the rest.
    others = pick(m.scored, m.size() - 1, among=current, chosen=lead, worth=POINT)
    chosen = [m.found[i] for i in [*lead, *others]]
    denials = against(m, chosen)
    chosen = replaced(chosen, denials, m.request.question)
    state = m.curves["dead"][-1] if m.curves.get("dead") else None
    if state and state.support >= 2 and _counts_matter(m):
        chosen = _with_count(m, chosen, state)
    ordered = paired(_in_time(m, chosen, state), denials, m.request.question)
    return draft_of(m, ordered[: m.size()], m.frame("summary", topic=m.topic), "answer")


def _current(m: Material) -> list[int]:
    """The places of the candidates without those that give a number of the dead or injured since replaced; all where
    nothing else is left."""
    lines = {quantity: m.curves[quantity] for quantity in ("dead", "injured") if m.curves.get(quantity)}
    known = {quantity: line[-1].value for quantity, line in lines.items() if line[-1].support >= 2}
    kept = [
        i
        for i, c in enumerate(m.found)
        if all(f.part or f.quantity not in known or agrees(f, known[f.quantity]) for f in c.figures)
    ]
    return kept or list(range(len(m.found)))


def _counts_matter(m: Material) -> bool:
    """Whether the topic is a kind of event, or a part of its posts that cannot be overlooked counts the dead."""
    stating = {c.source.best.post.id for c in m.found for f in c.figures if f.quantity == "dead"}
    named = any(term.role == "event" for term in m.request.question.terms)
    return named or len(stating) >= COUNTING * len({c.source.best.post.id for c in m.found})


def _with_count(m: Material, chosen: list[QuoteCandidate], state: CountState) -> list[QuoteCandidate]:
    """`chosen` with a span that gives the number of the dead, in the language of the request if any does."""
    reported = {(r.source.best.post.id, r.span.start) for r in state.reports}
    options = [c for c in m.found if (c.source.best.post.id, c.span.start) in reported]
    own = [c for c in options if c.source.best.post.lang == m.request.question.lang]
    best = max(
        own or options, key=lambda c: (round(fitness(m.request.question, c), 9), c.source.best.post.id)
    )
    given = [c for c in chosen if _states(c, state)]
    if not given:
        return [*chosen[: m.size() - 1], best]
    if own and best not in given and not any(c in own for c in given):
        return [best if c is given[0] else c for c in chosen if c not in given[1:]]
    return chosen


def _in_time(m: Material, chosen: Sequence[QuoteCandidate], state: CountState | None) -> list[QuoteCandidate]:
    """What a person needs first in front, the others earliest first; of several with one replaced number the first."""
    stating = [c for c in chosen if state and _states(c, state)]
    own = [c for c in stating if c.source.best.post.lang == m.request.question.lang]
    lead = (own or stating or list(chosen))[0]
    reported = {f.value for f in lead.figures if f.quantity == "dead"}
    kept = [lead]
    for candidate in sorted(
        (c for c in chosen if c is not lead), key=lambda c: (c.source.first, c.source.best.post.id)
    ):
        dead = {f.value for f in candidate.figures if f.quantity == "dead"}
        if state is None or not dead or not dead <= reported:
            kept.append(candidate)
        reported |= dead
    return kept


def _states(candidate: QuoteCandidate, state: CountState) -> bool:
    """Whether a span gives that number of the dead, or one that rounds it."""
    return any(f.quantity == "dead" and agrees(f, state.value) for f in candidate.figures)


def listed(m: Material) -> Draft:
    points = summary(m)
    picked = points.picked[: m.size()]
    if len(picked) < m.size() and not m.request.members:
        places = [m.found.index(p.candidate) for p in picked]
        more = pick(m.scored, m.size() - len(picked), chosen=places, worth=0.0)
        picked = [*picked, *(Picked(m.found[i], agreeing(m.found[i], m.found)) for i in more)]
    named = m.frame("listed", members=m.request.members.capitalize()) if m.request.members else ""
    return Draft(picked, named or m.frame("list", topic=m.topic), points.outcome)


def timeline(m: Material) -> Draft:
    """One line per development: the best span of each of as many stretches of time as there are to be lines."""
    order = sorted(
        range(len(m.found)), key=lambda i: (m.found[i].source.first, m.found[i].source.best.post.id)
    )
    good = _dated(m, [i for i in order if m.scored.scores[i] >= 0.1 * m.scored.scores.max()])
    chosen: list[int] = []
    for part in (*_by_duration(m, good), *_by_number(m, good)):
        if len(chosen) < m.size():
            chosen += pick(m.scored, 1, among=part, chosen=chosen)
    lines = undenied(m, [m.found[i] for i in chosen])
    lines.sort(key=lambda c: (c.source.first, c.source.best.post.id))
    return draft_of(m, lines, m.frame("timeline", topic=m.topic))


def _dated(m: Material, order: Sequence[int]) -> list[int]:
    """The candidates that have a time; all where none has."""
    return [i for i in order if m.found[i].source.first != UNDATED] or list(order)


def _by_duration(m: Material, order: Sequence[int]) -> list[list[int]]:
    """Candidates in time order, cut into half as many stretches of equal duration as there are to be lines."""
    first, last = m.found[order[0]].source.first, m.found[order[-1]].source.first
    parts: list[list[int]] = [[] for _ in range(max(2, m.size() // 2))]
    for i in order:
        share = (m.found[i].source.first - first) / max(last - first, 1)
        parts[min(int(share * len(parts)), len(parts) - 1)].append(i)
    return [part for part in parts if part]


def _by_number(m: Material, order: Sequence[int]) -> list[list[int]]:
    """Candidates in time order, cut into as many stretches of equally many as there are to be lines."""
    return [part.tolist() for part in np.array_split(np.array(order, dtype=int), min(m.size(), len(order)))]


def latest(m: Material) -> Draft:
    """The best of the newest, newest first."""
    good = _dated(m, [i for i in range(len(m.found)) if m.scored.scores[i] >= 0.2 * m.scored.scores.max()])
    newest = max((m.found[i].source.first for i in good), default=0)
    for hours in (6, 24, 96, 24 * 365):
        recent = [i for i in good if m.found[i].source.first >= newest - hours * DAY // 24]
        if len({m.found[i].source.best.post.id for i in recent}) >= 2 * m.size():
            break
    chosen = undenied(m, [m.found[i] for i in pick(m.scored, m.size(), among=recent)])
    chosen.sort(key=lambda c: (-c.source.first, c.source.best.post.id))
    period = m.request.question.period
    if m.request.task == "changes" and period:
        headline = m.frame("changes", topic=m.topic, since=minute(period.since))
    else:
        headline = m.frame("latest", topic=m.topic)
    return draft_of(m, chosen, headline)
