"""Likes, reposts, replies and quotes of known posts, as they change inside one transaction of the log.

Counts of a post are those of its newest version until something changes them; from then on a row of the table
`counts` holds them.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from trinch.posts.schema import Post
from trinch.store import bodies
from trinch.store.sql import select_in

COUNTS = ("likes", "reposts", "replies", "quotes")
Counts: TypeAlias = dict[str, int | None]
"""Keyed by the names in COUNTS, in that order."""

_COLUMNS = ", ".join(COUNTS)


class _PostCounts(msgspec.Struct):
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    quotes: int | None = None


class _Counted(msgspec.Struct):
    """The part of a stored event that holds counts."""

    post: _PostCounts


_decode = msgspec.json.Decoder(_Counted).decode


def counts_of(post: Post | _PostCounts) -> Counts:
    """The counts inside a post."""
    return {name: getattr(post, name) for name in COUNTS}


def is_other_level(before: int, after: int) -> bool:
    """Whether a count crossed a power of two: the index stores counts at that resolution only."""
    return before.bit_length() != after.bit_length()


def level_changed(before: Counts, after: Counts) -> bool:
    """Whether one of the counts crossed a power of two."""
    return any(is_other_level(before[name] or 0, after[name] or 0) for name in COUNTS)


class CountTable:
    """Counts by root key (see `families.py`), with the time they were last seen (0: when the post was read)."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._current: dict[str, tuple[Counts, int]] = {}
        self._changed: set[str] = set()
        self._new_posts: dict[str, Post] = {}

    def load(self, newest: Mapping[str, int]) -> None:
        """Read the counts of many posts at once: root key → position of the newest version."""
        rows = select_in(self._db, f"SELECT key, at, {_COLUMNS} FROM counts WHERE key", list(newest))
        for key, at, *values in rows:
            self._current[key] = dict(zip(COUNTS, values, strict=True)), at
        plain = {seq: key for key, seq in newest.items() if key not in self._current}
        for seq, body in select_in(self._db, "SELECT seq, body FROM events WHERE seq", list(plain)):
            if body is not None:
                self._current[plain[seq]] = counts_of(_decode(bodies.plain(body)).post), 0

    def add_post(self, root: str, post: Post) -> None:
        """Remember a post of this transaction, which may not be in the table `events` yet."""
        self._new_posts[root] = post

    def get(self, root: str, newest: int) -> tuple[Counts, int]:
        """The counts of a post and the time they were seen; `newest` is the position of its newest version."""
        if root in self._current:
            return self._current[root]
        if root in self._new_posts:
            return counts_of(self._new_posts[root]), 0
        row = self._row(root)
        if row:
            return dict(zip(COUNTS, row[1:], strict=True)), row[0]
        (body,) = self._db.execute("SELECT body FROM events WHERE seq = ?", (newest,)).fetchone()
        return (counts_of(_decode(bodies.plain(body)).post) if body is not None else dict.fromkeys(COUNTS)), 0

    def set(self, root: str, counts: Counts, at: int) -> None:
        """Replace the counts of a post."""
        self._current[root] = counts, at
        self._changed.add(root)

    def forget(self, root: str) -> None:
        """Delete the counts of a post."""
        self._drop_cached(root)
        self._db.execute("DELETE FROM counts WHERE key = ?", (root,))

    def add_version(self, root: str, post: Post, at: int) -> bool:
        """Take over the counts inside a new version of a post, unless newer ones are known.

        Returns whether the post has a row of counts, which then count more than those inside the version."""
        self._drop_cached(root)
        row = self._row(root)
        if row and row[0] <= at:
            sets = ", ".join(f"{name} = coalesce(?, {name})" for name in COUNTS)
            self._db.execute(
                f"UPDATE counts SET at = ?, {sets} WHERE key = ?", (at, *counts_of(post).values(), root)
            )
        return row is not None

    def merge(self, roots: Sequence[str], root: str) -> None:
        """Keep the counts seen last of several posts that turned out to be one. Call `flush` before."""
        for key in (root, *roots):
            self._drop_cached(key)
        marks = ",".join("?" * len(roots))
        self._db.execute(
            f"INSERT OR REPLACE INTO counts SELECT ?, at, {_COLUMNS} FROM counts"
            f" WHERE key IN (?, {marks}) ORDER BY at DESC LIMIT 1",
            (root, root, *roots),
        )
        self._db.execute(f"DELETE FROM counts WHERE key IN ({marks})", roots)

    def flush(self) -> None:
        """Write the changed counts to the table."""
        rows = [(key, self._current[key][1], *self._current[key][0].values()) for key in self._changed]
        self._db.executemany("INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._changed.clear()

    def _row(self, root: str) -> tuple[int, ...] | None:
        found: tuple[int, ...] | None = self._db.execute(
            f"SELECT at, {_COLUMNS} FROM counts WHERE key = ?", (root,)
        ).fetchone()
        return found

    def _drop_cached(self, root: str) -> None:
        self._current.pop(root, None)
        self._new_posts.pop(root, None)
        self._changed.discard(root)
