"""How much a story leads: growth and independent sources, less what shows that it is no happening.

    score = (n - e) * log(n / e) * min(1, bound / BOUND)^2 * discounts

n: independent sources; e: those expected on ordinary days; bound: the share of its texts that hold two of its terms,
which is low where posts share a fashionable word only. It does not count for a story that is breaking.
"""

import math
import tomllib
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from trinch.posts.text import fold
from trinch.stories.clusters import Cluster
from trinch.stories.happening import Evidence, chance
from trinch.stories.term_index import HOUR
from trinch.stories.window import Bursting, Window

BOUND = 0.25
FRESH = HOUR // 2
"""Microseconds for which a story is breaking."""
BREAKING = 0.75
"""Share of the texts of a breaking story that are so fresh."""
LEADS = 4.0
"""Score from which a story is listed among the leading ones."""
LIKELY = 0.62
"""Chance of being a happening from which a story is listed."""
STRONG, PLAUSIBLE = 15.0, 0.45
"""For a story of this score a smaller chance is enough."""
SOURCES = 4
"""Independent sources that a leading story has."""
FEW, SOURCES_OF_FEW = 20, 2
"""Where no more sources than these post at all, as in a store of some feeds, so many are enough."""
COPIES = 0.7
"""Share of copies not marked as reposts from which a story is taken for a campaign."""
CAMPAIGN = 10
"""Posts of a campaign."""

_TABLE = tomllib.loads(files("trinch.stories").joinpath("discounts.toml").read_text("utf-8"))
_PHRASES = {
    reason: (float(row["share"]), tuple(row["phrases"].strip().replace("\n", "|").split("|")))
    for reason, row in _TABLE.items()
    if "phrases" in row
}


class Rank(NamedTuple):
    """The score of a story, its independent sources, and why it was discounted."""

    score: float
    sources: int
    discounts: tuple[str, ...]
    needed: int = SOURCES
    """Sources that a leading story has in this window."""
    evidence: Evidence | None = None
    """What tells whether it is a happening; None where its posts were not read."""

    @property
    def leads(self) -> bool:
        """Whether it belongs in a list of leading stories."""
        if self.score < LEADS or self.sources < self.needed:
            return False
        needed = PLAUSIBLE if self.score >= STRONG else LIKELY
        return self.evidence is None or chance(self.evidence) >= needed


def rank(cluster: Cluster, window: Window, terms: Bursting) -> Rank:
    """Rank a cluster by the numbers of a window; what its texts say is not read yet (`discounted`)."""
    first = window.first[cluster.texts]
    sources = len(np.unique(window.posts.source[first]))
    burst = terms.bursts[cluster.root]
    growth = max(1.0, burst.found / burst.expected)
    held = Counter(place for term in cluster.weights for place in terms.holders[term])
    bound = sum(held[place] > 1 for place in cluster.texts) / len(cluster.texts)
    reasons = ("one_author",) * (sources == 1) + ("copied",) * _is_copied(cluster, window)
    score = sources * (1 - 1 / growth) * math.log(growth)
    if not _is_breaking(cluster, window):
        score *= min(1.0, bound / BOUND) ** 2
    needed = SOURCES_OF_FEW if len(np.unique(window.posts.source)) <= FEW else SOURCES
    return Rank(score * factor(reasons), sources, reasons, needed)


def _is_breaking(cluster: Cluster, window: Window) -> bool:
    """Whether most texts of a story are of the last moments: too early to expect two common terms."""
    return bool((window.times[cluster.texts] > window.as_of - FRESH).mean() >= BREAKING)


def _is_copied(cluster: Cluster, window: Window) -> bool:
    """Whether most posts of a story are copies that are not marked as reposts."""
    copies = [place for text in cluster.texts for place in window.carriers[text][1:]]
    unmarked = int((~window.posts.is_repost[copies]).sum()) if copies else 0
    posts = len(copies) + len(cluster.texts)
    return posts >= CAMPAIGN and unmarked >= COPIES * posts


def discounted(ranked: Rank, texts: Sequence[str]) -> Rank:
    """The rank of a story by what some of its texts say, too."""
    folded = [fold(text) for text in texts]
    reasons = tuple(
        reason
        for reason, (share, phrases) in _PHRASES.items()
        if sum(any(phrase in text for phrase in phrases) for text in folded) >= share * max(1, len(folded))
    )
    return ranked._replace(score=ranked.score * factor(reasons), discounts=ranked.discounts + reasons)


def factor(discounts: Sequence[str]) -> float:
    """What a score is multiplied by for these reasons."""
    return math.prod(float(_TABLE[reason]["factor"]) for reason in discounts)
