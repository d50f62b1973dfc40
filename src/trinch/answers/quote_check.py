"""The last look at an answer before anyone sees it.

Owns invariants 3 and 4: every sentence is a quote with a citation, or a model's rewrite of that quote which says no
more (`verify.py`); every citation names a post that was retrieved, was there at the answer's as-of time, and holds
the quoted span exactly; every number of a sentence is in each post cited for it. A rewrite that fails gives way to
its quote; what else fails is dropped, and an answer with nothing left is `not_enough_evidence`. Trusts nothing of how
the answer was made.
"""

from collections.abc import Mapping

import msgspec

from trinch.answers.quantities import numbers
from trinch.answers.render import clean
from trinch.answers.spans import MAX_QUOTE
from trinch.answers.types import Answer, Citation, Claim, Hit
from trinch.answers.verify import faithful
from trinch.posts.text import tokens

SEPARATOR = "\n"
"""Separates the sentences of `Answer.answer`; no sentence holds one."""

SHARED = 1 / 3
"""Share of a sentence's words that a further citation must hold too."""


def citation_holds(citation: Citation, retrieved: Mapping[tuple[str, str], Hit], as_of: int) -> bool:
    """Whether the citation names a retrieved post of that time that holds the quote where it says."""
    hit = retrieved.get((citation.network, citation.id))
    return (
        hit is not None
        and hit.at <= as_of
        and citation.at == hit.at
        and 0 <= citation.start < citation.end <= len(hit.post.text)
        and hit.post.text[citation.start : citation.end] == citation.quote
    )


def supports(quote: str, sentence: str) -> bool:
    """Whether a quote may stand beside a sentence: it holds all its numbers and `SHARED` of its words.

    Lexical, so it cannot see that two sentences with the same words contradict each other.
    """
    wanted = set(tokens(sentence))
    return numbers(sentence) <= numbers(quote) and len(wanted & set(tokens(quote))) >= SHARED * len(wanted)


def may_stand(sentence: str, citation: Citation, retrieved: Mapping[tuple[str, str], Hit]) -> bool:
    """Whether a model's sentence may replace the quote: one line of plain text that says no more."""
    lang = retrieved[citation.network, citation.id].post.lang
    plain = sentence == clean(sentence) and len(sentence) <= 2 * MAX_QUOTE
    return plain and faithful(sentence, citation.quote, lang)


def checked(answer: Answer, retrieved: Mapping[tuple[str, str], Hit], took_ms: float = 0.0) -> Answer:
    """`answer` without the citations and sentences that do not hold. Idempotent."""
    claims: list[Claim] = []
    for claim in answer.claims:
        if not claim.citations:
            continue
        first, *others = claim.citations
        if not citation_holds(first, retrieved, answer.as_of):
            continue
        if claim.written and not may_stand(claim.text, first, retrieved):
            claim = msgspec.structs.replace(claim, text=first.quote, written=False)
        quoted = claim.text == first.quote
        if not (quoted or claim.written) or SEPARATOR in claim.text or claim.as_of != first.at:
            continue
        good = [first] + [
            citation
            for citation in others
            if citation_holds(citation, retrieved, answer.as_of) and supports(citation.quote, claim.text)
        ]
        claims.append(msgspec.structs.replace(claim, citations=tuple(good), written=not quoted))
    if answer.outcome == "chat":
        return msgspec.structs.replace(answer, claims=(), sources=(), took_ms=took_ms)
    if answer.outcome == "not_enough_evidence" or not claims:
        return msgspec.structs.replace(
            answer,
            outcome="not_enough_evidence",
            headline=answer.headline if answer.outcome == "not_enough_evidence" else "",
            answer="",
            claims=(),
            sources=(),
            took_ms=took_ms,
            writer=None,
        )
    cited = {(citation.network, citation.id) for claim in claims for citation in claim.citations}
    return msgspec.structs.replace(
        answer,
        answer=SEPARATOR.join(claim.text for claim in claims),
        claims=tuple(claims),
        sources=tuple(source for source in answer.sources if (source.network, source.id) in cited),
        took_ms=took_ms,
    )
