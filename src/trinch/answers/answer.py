"""Question in, checked and cited answer out.

Owns the order of the steps and how chosen spans become claims. No language model: each sentence is the exact span
of a post. The same question, as-of time and store give the same answer; ties are broken by post id.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache

from trinch.answers import evidence as weighing
from trinch.answers.candidates import QuoteCandidate, candidates, fitness, present_states, reports
from trinch.answers.contradictions import Denied, denied, denies, heard, paired, replaced
from trinch.answers.count_timeline import HOUR, CountState, Report, agrees
from trinch.answers.count_timeline import states as every_state
from trinch.answers.evidence import PostGroup
from trinch.answers.quantities import figures
from trinch.answers.question import Question, understand
from trinch.answers.quote_check import checked, supports
from trinch.answers.ranking import DAY, rank
from trinch.answers.retrieval import gather
from trinch.answers.types import Answer, Citation, CitedPost, Claim, Corpus, Hit
from trinch.posts.times import now

MAX_SENTENCES = 5
CITATIONS = 3
"""Most citations a sentence shows; `authors` and `posts` count all."""
BESIDE = 6 * HOUR
"""The missing and injured are told beside the dead where they are not older than this."""
CONFLICT = 0.1
"""Two counts that differ by more than this share are shown as a conflict, not as one count seen twice."""


def answer(store: Corpus, question: str, as_of: int | None = None) -> Answer:
    """Answer a question from what `store` held as of a time (microseconds; None is now).

    `outcome` is `not_enough_evidence`, with no sentence at all, where the posts do not speak of what is asked.
    """
    started = time.perf_counter()
    moment = now() if as_of is None else as_of
    asked = understand(question, moment, store)
    gathered = gather(asked, store, moment)
    claims: list[Claim] = []
    retrieved: dict[tuple[str, str], Hit] = {}
    cited: list[CitedPost] = []
    if gathered.enough:
        found = candidates(asked, gathered)
        idf = _idf(store)
        told = reports(asked, gathered, found)
        curves = present_states(told)
        present = {quantity: states[-1] for quantity, states in curves.items() if states}
        if asked.kind == "count" and asked.measure:
            picked = _counted(asked, found, told, curves)
        else:
            against = denied(asked, found, idf)
            chosen = rank(asked, found, curves, idf)
            against = heard(chosen, store, moment) | against
            picked = _told(asked, found, chosen, present, against)
        for candidate, agreeing in picked[:MAX_SENTENCES]:
            claims.append(_claim(candidate, agreeing, store, moment, retrieved, cited))
    drafted = Answer(
        question=question,
        as_of=moment,
        outcome="answer" if claims else "not_enough_evidence",
        answer="",
        claims=tuple(claims),
        sources=tuple({(source.network, source.id): source for source in cited}.values()),
        took_ms=0.0,
    )
    took = round((time.perf_counter() - started) * 1000, 1)
    return checked(drafted, retrieved, took)


Picked = tuple[QuoteCandidate, list[tuple[PostGroup, int, int]]]
"""A span to quote, and the other sources that say the same with the offsets of where they say it."""


def _idf(store: Corpus) -> Callable[[str], float]:
    size = store.num_posts + 1

    @cache
    def weight(term: str) -> float:
        return math.log(size / (store.doc_freq(term) + 0.5))

    return weight


def _told(
    asked: Question,
    found: Sequence[QuoteCandidate],
    chosen: list[QuoteCandidate],
    present: dict[str, CountState],
    against: dict[str, Denied],
) -> list[Picked]:
    """The chosen spans in the order to read them, with those that agree; denied ones give way to their denials.

    Where the number of the dead is known, one of them gives it, in the question's language if anybody does.
    """
    if not chosen:
        return []
    chosen = replaced(chosen, against, asked)
    state = present.get("dead") if asked.kind == "overview" else None
    if state and state.support >= 2:
        told = {(r.source.best.post.id, r.span.start) for r in state.reports}
        options = [c for c in found if (c.source.best.post.id, c.span.start) in told]
        own = [c for c in options if c.source.best.post.lang == asked.lang]
        best = max(own or options, key=lambda c: (round(fitness(asked, c), 9), c.source.best.post.id))
        given = [i for i, candidate in enumerate(chosen) if _states(candidate, state, asked)]
        if not given:
            chosen = [*chosen[: MAX_SENTENCES - 1], best]
        elif best.source.best.post.lang == asked.lang and not any(
            chosen[i].source.best.post.lang == asked.lang for i in given
        ):
            chosen = [best if i == given[0] else c for i, c in enumerate(chosen) if i not in given[1:]]
    ordered = paired(_ordered(chosen, state, asked), against, asked)
    return [(candidate, _agreeing(candidate, found)) for candidate in ordered]


def _ordered(
    chosen: Sequence[QuoteCandidate], state: CountState | None, asked: Question
) -> list[QuoteCandidate]:
    """What a person needs first: the present number of the dead, else the best; then how it came to that, earliest
    first, or the other way round where the newest is asked for. Of several with one replaced number the earliest."""
    lead = chosen[0]
    if asked.kind == "fact":
        lead = next((c for c in chosen if c.share >= 0.999), lead)  # it holds all that was asked itself
    if state:
        stating = [c for c in chosen if _states(c, state, asked)] or [lead]
        lead = next((c for c in stating if c.source.best.post.lang == asked.lang), stating[0])
    newest = max(chosen, key=lambda c: (c.source.first, c.source.best.post.id))
    if (
        asked.newest
        and lead.source.first < newest.source.first - DAY
        and not (state and _states(lead, state, asked))
    ):
        lead = newest
    others = [c for c in chosen if c is not lead]
    others.sort(key=lambda c: (c.source.first, c.source.best.post.id))
    told = {f.value for f in figures(lead.text, asked.unit) if f.quantity == "dead"}
    kept = []
    for candidate in others:
        dead = {f.value for f in figures(candidate.text, asked.unit) if f.quantity == "dead"}
        if state is None or not dead or not dead <= told:
            kept.append(candidate)
        told |= dead
    return [lead, *(reversed(kept) if asked.newest else kept)]


def _states(candidate: QuoteCandidate, state: CountState, asked: Question) -> bool:
    """Whether a span gives that number of the dead, or one that rounds it."""
    return any(f.quantity == "dead" and agrees(f, state.value) for f in figures(candidate.text, asked.unit))


def _agreeing(candidate: QuoteCandidate, found: Sequence[QuoteCandidate]) -> list[tuple[PostGroup, int, int]]:
    """Other sources with a span that says the like: its numbers, and most of its words; none that denies it."""
    here = candidate.source.best.post
    denial = denies(here.text)
    agreeing: dict[str, tuple[PostGroup, int, int]] = {}
    for other in found:
        post = other.source.best.post
        if post.id == here.id or post.id in agreeing:
            continue
        shared = len(candidate.terms & other.terms) / max(len(candidate.terms | other.terms), 1)
        if shared >= 0.4 and denies(post.text) == denial and supports(other.text, candidate.text):
            agreeing[post.id] = (other.source, other.span.start, other.span.end)
    return list(agreeing.values())


def _counted(
    asked: Question,
    found: Sequence[QuoteCandidate],
    told: dict[str, list[Report]],
    curves: dict[str, list[CountState]],
) -> list[Picked]:
    """The present state of what is counted, what contradicts it, other quantities beside it, and how it came to be."""
    line = curves.get(asked.measure, [])
    if not line:
        return []
    now = line[-1]
    spans = {(c.source.best.post.id, c.span.start): c for c in found}
    others = {
        quantity: states[-1]
        for quantity, states in curves.items()
        if quantity != asked.measure and states and states[-1].support >= 2
    }
    picked: list[Picked] = []
    used: set[str] = set()

    def add(state: CountState, beside: bool = False) -> None:
        options = [
            r
            for r in state.reports
            if r.source.best.post.id not in used
            and not (beside and _is_stale(spans[r.source.best.post.id, r.span.start].text, now, asked))
        ]
        if not options:
            return
        best = max(
            options,
            key=lambda r: (
                state is not now or not _is_outdated(spans[r.source.best.post.id, r.span.start].text, others),
                round(fitness(asked, spans[r.source.best.post.id, r.span.start]), 9),
                r.source.best.post.id,
            ),
        )
        agreeing = [
            (r.source, r.span.start, r.span.end)
            for r in state.reports
            if r.source.best.post.id != best.source.best.post.id
        ]
        used.add(best.source.best.post.id)
        picked.append((spans[best.source.best.post.id, best.span.start], agreeing))

    add(now)
    rivals = [
        state
        for state in every_state(told.get(asked.measure, []))
        if abs(state.value - now.value) > CONFLICT * now.value
        and state.support >= 2
        and state.since > now.since - 3 * HOUR
        and not any(agrees(r.figure, now.value) for r in state.reports)
        and state.value > 0.05 * now.value
        and state.firm in ("exact", "over")
        and not any(agrees(r.figure, older.value) for r in state.reports for older in line[:-1])
    ]
    for rival in sorted(rivals, key=lambda s: (-s.support, -s.since, s.value))[:1]:
        add(rival)
    quoted = {figure.quantity for candidate, _ in picked for figure in figures(candidate.text, asked.unit)}
    for quantity in ("missing", "injured"):
        beside = curves.get(quantity, [])
        if (
            asked.measure == "dead"
            and quantity not in quoted
            and beside
            and beside[-1].latest > now.since - BESIDE
            and beside[-1].support >= 2
        ):
            add(beside[-1], beside=True)
    earlier = [
        state
        for state in line[:-1]
        if abs(state.value - now.value) > CONFLICT * now.value
        and (state.value < now.value or state.support >= 5)
    ]
    if earlier:
        add(earlier[-1])
        if earlier[0].value != earlier[-1].value:
            add(earlier[0])
    return picked


def _is_stale(text: str, now: CountState, asked: Question) -> bool:
    """Whether a sentence gives a number of what is asked that has been replaced."""
    stated = [f for f in figures(text, asked.unit) if f.quantity == asked.measure]
    return bool(stated) and not any(agrees(f, now.value) for f in stated)


def _is_outdated(text: str, present: Mapping[str, CountState]) -> bool:
    """Whether a sentence gives, of anything, a number that has been replaced."""
    return any(
        figure.quantity in present and not agrees(figure, present[figure.quantity].value)
        for figure in figures(text)
    )


def _claim(
    candidate: QuoteCandidate,
    agreeing: list[tuple[PostGroup, int, int]],
    store: Corpus,
    as_of: int,
    retrieved: dict[tuple[str, str], Hit],
    cited: list[CitedPost],
) -> Claim:
    """A claim with its citations; the copies of what is quoted are counted in the whole store."""
    carriers = [h for h in store.copies(candidate.source.best, as_of=as_of) if h.at <= as_of]
    copies = {(h.post.network, h.post.id) for h in carriers}
    first = weighing.original(candidate.source, candidate.text, carriers)
    start = first.best.post.text.find(candidate.text)
    quoted = [(first, start, start + len(candidate.text)), *agreeing]
    everywhere = {(hit.post.network, hit.post.id) for source, _, _ in quoted for hit in source.hits} | copies
    ranked = quoted[:1] + sorted(quoted[1:], key=lambda q: (-q[0].weight, q[0].best.post.id))
    shown: list[Citation] = []
    voices: set[str] = set()
    for source, start, end in ranked:
        if len(shown) == CITATIONS or (shown and source.voice and source.voice in voices):
            continue
        voices.add(source.voice)
        hit, post = source.best, source.best.post
        retrieved[post.network, post.id] = hit
        shown.append(
            Citation(
                id=post.id,
                network=post.network,
                url=post.url,
                author=post.author,
                created_at=post.created_at,
                at=hit.at,
                quote=post.text[start:end],
                start=start,
                end=end,
            )
        )
        cited.append(
            CitedPost(
                id=post.id,
                network=post.network,
                url=post.url,
                author=post.author,
                created_at=post.created_at,
                lang=post.lang,
                text=post.text,
                copies=len(source.hits) - 1,
            )
        )
    return Claim(
        text=shown[0].quote,
        as_of=first.best.at,
        authors=weighing.authors(source for source, _, _ in quoted),
        posts=len(everywhere | {(first.best.post.network, first.best.post.id)}),
        citations=tuple(shown),
    )
