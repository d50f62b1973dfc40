"""Find the stories that are parts of a larger one: a relief fund, a hospital, what is said in reply to its posts.

Of two stories the smaller is a part of the larger where enough of its posts reply to posts of that one; or where it has
at most 1 / SMALLER of the texts, and enough of them hold two core terms of the larger one, or one and more than chance
would have it.
"""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from trinch.stories.clusters import Cluster, core
from trinch.stories.window import Bursting

REPLIES = 0.5
"""Share of the posts of a part that reply to posts of the whole."""
PAIRED, PAIRS = 0.15, 2
"""Share and number of its texts that hold two core terms of the whole."""
SHARED, SINGLE = 0.2, 3
"""Share and number of its texts that hold one."""
ABOVE = 4.0
"""Times as many as of the texts outside the whole."""
SMALLER = 8


class _Whole(NamedTuple):
    """A story that others may be parts of."""

    cluster: Cluster
    texts: frozenset[int]
    core: frozenset[str]
    elsewhere: float
    """Share of the texts outside it that hold one of its core terms."""


def parts(
    clusters: Sequence[Cluster],
    terms: Bursting,
    texts: int,
    answered: Callable[[Cluster], Sequence[AbstractSet[int]]],
) -> dict[str, str]:
    """The root of the whole for the root of each part, among some clusters of a window of so many texts.

    `answered` gives the texts that each of some posts of a cluster replies to."""
    held: list[list[str]] = [[] for _ in range(texts)]
    for term, places in terms.holders.items():
        for place in places:
            held[place].append(term)
    size = {term: len(places) for term, places in terms.holders.items()}
    found: dict[str, str] = {}
    wholes: list[_Whole] = []
    for cluster in sorted(clusters, key=lambda one: (-len(one.texts), one.root)):
        replies = answered(cluster)
        shares = {
            whole.cluster.root: max(_replying(replies, whole), _sharing(cluster, whole, held))
            for whole in wholes
        }
        best = max(shares, key=lambda root: (shares[root], root), default="")
        if best and shares[best] > 0:
            found[cluster.root] = best
        else:
            wholes.append(_whole(cluster, held, size))
    return found


def _whole(cluster: Cluster, held: Sequence[Sequence[str]], size: Mapping[str, int]) -> _Whole:
    inside, terms = frozenset(cluster.texts), frozenset(core(held, size, cluster.texts))
    others = sum(not terms.isdisjoint(of) for place, of in enumerate(held) if place not in inside)
    return _Whole(cluster, inside, terms, others / max(1, len(held) - len(inside)))


def _replying(replies: Sequence[AbstractSet[int]], whole: _Whole) -> float:
    """The share of posts that reply to the whole; 0 for too few."""
    share = sum(not whole.texts.isdisjoint(to) for to in replies) / max(1, len(replies))
    return share if share >= REPLIES else 0.0


def _sharing(part: Cluster, whole: _Whole, held: Sequence[Sequence[str]]) -> float:
    """The share of the texts of a part that hold core terms of the whole; 0 for too few."""
    if len(whole.texts) < SMALLER * len(part.texts):
        return 0.0
    shared = [len(whole.core.intersection(held[place])) for place in part.texts]
    one, two = sum(n >= 1 for n in shared), sum(n >= 2 for n in shared)
    share = one / len(shared)
    is_paired = two >= PAIRS and two >= PAIRED * len(shared)
    is_shared = one >= SINGLE and share >= max(SHARED, ABOVE * whole.elsewhere)
    return share if is_paired or is_shared else 0.0
