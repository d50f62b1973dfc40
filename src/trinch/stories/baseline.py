"""How often each term is used on an ordinary day: counts of terms by UTC day, cached beside the store.

The counts of a day depend only on the posts of that day as of its end. A day is counted at its first use and again
when its number of posts has changed (late posts, deletions), so no crash can leave a wrong count. Terms are stored as
hashes and only where at least two texts hold them: the cache holds no text.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from trinch.posts.times import now
from trinch.store.store import Store
from trinch.stories.texts import distinct

DAY = 86_400_000_000
CACHE = "stories.db"
"""File of the cache inside the folder of a store; it can be deleted at any time."""
MOST_POSTS = 24_000
"""Posts of a day that are counted; of a busier day, an even sample."""
REPEATED = 2
"""Texts of a day that must hold a term for it to be counted."""
FORMAT = 1
"""Version of `words.topical` and of the table below: counts of another one are not used."""

_EPOCH = date(1970, 1, 1)
_TABLE = """
CREATE TABLE IF NOT EXISTS days (
    day    INTEGER PRIMARY KEY,  -- days since 1970-01-01
    format INTEGER NOT NULL,
    owner  TEXT NOT NULL,        -- identity of the store
    posts  INTEGER NOT NULL,     -- posts in the index when the day was counted
    texts  INTEGER NOT NULL,
    hashes BLOB NOT NULL,        -- uint32, ascending
    counts BLOB NOT NULL         -- uint32
)
"""


class DayCounts(NamedTuple):
    """In how many different texts of a day each term occurs."""

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
        return int(self.of(hashed([term]))[0])


def hashed(terms: Iterable[str]) -> NDArray[np.uint32]:
    """The 32-bit hashes that terms are stored under."""
    return np.array([crc32(term.encode("utf-8", "surrogatepass")) for term in terms], dtype=np.uint32)


def count(texts: Sequence[Sequence[str]]) -> DayCounts:
    """Count the texts that hold each term."""
    found = Counter(term for terms in texts for term in terms)
    kept = [term for term, texts_of in found.items() if texts_of >= REPEATED]
    numbers, hashes = np.array([found[term] for term in kept], dtype=np.uint32), hashed(kept)
    order = np.argsort(hashes, kind="stable")
    return DayCounts(len(texts), hashes[order], numbers[order])


class Baseline:
    """The counts of the days of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._posts = store.days()
        self._db = _open(store.data / CACHE)

    def close(self) -> None:
        """Close the cache."""
        self._db.close()

    def days(
        self, first: int, last: int, progress: Callable[[int, int], None] | None = None
    ) -> list[DayCounts]:
        """The counts of the days (numbered from 1970) from `first` to before `last`."""
        wanted = [day for day in range(first, last) if self._size(day)]
        found: list[DayCounts] = []
        for place, day in enumerate(wanted):
            if progress:
                progress(place, len(wanted))
            found.append(self._cached(day) or self._counted(day))
        return found

    def newest(self) -> int | None:
        """The last day with a post that is not in the future; None for an empty store."""
        today = now() // DAY
        days = [(date.fromisoformat(day) - _EPOCH).days for day in self._posts]
        return max((day for day in days if day <= today), default=None)

    def day(self, day: int) -> DayCounts:
        """The counts of one day."""
        return next(iter(self.days(day, day + 1)), count([]))

    def _size(self, day: int) -> int:
        try:
            return self._posts.get((_EPOCH + timedelta(days=day)).isoformat(), 0)
        except OverflowError:
            return 0

    def _cached(self, day: int) -> DayCounts | None:
        select = (
            "SELECT texts, hashes, counts FROM days WHERE day = ? AND format = ? AND owner = ? AND posts = ?"
        )
        with suppress(sqlite3.Error):
            row = self._db.execute(
                select, (day, FORMAT, self._store.log.identity, self._size(day))
            ).fetchone()
            if row:
                return DayCounts(row[0], np.frombuffer(row[1], np.uint32), np.frombuffer(row[2], np.uint32))
        return None

    def _counted(self, day: int) -> DayCounts:
        end = (day + 1) * DAY - 1
        counted = count(
            [
                text.terms + text.marks
                for text in distinct(self._store.versions(day * DAY, end, end, MOST_POSTS))
            ]
        )
        row = (day, FORMAT, self._store.log.identity, self._size(day), counted.texts)
        with suppress(sqlite3.Error):  # a cache that cannot be written costs time only
            self._db.execute(
                "INSERT OR REPLACE INTO days VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*row, counted.hashes.tobytes(), counted.counts.tobytes()),
            )
        return counted


def _open(path: Path) -> sqlite3.Connection:
    """The cache; in memory where the file cannot be used."""
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=5)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(_TABLE)
    except sqlite3.Error:
        db = sqlite3.connect(":memory:", isolation_level=None)
        db.execute(_TABLE)
    return db
