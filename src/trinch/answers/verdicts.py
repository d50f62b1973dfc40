"""Whether something is so: a verdict with the number of posts on each side."""

from collections.abc import Sequence
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate
from trinch.answers.contradictions import standing
from trinch.answers.count_timeline import agrees
from trinch.answers.material import (
    FEW,
    HOLDS,
    Draft,
    Material,
    attribution,
    count_headline,
    draft_of,
    states_something,
    with_denials,
)
from trinch.answers.negation import denies
from trinch.answers.polarity import Claim, claim_of, points_back, stance, without_poles
from trinch.answers.quantities import figures
from trinch.answers.question import Question
from trinch.answers.ranking import full_names, pick
from trinch.answers.types import Outcome
from trinch.posts.text import fold, tokens

PASSED_ON = 0.3
"""Share of a post's own words that no earlier post holds, up to which it only passes on what they say."""
NEGATED = 0.8
"""Share of a claim's words that a sentence must hold for a negation in it to deny the claim."""
NEARLY = 0.6
"""Share of a claim's words that a span must hold to speak of it in other words."""


class _Stances(NamedTuple):
    """The places of the sentences on each side, and of those whose side cannot be decided."""

    said: list[int]
    against: list[int]
    undecided: list[int]


def verify(m: Material) -> Draft:
    """The verdict with the number of posts on each side; denials first."""
    if counted := _of_a_count(m):
        return counted
    about = _about(m)
    sides = _stances(m, about)
    against, said = _standing(m, sides.against, sides.said), _standing(m, sides.said, sides.against)
    supporting, denying = _voices(m, _unrepeated(m, said)), _voices(m, against)
    if not supporting and not denying:
        return _undecided(m, sides.undecided) if sides.undecided else _nearly(m)
    verdict, outcome = _verdict(m, said, against, (supporting, denying))
    said, against = _since(m, said, sides.against), _since(m, against, sides.said)
    first = pick(m.scored, 2, among=against, worth=0.0)
    if verdict == "unverified":
        hedged = [i for i in about if _is_hedged(m.found[i].text) and states_something(m.found[i].text)]
        first = pick(m.scored, 1, among=hedged, worth=0.0)
    claims = pick(m.scored, m.size() - len(first), among=said, chosen=first)
    headline = m.frame(verdict, supporting=supporting, denying=denying)
    return draft_of(m, [m.found[i] for i in [*first, *claims]], headline, outcome)


def _of_a_count(m: Material) -> Draft | None:
    """The verdict on a number of people ("did the blast kill 11?"), by the newest one; None where none is believed."""
    claimed = next((f for f in figures(m.request.text) if m.curves.get(f.quantity)), None)
    if not claimed or m.curves[claimed.quantity][-1].support < 2:
        return None
    now = m.curves[claimed.quantity][-1]
    floor = not lexicon.AT_LEAST.isdisjoint(tokens(fold(m.request.text[: claimed.start]))[-3:])
    right = claimed.value <= now.value if floor else agrees(claimed, now.value)
    stated = {(r.source.best.post.id, r.span.start) for r in now.reports}
    saying = [i for i, c in enumerate(m.found) if (c.source.best.post.id, c.span.start) in stated]
    wrong = [
        i
        for i, c in enumerate(m.found)
        if any(f.quantity == claimed.quantity and f.value == claimed.value for f in c.figures)
    ]
    first = pick(m.scored, 2, among=saying, worth=0.0)
    others = [] if right else pick(m.scored, 1, among=wrong, chosen=first, worth=0.0)
    counts = (_voices(m, saying), 0) if right else (_voices(m, wrong), _voices(m, saying))
    verdict = m.frame("mentioned" if right else "denied", supporting=counts[0], denying=counts[1])
    headline = f"{verdict} {count_headline(m, claimed.quantity)}".strip()
    chosen = [m.found[i] for i in [*first, *others]]
    return draft_of(m, chosen, headline, "answer" if right else "conflicting")


def _about(m: Material) -> list[int]:
    """The places of the sentences of posts that hold the names and some of what is claimed of them."""
    names = [term for term in m.request.question.terms if term.role == "name"]
    whole = full_names(m.request.topic)
    return [
        i
        for i, c in enumerate(m.found)
        if all(not t.forms.isdisjoint(c.source.best.terms) for t in names)
        and (not whole or any(name in fold(c.source.best.post.text) for name in whole))
        and _predicate(m.request.question, frozenset(c.source.best.terms)) >= HOLDS / 2
    ]


def _stances(m: Material, about: Sequence[int]) -> _Stances:
    """Which sentences say what is claimed, and which deny it."""
    claim = claim_of(m.request.question, m.request.topic)
    needed = [term for term in m.request.question.terms if term.needed]
    result = _Stances([], [], [])
    for i in about:
        candidate = m.found[i]
        held = _predicate(m.request.question, candidate.terms)
        whole = held >= HOLDS and all(not term.forms.isdisjoint(candidate.terms) for term in needed)
        side = stance(claim, candidate.text, candidate.source.best.post.lang)
        if not side and points_back(candidate.text):
            result.against.extend([i] if _before(claim, candidate) > 0 else [])
        elif side < 0 and states_something(candidate.text) and _denies_it(m, claim, candidate, held, whole):
            result.against.append(i)
        elif side > 0 and states_something(candidate.text) and _says_it(candidate, held, whole):
            result.said.append(i)
        elif not side and (denies(candidate.text) or (whole and claim.axis)) and held >= HOLDS:
            result.undecided.append(i)
    return result


