"""Which terms are used far more than on ordinary days.

A term is expected to occur in `texts * p` texts of the window, where p is its share of the texts of the days before,
smoothed with its share of the whole store (`PRIOR` texts' worth, so that it counts where little was posted before).
Two baselines are kept: `quiet`, without the days on which the term was used most, finds the terms of a story that has
been going on for days; `usual`, of all days, says how new the story is. The score is the Poisson log-likelihood ratio
n log(n / e) - (n - e) of n texts found against e expected.

Where fewer texts are known from the days before than the window holds (a new store, an archive of one event), parts of
the window take the place of those days, and only terms that are used at some times of the window much more than at
others burst: their log-likelihood ratio against an even spread must be at least UNEVEN.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trinch.stories.baseline import DayCounts
from trinch.stories.packed import Terms

DAYS = 14
"""Days before the window that it is compared with."""
QUIET = 0.7
"""Share of these days that the quiet baseline keeps: those on which the term was used least."""
FULL = 0.2
"""A day with less than this share of the texts of the busiest one says nothing about a single term."""
PRIOR = 8000.0
"""Texts that the share of a term in the whole store counts for."""
PRIOR_SHARE = 0.5
PAIR_SHARE = 0.1
"""A pair of words is expected in this share of the texts that hold its rarer word, where nothing is known of it."""
FLOOR = 0.5
"""Texts expected of a term that nobody ever used."""
FEWEST = 3
"""Texts that must hold a term."""
RATIO = 2.5
"""Times as many texts as expected that must hold it."""
DEVIATION = 0.5
"""Standard deviation of a daily count beyond that of a Poisson distribution, as a share of its mean."""
SIGMAS = 1.5
LEAST = 3.0
"""Least score."""
MOST = 2000
"""Terms that are kept, those of the highest scores."""


PARTS = 12
"""Parts of a window that stand for days where there are none."""
UNEVEN = 12.0
"""Chance reaches half of this for one term in a hundred: chi-squared / 2 with PARTS - 1 degrees of freedom is 12.4."""


class Burst(NamedTuple):
    """A term of the window that is used more than before."""

    found: int
    quiet: float
    """Texts expected by the quiet days."""
    usual: float
    """Texts expected by all days."""
    score: float

    @property
    def expected(self) -> float:
        """Between the two: a story of days is no longer new, but still one."""
        return math.sqrt(self.quiet * self.usual)


def bursts(terms: Terms, texts: int, days: Sequence[DayCounts], store: DayCounts) -> dict[int, Burst]:
    """The hashes of the bursting terms, highest score first (ties by hash).

    `terms`: those of the window, of so many texts; `store`: the counts of a sample of the whole store."""
    hashes, first, held = np.unique(terms.hash, return_index=True, return_counts=True)
    enough = held >= FEWEST
    hashes, first, held = hashes[enough], first[enough], held[enough].astype(np.float64)
    if not len(hashes):
        return {}
    prior = _prior(hashes, terms.left[first], terms.right[first], store)
    quiet, usual = (texts * rate + FLOOR for rate in _rates(days, hashes, prior))
    spread = np.sqrt(quiet + (DEVIATION * quiet) ** 2)
    score = held * np.log(held / quiet) - (held - quiet)
    kept = (held >= RATIO * quiet) & (held - quiet >= SIGMAS * spread) & (score > LEAST)
    order = np.lexsort((hashes, -score))
    return {
        int(hashes[place]): Burst(
            int(held[place]), float(quiet[place]), float(usual[place]), float(score[place])
        )
        for place in order[kept[order]][:MOST]
    }


def _rates(
    days: Sequence[DayCounts], hashes: NDArray[np.uint32], prior: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The share of the texts of the quiet days, and of all, that hold each term."""
    if not days:
        return prior, prior
    sizes = np.array([day.texts for day in days], dtype=np.float64)
    counts = np.array([day.of(hashes) for day in days], dtype=np.float64)  # [days, terms]
    full = sizes >= FULL * sizes.max()
    some, of = counts[full], np.broadcast_to(sizes[full, None], (int(full.sum()), len(hashes)))
    order = np.argsort(some / np.maximum(of, 1), axis=0, kind="stable")[: math.ceil(len(some) * QUIET)]
    held = np.take_along_axis(some, order, axis=0).sum(axis=0)
    seen = np.take_along_axis(of, order, axis=0).sum(axis=0)
    return (held + PRIOR * prior) / (seen + PRIOR), (counts.sum(axis=0) + PRIOR * prior) / (
        sizes.sum() + PRIOR
    )


def _prior(
    hashes: NDArray[np.uint32], left: NDArray[np.uint32], right: NDArray[np.uint32], store: DayCounts
) -> NDArray[np.float64]:
    """The share of texts that hold each term, by the whole store; `left` and `right` are the words of a pair."""

    def share(words: NDArray[np.uint32]) -> NDArray[np.float64]:
        return store.of(words) / max(1, store.texts)

    short = np.minimum(1 - (left & 1), 1 - (right & 1)).astype(bool)
    rarer = np.minimum(np.where(left & 1, share(left), 1.0), np.where(right & 1, share(right), 1.0))
    of_pair = np.where(short, share(hashes), PAIR_SHARE * rarer)
    return PRIOR_SHARE * np.where(hashes == left, share(hashes), of_pair)


def uneven(held: Sequence[int], parts: NDArray[np.int64]) -> float:
    """How unevenly the texts that hold a term are spread over the parts of a window: the log-likelihood ratio against
    the spread of all texts. `parts`: the part (0 to PARTS - 1) of each text of the window."""
    mine = np.bincount(parts[list(held)], minlength=PARTS)
    expected = np.bincount(parts, minlength=PARTS) * (len(held) / len(parts))
    some = mine > 0
    return float((mine[some] * np.log(mine[some] / expected[some])).sum())
