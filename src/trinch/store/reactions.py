"""Single likes and reposts, so that each counts once and can be taken back: one short row each, in order of time.

A record is known by the time in its id and a hash of the whole id. So the rows of a moment lie side by side, and a
thousand new ones change a few pages of the file instead of a thousand.
"""

import sqlite3
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from trinch.store.sql import select_in

Record: TypeAlias = tuple[int, int]
"""Time (see `_time`) and 64-bit hash of the id of a record: of the records of one second no two are alike in practice."""

_DIGITS = str.maketrans("234567abcdefghijklmnopqrstuvwxyz", "0123456789abcdefghijklmnopqrstuv")
"""The digits of base32-sortable as Python's `int` reads base 32."""


def records_of(keys: Sequence[str]) -> list[Record]:
    """The records with some keys, `network:id`."""
    digests = [blake2b(key.encode(errors="surrogatepass"), digest_size=8).digest() for key in keys]
    return list(zip([_time(key[-13:-6]) for key in keys], array("q", b"".join(digests)), strict=True))


@lru_cache(4096)
def _time(written: str) -> int:
    """The time of a record key of Bluesky in units of 2^20 microseconds, by its first 7 of 13 characters
    (atproto.com/specs/tid); of another id something, always the same."""
    try:
        return int(written.translate(_DIGITS), 32)
    except ValueError:
        return 0


class Reaction(NamedTuple):
    """A row of the table."""

    time: int
    hash: int
    seq: int
    """Position of the version of the post that was the newest at that time."""
    is_repost: bool
    is_undone: bool


class ReactionTable:
    """The table `reactions`, as it changes inside one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.rows: dict[Record, tuple[int, int, int, bool, bool]] = {}
        """Those that were loaded or changed, each as a `Reaction` or what it is made of."""
        self.changed: set[Record] = set()
        """Those to be written."""

    def load(self, records: Iterable[Record]) -> None:
        """Read many at once, those that are not known yet."""
        by_time: defaultdict[int, list[int]] = defaultdict(list)
        for record in records:
            if record not in self.rows:
                by_time[record[0]].append(record[1])
        for time, hashes in by_time.items():
            sql = "SELECT * FROM reactions WHERE time = ? AND hash"
            for row in select_in(self._db, sql, hashes, (time,)):
                self.rows[row[0], row[1]] = row

    def add(self, rows: Sequence[tuple[int, int, int, bool, bool]]) -> None:
        """Write new rows to the table."""
        # In the order of the table each page is visited once.
        self._db.executemany("INSERT OR REPLACE INTO reactions VALUES (?, ?, ?, ?, ?)", sorted(rows))

    def move(self, found: Mapping[int, int]) -> None:
        """Let reactions to versions of posts be to other versions: old position → new."""
        if not found:
            return
        self._db.execute("CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER)")
        self._db.executemany("INSERT INTO moved VALUES (?, ?)", found.items())
        self._db.execute(
            "UPDATE reactions SET seq = (SELECT new FROM moved WHERE old = seq) WHERE seq IN (SELECT old FROM moved)"
        )
        self._db.execute("DROP TABLE moved")

    def flush(self) -> None:
        """Write the changes to the table."""
        self.add([self.rows[record] for record in self.changed])
        self.changed.clear()


def take_over(db: sqlite3.Connection) -> None:
    """Move the rows of the table of format 3, which has the ids of records and posts, into that of today."""
    sql = """SELECT record, posts.seq, what, undone FROM reactions_3 LEFT JOIN aliases USING (key)
        JOIN posts ON posts.key = coalesce(aliases.root, reactions_3.key) WHERE posts.seq > 0"""
    rows = db.execute(sql)
    while some := rows.fetchmany(1000):
        records = records_of([record for record, *_ in some])
        db.executemany(
            "INSERT OR IGNORE INTO reactions VALUES (?, ?, ?, ?, ?)",
            [
                (*record, seq, what != "like", undone)
                for record, (_, seq, what, undone) in zip(records, some, strict=True)
            ],
        )
    db.execute("DROP TABLE reactions_3")
