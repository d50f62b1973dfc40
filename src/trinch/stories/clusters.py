"""Group bursting terms, and with them the texts of a window, into stories.

1. Each term joins a stronger one (its parent) that enough of its texts hold too, more than chance would have it; a
   compound such as a tag joins a stronger word that it contains. A term without a parent is the root of a story.
2. Each text goes to the root that its terms say most for.
3. A story joins a larger one where enough of its texts hold a core term of that.

What counts as enough grows with size (`_needed`): small groups are pieces of something, large ones are stories.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trinch.stories.bursts import FEWEST, Burst

LIFT = 0.2
"""Share of the texts of a rare term that must hold its parent, if that is unlikely to be chance."""
SURE = 0.5
"""Share that needs no comparison with chance."""
CHANCE = 2.5
"""Standard deviations above chance."""
JOIN = 0.28
"""Share of the texts of a small story that must hold core terms of the larger one that it joins."""
CORE = 0.04
OWN = 0.5
"""A core term is held by CORE of the texts of its story, and OWN of the texts that hold it are the story's."""
ENOUGH = 0.9
ALONE = 0.5
"""Weight of its terms that a text needs to belong to a story; of the root itself less."""
TYPICAL = 4.0
"""A term in exp(-TYPICAL) of the texts or fewer counts in full for a text."""
INHERITED = 0.6
"""What a term weighs in the story that its own one joins."""
LARGER = 8
"""Texts that a story must have for others to join it."""


class Cluster(NamedTuple):
    """One story: its terms, strongest first, and the texts that belong to it, by place."""

    root: str
    terms: tuple[str, ...]
    weights: dict[str, float]
    texts: list[int]


def group(texts: int, bursts: Mapping[str, Burst], holders: Mapping[str, Sequence[int]]) -> list[Cluster]:
    """The clusters of at least FEWEST texts of so many; `bursts` is ordered by strength, `holders` has the texts that
    hold each term."""
    held: list[list[str]] = [[] for _ in range(texts)]
    for term in bursts:
        for place in holders[term]:
            held[place].append(term)
    size = {term: len(holders[term]) for term in bursts}
    roots = _roots(_parents(held, size, texts), bursts)
    members = _members(held, size, roots)
    into = _joined(held, size, members)
    return _clusters(bursts, roots, members, into)


def _needed(base: float, texts: int) -> float:
    """The share needed of a group of so many texts."""
    return base + 0.1 * max(0.0, math.log10(texts / 5))


def _is_enough(shared: int, texts: int, others: int, everything: int, base: float, sigmas: float) -> bool:
    """Whether `shared` of `texts` hold what `others` of `everything` hold often enough, and not by chance."""
    share, needed = shared / texts, _needed(base, texts)
    chance = texts * others / everything
    return share >= max(SURE, needed) or (
        share >= needed and (shared - chance) > sigmas * math.sqrt(chance + 1)
    )


def _parents(held: list[list[str]], size: Mapping[str, int], everything: int) -> dict[str, tuple[str, float]]:
    """The parent of each term that has one, and the share of its texts that hold the parent. `size` is ordered."""
    together: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for terms in held:
        for term in terms:
            together[term].update(terms)
    rank = {term: place for place, term in enumerate(size)}
    inside = _contained(list(size))
    parents: dict[str, tuple[str, float]] = {}
    for term in size:
        best: tuple[float, str] | None = None
        for other, shared in together[term].items():
            if rank[other] >= rank[term] or shared < 2:
                continue
            if not _is_enough(shared, size[term], size[other], everything, LIFT, CHANCE):
                continue
            chance = size[term] * size[other] / everything
            above = (shared - chance) / math.sqrt(chance + 1)
            worth = shared / size[term] * (1 + math.sqrt(max(0.0, above)))
            best = max(best or (0.0, ""), (worth, other))
        if best:
            parents[term] = best[1], together[term][best[1]] / size[term]
        elif term in inside:
            parents[term] = inside[term], 0.8
    return parents


