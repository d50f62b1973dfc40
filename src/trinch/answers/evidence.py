"""From hits to sources: what was said, how often, and by how many.

Owns collapsing reposts and near-copies into one source, counting authors, and how much weight a source gets.

Counting authors. A repost, a text that says `RT @who:`, and a near-copy add no voice: whoever repeats does not
witness. A source speaks for the author it repeats, where the text says so, else for the author of its first post.
Posts whose author the network did not tell cannot be shown to come from different people: all of them together
count as one author, so `authors` is a lower bound that can be proved, never an estimate. Where evidence is
*weighed*, and only there, differently worded posts by unknown authors count as separate voices.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trinch.answers.spans import REPOST, reposted_from
from trinch.answers.types import Hit

SAME = 0.6
"""Share of word pairs two texts must have in common to be near-copies (of the shorter one where it is cut off)."""

_MARKS = frozenset(("rt", "mt", "via"))


class PostGroup(NamedTuple):
    """One text and all posts that carry it."""

    best: Hit
    """The post to quote: an original rather than a repost, whole rather than cut off, early rather than late."""
    hits: tuple[Hit, ...]
    first: int
    """When it was first witnessed: a repost is as old as what it repeats."""
    voice: str
    """Who speaks: a handle or an author's id; empty where nobody knows."""
    weight: float
    """About 0.3 to 1.6; 1 is a plain post by an unknown person."""
    score: float
    """Best retrieval score of its posts, divided by the best of all."""


def voice_of(hit: Hit) -> str:
    """Who speaks in a post: the author it repeats, else its own; empty where neither is known."""
    return reposted_from(hit.post.text) or (hit.post.author or hit.post.author_id).lower()


def authors(sources: Iterable[PostGroup]) -> int:
    """How many authors are known to be different (see above)."""
    voices = {source.voice for source in sources}
    return len(voices - {""}) or (1 if voices else 0)


@lru_cache(maxsize=4096)  # one question looks at the same posts several times
def _wording(terms: tuple[str, ...]) -> tuple[frozenset[tuple[str, str]], frozenset[str]]:
    """The pairs of neighbouring words of a post, and its numbers, without handles, tags and marks of repetition."""
    content = [term for term in terms if term[0] not in "@#$" and term not in _MARKS]
    return frozenset(pairwise(["", *content, ""])), frozenset(word for word in content if word[0].isdigit())


@lru_cache(maxsize=4096)  # one question looks at the same posts several times
def _is_cut(text: str) -> bool:
    return ("…" in text or ".." in text) and bool(re.search(r"(?:…|\.\.\.+)\s*(?:https?:\S*)?\s*$", text))


def weigh(hit: Hit, copies: int) -> float:
    """How far a source is trusted, gently: known, verified and followed authors and often-repeated texts more;
    lists of tags or links, shouting and bare reactions less."""
    post = hit.post
    weight = 1.0
    if post.author_verified:
        weight += 0.25
    if post.author_followers:
        weight += min(math.log10(1 + post.author_followers) / 20, 0.3)
    weight += min(math.log2(1 + copies) / 12, 0.3)
    words = post.text.split()
    tags = sum(word[0] in "#@$" for word in words)
    if len(words) and tags / len(words) > 0.4:
        weight *= 0.6
    if len(words) - tags - sum("://" in word for word in words) < 4:
        weight *= 0.6
    if sum(map(str.isupper, post.text)) > 20 + 2 * sum(map(str.islower, post.text)):
        weight *= 0.8
    if post.reply_to:
        weight *= 0.8
    return weight


def _rank(hit: Hit) -> tuple[bool, bool, int, str]:
    """Orders the posts of one source: the first is the one to quote."""
    return (
        _is_cut(hit.post.text),
        bool(hit.post.repost_of or REPOST.match(hit.post.text)),
        hit.at,
        hit.post.id,
    )


