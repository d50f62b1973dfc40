"""The last look at an answer before anyone sees it.

Owns invariants 3 and 4: every sentence is a quote with a citation, or a model's sentence that follows from the posts it
cites, all of them together (`verify/`); every citation names a post that was retrieved, was there at the answer's as-of
time, and holds the quoted span exactly; every number of a quote is in each further post cited for it. What fails is
dropped, and an answer with nothing left is `not_enough_evidence`. Trusts nothing of how the answer was made.
"""

from collections.abc import Mapping

import msgspec

from trinch.answers.quantities import numbers
from trinch.answers.types import Answer, Citation, Claim, Hit
from trinch.answers.verify.claim import verify_claim
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


def is_supported(claim: Claim, retrieved: Mapping[tuple[str, str], Hit], as_of: int) -> bool:
    """Whether a model's sentence follows from its citations. It rests on all of them: none may be missing."""
    if not all(citation_holds(citation, retrieved, as_of) for citation in claim.citations):
        return False
    posts = [retrieved[citation.network, citation.id] for citation in claim.citations]
    return verify_claim(claim.text, posts).supported


def checked(answer: Answer, retrieved: Mapping[tuple[str, str], Hit], took_ms: float = 0.0) -> Answer:
    """`answer` without the citations and sentences that do not hold. Idempotent."""
    claims: list[Claim] = []
    for claim in answer.claims:
        if not claim.citations:
            continue
        if claim.written:
            if is_supported(claim, retrieved, answer.as_of):
                claims.append(claim)
            continue
        first, *others = claim.citations
        if not citation_holds(first, retrieved, answer.as_of):
            continue
        if claim.text != first.quote or SEPARATOR in claim.text or claim.as_of != first.at:
            continue
        good = [first] + [
            citation
            for citation in others
            if citation_holds(citation, retrieved, answer.as_of) and supports(citation.quote, claim.text)
        ]
        claims.append(msgspec.structs.replace(claim, citations=tuple(good)))
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
