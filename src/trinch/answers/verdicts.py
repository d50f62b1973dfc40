"""Whether something is so: a verdict with the number of posts on each side."""

from collections.abc import Sequence

from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate
from trinch.answers.contradictions import denies, negates
from trinch.answers.material import (
    FEW,
    HOLDS,
    Draft,
    Material,
    attribution,
    draft_of,
    states_something,
    with_denials,
)
from trinch.answers.question import Question
from trinch.answers.ranking import full_names, pick
from trinch.answers.types import Outcome
from trinch.posts.text import fold, query_terms, tokens

PASSED_ON = 0.3
"""Share of a post's own words that no earlier post holds, up to which it only passes on what they say."""
NEGATED = 0.8
"""Share of a claim's words that a sentence must hold for a negation in it to deny the claim."""
NEARLY = 0.6
"""Share of a claim's words that a span must hold to speak of it in other words."""


def verify(m: Material) -> Draft:
    """The verdict with the number of posts on each side; denials first."""
    names = [term for term in m.request.question.terms if term.role == "name"]
    needed = [term for term in m.request.question.terms if term.needed]
    whole = full_names(m.request.topic)
    about = [
        i
        for i, c in enumerate(m.found)
        if all(not t.forms.isdisjoint(c.source.best.terms) for t in names)
        and (not whole or any(name in fold(c.source.best.post.text) for name in whole))
        and _predicate(m.request.question, frozenset(c.source.best.terms)) >= HOLDS / 2
    ]

    def says_it(candidate: QuoteCandidate) -> bool:
        """Whether the sentence itself holds the claim: two sentences of one post, one with the name and one with the
        word, do not."""
        return _predicate(m.request.question, candidate.terms) >= HOLDS and all(
            not term.forms.isdisjoint(candidate.terms) for term in needed
        )

    claimed = _claimed(m.request.question)
    opposed = _opposed(m.request.question)
    against = [
        i
        for i in about
        if denies(m.found[i].text)
        or (_contradicts(opposed, m.request.question, m.found[i]) and states_something(m.found[i].text))
        or (
            _predicate(m.request.question, m.found[i].terms) >= NEGATED
            and says_it(m.found[i])
            and negates(m.found[i].text, claimed)
        )
    ]
    said = [
        i
        for i in about
        if m.found[i].share >= HOLDS
        and says_it(m.found[i])
        and i not in against
        and lexicon.CONDITIONAL.isdisjoint(tokens(m.found[i].text))
        and not m.found[i].text.rstrip("\"”'").endswith("?")
    ]
    against = _standing(m, against, said)
    supporting, denying = _voices(m, _unrepeated(m, said)), _voices(m, against)
    if not supporting and not denying:
        return _nearly(m)
    verdict, outcome = _verdict(m, supporting, denying, said)
    first = pick(m.scored, 2, among=against, worth=0.0)
    if verdict == "unverified":
        hedged = [i for i in about if _is_hedged(m.found[i].text) and states_something(m.found[i].text)]
        first = pick(m.scored, 1, among=hedged, worth=0.0)
    claims = pick(m.scored, m.size() - len(first), among=said, chosen=first)
    headline = m.frame(verdict, supporting=supporting, denying=denying)
    return draft_of(m, [m.found[i] for i in [*first, *claims]], headline, outcome)


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


def _claimed(question: Question) -> frozenset[str]:
    """The index terms of what is claimed: of the words that are no names, or of the names where that is all."""
    said = [term for term in question.terms if term.role in ("word", "event")]
    return frozenset().union(*(term.forms for term in said or question.terms))


def _predicate(question: Question, held: frozenset[str]) -> float:
    """The share of what is claimed, by weight, among the index terms `held`, names left aside; 1 where that is all."""
    said = [term for term in question.terms if term.role in ("word", "event")]
    total = sum(term.weight for term in said)
    return sum(term.weight for term in said if not term.forms.isdisjoint(held)) / total if total else 1.0


def _opposed(question: Question) -> Question | None:
    """The question with the opposite of what it claims ("did the bill pass": fail); None where that has none."""
    terms = [
        term._replace(forms=frozenset(form for word in other for form in query_terms(word)))
        if (other := lexicon.OPPOSITES.get(term.text))
        else term
        for term in question.terms
    ]
    return question._replace(terms=tuple(terms)) if terms != list(question.terms) else None


def _contradicts(opposed: Question | None, question: Question, candidate: QuoteCandidate) -> bool:
    """Whether a sentence says the opposite of the claim, in words of its own."""
    if opposed is None or _predicate(opposed, candidate.terms) < HOLDS:
        return False
    changed = [(a, b) for a, b in zip(opposed.terms, question.terms, strict=True) if a != b]
    return all(
        not a.forms.isdisjoint(candidate.terms) and b.forms.isdisjoint(candidate.terms) for a, b in changed
    )


def _standing(m: Material, against: Sequence[int], said: Sequence[int]) -> list[int]:
    """The denials that hold: not those since which `FEW` posts, and more than deny it since, say that it is so now."""

    def later(places: Sequence[int], at: int) -> int:
        return _voices(m, [i for i in places if m.found[i].source.first > at])

    return [
        i
        for i in against
        if (since := later(said, m.found[i].source.first)) < FEW
        or since <= later(against, m.found[i].source.first)
    ]


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
    return not lexicon.HEARSAY.isdisjoint(tokens(text)) or text.rstrip().endswith("?")


def _verdict(m: Material, supporting: int, denying: int, said: Sequence[int]) -> tuple[str, Outcome]:
    hedged = sum(_is_hedged(m.found[i].text) for i in said)
    if denying and 2 * denying >= supporting:
        return "denied", "conflicting"
    if denying:
        return "disputed", "conflicting"
    if supporting < FEW or 2 * hedged >= supporting:
        return "unverified", "answer"
    return "mentioned", "answer"
