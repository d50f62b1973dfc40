"""Single likes and reposts, so that each counts once and can be taken back: one short row each, in order of time.

A record is known by the time in its id and a hash of the whole id. So the rows of a moment lie side by side, and a
thousand new ones change a few pages of the file instead of a thousand.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

import msgspec

from trinch.store.sql import select_in

Record = tuple[int, int]
"""Time (see `_time`) and 64-bit hash of the id of a record: of the records of one second no two are alike in practice."""

_DIGITS = str.maketrans("234567abcdefghijklmnopqrstuvwxyz", "0123456789abcdefghijklmnopqrstuv")
"""The digits of base32-sortable as Python's `int` reads base 32."""


def record_of(network: str, id: str) -> Record:
    """The record with an id."""
    name = f"{network}:{id}".encode(errors="surrogatepass")
    return _time(id[-13:-6]), int.from_bytes(blake2b(name, digest_size=8).digest(), "big", signed=True)


@lru_cache(1024)
def _time(written: str) -> int:
    """The time of a record key of Bluesky in units of 2^20 microseconds, by its first 7 of 13 characters
    (atproto.com/specs/tid); of another id something, always the same."""
    try:
        return int(written.translate(_DIGITS), 32)
    except ValueError:
        return 0


class Reaction(msgspec.Struct, gc=False):
    """What a record is of."""

    seq: int
    """Position of the version of the post that was the newest at that time."""
    is_repost: bool
    is_undone: bool = False


class ReactionTable:
    """The table `reactions`, as it changes inside one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._found: dict[Record, Reaction] = {}
        self._changed: set[Record] = set()

    def load(self, records: Iterable[Record]) -> None:
        """Read many at once, those that are not known yet."""
        by_time: defaultdict[int, list[int]] = defaultdict(list)
        for record in records:
            if record not in self._found:
                by_time[record[0]].append(record[1])
        for time, hashes in by_time.items():
            sql = "SELECT hash, seq, is_repost, is_undone FROM reactions WHERE time = ? AND hash"
            for hashed, seq, is_repost, is_undone in select_in(self._db, sql, hashes, (time,)):
                self._found[time, hashed] = Reaction(seq, bool(is_repost), bool(is_undone))

    def get(self, record: Record) -> Reaction | None:
        """What a record is of, if it was loaded or added."""
        return self._found.get(record)

    def add(self, record: Record, reaction: Reaction) -> None:
        """Add a record, or change it."""
        self._found[record] = reaction
        self._changed.add(record)

    def flush(self) -> None:
        """Write the changes to the table."""
        found = self._found
        rows = [
            (*record, (one := found[record]).seq, one.is_repost, one.is_undone)
            for record in sorted(self._changed)
        ]
        self._db.executemany("INSERT OR REPLACE INTO reactions VALUES (?, ?, ?, ?, ?)", rows)
        self._changed.clear()


def take_over(db: sqlite3.Connection) -> None:
    """Move the rows of the table of format 3, which has the ids of records and posts, into that of today."""
    rows = db.execute("SELECT record, posts.seq, what, undone FROM reactions_3 JOIN posts USING (key) WHERE seq > 0")
    db.executemany(
        "INSERT OR IGNORE INTO reactions VALUES (?, ?, ?, ?, ?)",
        (
            (*record_of(*record.split(":", 1)), seq, what != "like", undone)
            for record, seq, what, undone in rows
        ),
    )
    db.execute("DROP TABLE reactions_3")
