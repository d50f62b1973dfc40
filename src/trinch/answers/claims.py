"""From a chosen span to a claim: who else says the like, which post to cite, how many posts and authors.

The copies of what is quoted are counted in the whole corpus; the earliest original is the one cited.
"""

from collections.abc import Sequence
from typing import NamedTuple

from trinch.answers import evidence as weighing
from trinch.answers import lexicon
from trinch.answers.candidates import QuoteCandidate
from trinch.answers.evidence import PostGroup
from trinch.answers.negation import denies
from trinch.answers.quantities import figures
from trinch.answers.quote_check import supports
from trinch.answers.types import Citation, CitedPost, Claim, Corpus, Hit
from trinch.posts.text import terms

CITATIONS = 3
"""Most citations a sentence shows; `authors` and `posts` count all."""


FOLLOWED = 10_000
"""Followers from which an author is widely followed."""
MOST = 0.8
"""Share of the words of a claim, those of the topic and of reporting left aside, that another post must hold to bear
it out."""
COUNTED_ALIKE = 2
"""Other authors who must give the same count for it to be more than one post's."""
REPEATED = 5
"""Copies of a text from which its claim is not one post's any more."""


class Picked(NamedTuple):
    """A span to quote, and the other posts that say the same with the offsets of where they say it."""

    candidate: QuoteCandidate
    agreeing: list[tuple[PostGroup, int, int]]
    label: str = ""
    attribution: str = ""


def cited(post: Hit, copies: int) -> CitedPost:
    """A post as an answer lists it."""
    at = post.post
    return CitedPost(
        id=at.id,
        network=at.network,
        url=at.url,
        author=at.author,
        created_at=at.created_at,
        lang=at.lang,
        text=at.text,
        copies=copies,
    )


def agreeing(candidate: QuoteCandidate, found: Sequence[QuoteCandidate]) -> list[tuple[PostGroup, int, int]]:
    """Other sources with a span that says the like: its numbers, and most of its words; none that denies it."""
    here = candidate.source.best.post
    denial = denies(here.text)
    same: dict[str, tuple[PostGroup, int, int]] = {}
    for other in found:
        post = other.source.best.post
        if post.id == here.id or post.id in same:
            continue
        shared = len(candidate.terms & other.terms) / max(len(candidate.terms | other.terms), 1)
        if shared >= 0.4 and denies(post.text) == denial and supports(other.text, candidate.text):
            same[post.id] = (other.source, other.span.start, other.span.end)
    return list(same.values())


def known(hit: Hit) -> bool:
    """Whether the author of a post is verified or widely followed."""
    return bool(hit.post.author_verified) or (hit.post.author_followers or 0) >= FOLLOWED


def carriers(picked: Picked, store: Corpus, as_of: int) -> list[Hit]:
    """The posts of the whole store that carry the text to be quoted: itself, its reposts and near-copies."""
    return [h for h in store.copies(picked.candidate.source.best, as_of=as_of) if h.at <= as_of]


def is_singular(picked: Picked, carrying: Sequence[Hit], topic: frozenset[str]) -> bool:
    """Whether one little-known author makes a claim alone: nobody else says most of its words, few repeat it.

    `topic` are the index terms of what is asked: that others hold those bears nothing out.
    """
    source = picked.candidate.source
    if known(source.best) or max(len(source.hits), len(carrying)) >= REPEATED:
        return False
    if _is_counted_alike(picked):
        return False
    aside = topic | lexicon.REPORTING | lexicon.ANY_STOPWORD
    own = {term for term in picked.candidate.terms - aside if term[0] not in "#@$"}
    return not any(
        len(own.intersection(terms(group.best.post.text[start:end], group.best.post.lang))) >= MOST * len(own)
        for group, start, end in picked.agreeing
        if not source.voice or group.voice != source.voice
    )


def _is_counted_alike(picked: Picked) -> bool:
    """Whether others give one of the counts of a claim, in whatever words: a known author, or `COUNTED_ALIKE`."""
    source = picked.candidate.source
    counts = {(f.quantity, f.value) for f in picked.candidate.figures if f.quantity != "unit"}
    alike = [
        group
        for group, start, end in picked.agreeing
        if group.voice != source.voice
        and any((f.quantity, f.value) in counts for f in figures(group.best.post.text[start:end]))
    ]
    return len({group.voice for group in alike}) >= COUNTED_ALIKE or any(known(group.best) for group in alike)


def claim(
    picked: Picked,
    carrying: Sequence[Hit],
    retrieved: dict[tuple[str, str], Hit],
    sources: list[CitedPost],
) -> Claim:
    """A claim with its citations. `carrying` are the `carriers` of what is quoted, which are counted."""
    candidate, agreeing, label, attribution = picked
    copies = {(h.post.network, h.post.id) for h in carrying}
    first = weighing.original(candidate.source, candidate.text, carrying)
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
        sources.append(cited(hit, len(source.hits) - 1))
    return Claim(
        text=shown[0].quote,
        as_of=first.best.at,
        authors=weighing.authors(source for source, _, _ in quoted),
        posts=len(everywhere | {(first.best.post.network, first.best.post.id)}),
        citations=tuple(shown),
        label=label,
        attribution=attribution,
    )