def _contained(terms: list[str]) -> dict[str, str]:
    """For each long word, the strongest other word that it begins with or (of five letters or more) contains."""
    words = [term for term in terms if " " not in term and len(term) >= 4]
    rank = {word: place for place, word in enumerate(words)}
    found: dict[str, str] = {}
    for word, place in rank.items():
        length = len(word)
        parts = (word[i:j] for i in range(length - 3) for j in range(i + (5 if i else 4), length + 1))
        best = min((rank.get(part, place) for part in parts if len(part) < length - 1), default=place)
        if best < place:
            found[word] = words[best]
    return found


def _roots(
    parents: Mapping[str, tuple[str, float]], bursts: Mapping[str, Burst]
) -> dict[str, tuple[str, float]]:
    """The root that each term leads to, and how surely."""
    roots: dict[str, tuple[str, float]] = {}
    for term in bursts:  # a parent comes before its children
        parent, share = parents.get(term, ("", 1.0))
        root, weight = roots.get(parent, (term, 1.0))
        roots[term] = root, weight * math.sqrt(share)
    return roots


def _members(
    held: list[list[str]], size: Mapping[str, int], roots: Mapping[str, tuple[str, float]]
) -> dict[str, list[int]]:
    """The texts of each root."""
    members: defaultdict[str, list[int]] = defaultdict(list)
    rarity = {term: min(1.0, math.log(len(held) / count) / TYPICAL) for term, count in size.items()}
    for place, terms in enumerate(held):
        votes: Counter[str] = Counter()
        for term in terms:
            root, weight = roots[term]
            votes[root] += weight * rarity[term]  # type: ignore[assignment]  # a Counter of floats
        if votes:
            root, vote = max(votes.items(), key=lambda item: (item[1], item[0]))
            if vote >= ENOUGH or (root in terms and vote >= ALONE):
                members[root].append(place)
    return dict(members)


def _joined(held: list[list[str]], size: Mapping[str, int], members: dict[str, list[int]]) -> dict[str, str]:
    """Which root's story joined which larger one. Changes `members`: the texts go along."""
    order = sorted(members, key=lambda root: (len(members[root]), root))
    has_core: defaultdict[str, list[str]] = defaultdict(list)
    for root in order:
        if len(members[root]) >= LARGER:
            for term in core(held, size, members[root]):
                has_core[term].append(root)
    into: dict[str, str] = {}
    for root in order:
        texts, best = members[root], (0.0, "")
        shared = Counter(
            other for place in texts for other in {o for term in held[place] for o in has_core.get(term, ())}
        )
        for other, number in shared.items():
            if other == root or len(members.get(other, ())) <= len(texts):
                continue
            if _is_enough(number, len(texts), len(members[other]), len(held), JOIN, 1.0):
                best = max(best, (number / len(texts), other))
        if best[1]:
            into[root] = best[1]
            members[best[1]] = members[best[1]] + members.pop(root)
    return into


def core(held: Sequence[Sequence[str]], size: Mapping[str, int], texts: Sequence[int]) -> set[str]:
    """The core terms of a story of these texts. `held`: the bursting terms of each text; `size`: texts that hold each."""
    counts = Counter(term for place in texts for term in held[place])
    return {
        term
        for term, count in counts.items()
        if count >= max(FEWEST, CORE * len(texts)) and count >= OWN * size[term]
    }


def joined(whole: Cluster, part: Cluster, bursts: Mapping[str, Burst]) -> Cluster:
    """A story with one of its parts."""
    weights = {term: INHERITED * weight for term, weight in part.weights.items()} | whole.weights
    terms = tuple(term for term in bursts if term in weights)
    return Cluster(whole.root, terms, weights, sorted({*whole.texts, *part.texts}))


def _clusters(
    bursts: Mapping[str, Burst],
    roots: Mapping[str, tuple[str, float]],
    members: Mapping[str, list[int]],
    into: Mapping[str, str],
) -> list[Cluster]:
    terms: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for term, burst in bursts.items():
        root, weight = roots[term]
        while root in into:
            root, weight = into[root], INHERITED * weight
        terms[root][term] = weight * math.sqrt(burst.score)
    return [
        Cluster(root, tuple(terms[root]), terms[root], sorted(texts))
        for root, texts in members.items()
        if len(texts) >= FEWEST
    ]