def collapse(hits: Sequence[Hit]) -> list[PostGroup]:
    """Group reposts and near-copies among `hits`. Sources come in order of score, ties by id.

    Texts with different numbers are never near-copies: "toll rises to 350" and "toll rises to 352" are two reports.
    """
    unique = {(hit.post.network, hit.post.id): hit for hit in sorted(hits, key=lambda h: h.score)}
    ordered = sorted(unique.values(), key=lambda h: (-h.score, h.post.network, h.post.id))
    if not ordered:
        return []
    wording = [_wording(tuple(hit.terms)) for hit in ordered]
    pairs, digits = [pairs for pairs, _ in wording], [digits for _, digits in wording]
    cut = [_is_cut(hit.post.text) for hit in ordered]
    shared = _overlap(pairs)
    sizes = np.array([len(p) for p in pairs], dtype=np.float32)
    smaller = np.minimum(sizes[:, None], sizes[None, :])
    whole = sizes[:, None] + sizes[None, :] - shared
    said = {numbers: n for n, numbers in enumerate(dict.fromkeys(digits))}
    numbers = np.array([said[each] for each in digits])
    linked = (shared >= SAME * whole) & (numbers[:, None] == numbers[None, :])
    broken = np.array(cut)
    begun = (broken[:, None] | broken[None, :]) & (smaller >= 5) & (shared >= SAME * smaller) & ~linked
    for i, j in np.argwhere(np.triu(begun, 1)).tolist():
        less, more = (i, j) if sizes[i] <= sizes[j] else (j, i)
        # What is cut off may have lost a number; a whole text beside a longer one with a number has not.
        lost = digits[less] < digits[more] and cut[less]
        linked[i, j] = linked[j, i] = digits[less] == digits[more] or lost
    by_id = {(hit.post.network, hit.post.id): i for i, hit in enumerate(ordered)}
    for i, hit in enumerate(ordered):
        original = by_id.get((hit.post.network, hit.post.repost_of)) if hit.post.repost_of else None
        if original is not None:
            linked[i, original] = linked[original, i] = True

    groups: dict[int, list[Hit]] = {}
    for hit, group_of in zip(ordered, _components(linked), strict=True):
        groups.setdefault(group_of, []).append(hit)
    top = max(ordered[0].score, 1e-9)
    sources = []
    for group in groups.values():
        best = min(group, key=_rank)
        first = min(group, key=lambda h: (h.at, h.post.id))
        voice = reposted_from(first.post.text) or voice_of(best) or voice_of(first)
        score = max(hit.score for hit in group) / top
        sources.append(PostGroup(best, tuple(group), first.at, voice, weigh(best, len(group) - 1), score))
    return sorted(sources, key=lambda s: (-s.score, s.best.post.network, s.best.post.id))


def _components(linked: NDArray[np.bool_]) -> list[int]:
    """For each place the first of all that links [n, n, symmetric] lead to from it."""
    labels = np.arange(len(linked))
    linked = linked | np.eye(len(linked), dtype=bool)
    while True:
        lowest = np.where(linked, labels, len(labels)).min(axis=1)
        lowest = lowest[lowest]
        if np.array_equal(lowest, labels):
            return [int(label) for label in labels]
        labels = lowest


def original(source: PostGroup, quote: str, copies: Iterable[Hit]) -> PostGroup:
    """`source` with the post to quote replaced by an earlier one of its copies that holds the quote too, if any: who
    said it first is the one to name."""
    holders = [hit for hit in copies if quote in hit.post.text]
    best = min([*holders, source.best], key=_rank)
    if best.post.id == source.best.post.id:
        return source
    weight = weigh(best, len(source.hits) - 1)
    return source._replace(best=best, first=min(best.at, source.first), voice=voice_of(best), weight=weight)


def _overlap(sets: Sequence[frozenset[tuple[str, str]]]) -> NDArray[np.float32]:
    """How many members each two sets share, [n, n]. What a single set holds is shared by none and left out."""
    common = Counter(chain.from_iterable(sets))
    index: dict[tuple[str, str], int] = {}
    rows, columns = [], []
    for row, members in enumerate(sets):
        for member in members:
            if common[member] > 1:
                rows.append(row)
                columns.append(index.setdefault(member, len(index)))
    table = np.zeros((len(sets), max(len(index), 1)), dtype=np.float32)
    table[rows, columns] = 1.0
    shared: NDArray[np.float32] = table @ table.T
    shared[np.diag_indices(len(sets))] = [len(members) for members in sets]
    return shared
