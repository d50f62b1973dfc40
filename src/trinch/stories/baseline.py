"""In how many different texts of a day each term occurs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trinch.stories.packed import term_hash

DAY = 86_400_000_000
REPEATED = 2
"""Texts of a day that must hold a term for it to be counted."""


class DayCounts(NamedTuple):
    """The counts of a day, by the hashes of the terms (ascending)."""

    texts: int
    hashes: NDArray[np.uint32]
    counts: NDArray[np.uint32]

    def of(self, hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """The counts of terms given by their hashes; 0 for those of fewer than REPEATED texts."""
        if not len(self.hashes):
            return np.zeros(len(hashes), dtype=np.uint32)
        places = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[places] == hashes, self.counts[places], 0).astype(np.uint32)

    def held(self, term: str) -> int:
        """The count of one term."""
        return int(self.of(np.array([term_hash(term)], dtype=np.uint32))[0])


def count(texts: int, hashes: NDArray[np.uint32]) -> DayCounts:
    """Count terms. `hashes`: those of each of so many texts, one after the other, each once a text."""
    found, counts = np.unique(hashes, return_counts=True)
    kept = counts >= REPEATED
    return DayCounts(texts, found[kept].astype(np.uint32), counts[kept].astype(np.uint32))
