"""How much a story leads: growth and independent sources, less what shows that it is no happening.

    score = (n - e) * log(n / e) * min(1, bound / BOUND)^2 * discounts

n: independent sources; e: those expected on ordinary days; bound: the share of its texts that hold two of its terms,
which is low where posts share a fashionable word only.
"""

import math
import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

from trinch.answers.spans import REPOST
from trinch.posts.text import fold
from trinch.stories.bursts import Burst
from trinch.stories.clusters import Cluster
from trinch.stories.texts import Text

BOUND = 0.25
LEADS = 4.0
"""Score from which a story is listed among the leading ones."""
SOURCES = 4
"""Independent sources that a leading story has."""
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

    @property
    def leads(self) -> bool:
        """Whether it belongs in a list of leading stories."""
        return self.score >= LEADS and self.sources >= SOURCES


def rank(cluster: Cluster, texts: Sequence[Text], bursts: Mapping[str, Burst]) -> Rank:
    """Rank a cluster of texts."""
    mine = [texts[place] for place in cluster.texts]
    sources = len({text.source for text in mine})
    burst = bursts[cluster.root]
    growth = max(1.0, burst.found / burst.expected)
    bound = sum(len(cluster.weights.keys() & set(text.terms)) > 1 for text in mine) / len(mine)
    reasons = _discounts(mine, sources)
    score = sources * (1 - 1 / growth) * math.log(growth) * min(1.0, bound / BOUND) ** 2
    return Rank(score * factor(reasons), sources, reasons)


def factor(discounts: Sequence[str]) -> float:
    """What a score is multiplied by for these reasons."""
    return math.prod(float(_TABLE[reason]["factor"]) for reason in discounts)


def _discounts(texts: Sequence[Text], sources: int) -> tuple[str, ...]:
    found: list[str] = []
    if sources == 1:
        found.append("one_author")
    posts = sum(len(text.posts) for text in texts)
    copies = sum(
        not (version.post.repost_of or REPOST.match(version.post.text))
        for text in texts
        for version in text.posts[1:]
    )
    if posts >= CAMPAIGN and copies >= COPIES * posts:
        found.append("copied")
    folded = [fold(text.posts[0].post.text) for text in texts]
    for reason, (share, phrases) in _PHRASES.items():
        if sum(any(phrase in text for phrase in phrases) for text in folded) >= share * len(texts):
            found.append(reason)
    return tuple(found)
