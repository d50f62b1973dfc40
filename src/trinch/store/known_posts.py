"""What the log knows of the posts that events name, kept in memory from one append to the next.

It holds as long as no other connection writes to the file; `is_current` asks SQLite, inside the transaction.
"""

import sqlite3
from collections.abc import Iterable

from trinch.store import families
from trinch.store.counts import CountTable
from trinch.store.sql import select_in

MOST = 100_000
"""Posts kept at most: about 40 MB with their counts."""


class KnownPosts:
    """Posts that were looked up or written, as they are in the transaction under way."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._version = self._data_version()
        self.seqs: dict[str, int | None] = {}
        """Key → position of the newest version, None if deleted."""
        self.roots: dict[str, str] = {}
        """Keys that are not the root of their family → the root."""
        self.without_counts: set[int] = set()
        """Positions of posts that hold no counts themselves."""
        self.counts = CountTable(db)

    def is_current(self) -> bool:
        """Whether all is still so, and not too much. To be asked within a transaction, before its first change."""
        return self._version == self._data_version() and len(self.seqs) < MOST

    def _data_version(self) -> int:
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def newest(self, key: str) -> int | None:
        """Position of the newest version of a post that was looked up or written; None if it is unknown or deleted."""
        return self.seqs.get(self.roots.get(key, key) if self.roots else key)

    def look_up(self, keys: Iterable[str]) -> None:
        """Look up those of these posts that are not known yet."""
        wanted = [key for key in keys if key not in self.seqs]
        sql = "SELECT key, seq, has_counts FROM posts WHERE key"
        for key, seq, has_counts in select_in(self._db, sql, wanted):
            self.seqs[key] = seq
            if has_counts == 0:
                self.without_counts.add(seq)
        for key, root in select_in(self._db, "SELECT key, root FROM aliases WHERE key", wanted):
            self.roots[key] = root
            self.seqs[key] = self.seqs[root] = families.newest(self._db, root)