def _says_it(candidate: QuoteCandidate, held: float, whole: bool) -> bool:
    """Whether a sentence for the claim holds enough of it; one that denies the contrary need not hold all."""
    return (whole and candidate.share >= HOLDS) or (held >= HOLDS / 2 and denies(candidate.text))


def _denies_it(m: Material, claim: Claim, candidate: QuoteCandidate, held: float, whole: bool) -> bool:
    """Whether a sentence against the claim holds enough of it: a mere negation may deny something else, and an opposite
    may be said of something else ("10 dead" of "the workers are alive")."""
    if claim.axis and held >= HOLDS:
        return _predicate(without_poles(m.request.question), candidate.terms) >= HOLDS
    return held >= HOLDS / 2 if denies(candidate.text) else whole and held >= NEGATED


def _before(claim: Claim, candidate: QuoteCandidate) -> int:
    """What the rest of its post says of the claim, in front of a denial that points back at it."""
    post = candidate.source.best.post
    return stance(claim, post.text[: candidate.span.start] + post.text[candidate.span.end :], post.lang)


def _undecided(m: Material, places: Sequence[int]) -> Draft:
    """What is said of the claim where no sentence takes a clear side."""
    chosen = [m.found[i] for i in pick(m.scored, m.size(), among=places, worth=0.0)]
    return draft_of(m, chosen, m.frame("unclear"), "answer")


def _voices(m: Material, places: Sequence[int]) -> int:
    """Posts by authors that are not known to be one and the same."""
    groups = [m.found[i].source for i in places]
    return len({group.voice or group.best.post.id for group in groups})


def _unrepeated(m: Material, places: Sequence[int]) -> list[int]:
    """The places of those posts that say something in words of their own, earliest first: one that holds hardly any
    word, those of the request aside, that no earlier one holds only passes it on."""
    aside = frozenset().union(*(term.forms for term in m.request.question.terms)) | lexicon.REPORTING
    said: set[str] = set()
    kept: list[int] = []
    for i in sorted(places, key=lambda i: (m.found[i].source.first, m.found[i].source.best.post.id)):
        own = m.found[i].terms - aside - lexicon.ANY_STOPWORD
        if not kept or len(own - said) > PASSED_ON * len(own):
            kept.append(i)
        said |= own
    return kept


def _predicate(question: Question, held: frozenset[str]) -> float:
    """The share of what is claimed, by weight, among the index terms `held`, names left aside; 1 where that is all."""
    said = [term for term in question.terms if term.role in ("word", "event")]
    total = sum(term.weight for term in said)
    return sum(term.weight for term in said if not term.forms.isdisjoint(held)) / total if total else 1.0


def _standing(m: Material, side: Sequence[int], other: Sequence[int]) -> list[int]:
    """The sentences of a side that hold: not those since which `FEW` posts of the other side, and more than of their
    own, say otherwise."""

    def later(places: Sequence[int], at: int) -> int:
        return _voices(m, [i for i in places if m.found[i].source.first > at])

    return [
        i
        for i in side
        if (since := later(other, m.found[i].source.first)) < FEW
        or since <= later(side, m.found[i].source.first)
    ]


def _since(m: Material, side: Sequence[int], other: Sequence[int]) -> list[int]:
    """The sentences of a side to quote: where the other side has been overtaken, those since it was last heard."""
    last = max((m.found[i].source.first for i in other), default=0)
    return [i for i in side if m.found[i].source.first > last] or list(side)


def _nearly(m: Material) -> Draft:
    """What is said in other words than the claim's, where that holds most of them."""
    places = [
        i
        for i, c in enumerate(m.found)
        if c.share >= NEARLY
        and _predicate(m.request.question, c.terms) >= NEARLY
        and states_something(c.text)
    ]
    chosen = [m.found[i] for i in pick(m.scored, m.size(), among=places)]
    if not chosen:
        return Draft([], "", "not_enough_evidence")
    ordered = with_denials(m, chosen)
    return draft_of(m, ordered[: m.size()], attribution(m, ordered[0]), "answer")


def _is_hedged(text: str) -> bool:
    """Whether a text passes on hearsay, or asks."""
    return not lexicon.HEDGED.isdisjoint(tokens(text)) or text.rstrip().endswith("?")


def _verdict(
    m: Material, said: Sequence[int], against: Sequence[int], voices: tuple[int, int]
) -> tuple[str, Outcome]:
    """The frame and the outcome for so many voices for and against."""
    supporting, denying = voices
    hedged = sum(_is_hedged(m.found[i].text) for i in said)
    if denying:
        better = _credibility(m, said) > _credibility(m, against) and supporting >= denying
        verdict = "disputed" if better or 2 * denying < supporting else "denied"
        return verdict, "conflicting" if supporting else "answer"
    if 2 * hedged >= supporting:
        return "unverified", "answer"
    return "mentioned", "answer"


def _credibility(m: Material, places: Sequence[int]) -> float:
    """How credible the most credible of some posts is."""
    return max((standing(m.found[i].source) for i in places), default=0.0)
