"""Likes, reposts, replies and quotes of known posts, as they change inside one transaction of the log.

Counts of a post are those of its newest version until something changes them; from then on a row of the table
`counts` holds them, under the position of that version.
"""

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from trinch.posts.schema import Post
from trinch.store import bodies
from trinch.store.sql import select_in

COUNTS = ("likes", "reposts", "replies", "quotes")
LIKES, REPOSTS = 0, 1
"""Their places in COUNTS."""


class Counts(msgspec.Struct):
    """Counts of a post in the order of COUNTS, and when they were last seen (0: when the post was read)."""

    at: int
    values: list[int | None]


class _PostCounts(msgspec.Struct):
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    quotes: int | None = None


class _Counted(msgspec.Struct):
    """The part of a stored event that holds counts."""

    post: _PostCounts


_decode = msgspec.json.Decoder(_Counted).decode
_COLUMNS = ", ".join(COUNTS)


def counts_of(post: Post | _PostCounts) -> list[int | None]:
    """The counts inside a post."""
    return [post.likes, post.reposts, post.replies, post.quotes]


def is_other_level(before: int, after: int) -> bool:
    """Whether a count crossed a power of two: the index stores counts at that resolution only."""
    return before.bit_length() != after.bit_length()


def level_changed(before: Sequence[int | None], after: Sequence[int | None]) -> bool:
    """Whether one of the counts crossed a power of two."""
    return any(is_other_level(old or 0, new or 0) for old, new in zip(before, after, strict=True))


class CountTable:
    """Counts by the position of the newest version of the post."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._current: dict[int, Counts] = {}
        self._stored: set[int] = set()
        """Those of `_current` that have, or will have, a row."""
        self._changed: set[int] = set()
        self._new_posts: dict[int, Post] = {}

    def load(self, seqs: Collection[int], without: Collection[int] = ()) -> None:
        """Read the counts of many posts at once; those `without` counts inside them need not be looked into."""
        rows = select_in(self._db, f"SELECT seq, at, {_COLUMNS} FROM counts WHERE seq", list(seqs))
        current = self._current
        for seq, at, *values in rows:
            current[seq] = Counts(at, values)
            self._stored.add(seq)
        plain = [seq for seq in seqs if seq not in current]
        for seq in plain:
            current[seq] = Counts(0, [None, None, None, None])
        held = [seq for seq in plain if seq not in without]
        for seq, body in select_in(self._db, "SELECT seq, body FROM events WHERE seq", held):
            if body is not None:
                current[seq].values = counts_of(_decode(bodies.plain(body)).post)

    def add_post(self, seq: int, post: Post) -> None:
        """Remember a post of this transaction, which may not be in the table `events` yet."""
        self._new_posts[seq] = post

    def get(self, seq: int) -> Counts:
        """The counts of a post, to be changed by `set` alone."""
        if seq not in self._current:
            if post := self._new_posts.get(seq):
                return Counts(0, counts_of(post))
            self.load([seq])
        return self._current[seq]

    def is_changed(self, seq: int) -> bool:
        """Whether something changed the counts of a post after it was read."""
        if seq not in self._current and seq not in self._new_posts:
            self.load([seq])
        return seq in self._stored

    def set(self, seq: int, counts: Counts) -> None:
        """Replace the counts of a post."""
        self._current[seq] = counts
        self._stored.add(seq)
        self._changed.add(seq)

    def add(self, seq: int, place: int, step: int, at: int) -> bool:
        """Add to one of the counts of a post. Returns whether it crossed a power of two."""
        counts = self.get(seq)
        values = counts.values
        before = values[place] or 0
        values[place] = after = before + step if before + step > 0 else 0
        counts.at = at
        self.set(seq, counts)
        return before.bit_length() != after.bit_length()

    def take(self, seqs: Sequence[int]) -> Counts | None:
        """Remove what changed the counts of some versions of a post; those that were seen last."""
        self.flush()
        rows = select_in(self._db, f"SELECT at, {_COLUMNS} FROM counts WHERE seq", seqs)
        self.forget(seqs)
        latest = max(rows, key=lambda row: row[0], default=None)
        return Counts(latest[0], list(latest[1:])) if latest else None

    def forget(self, seqs: Sequence[int]) -> None:
        """Delete the counts of some versions of a post."""
        for seq in seqs:
            self._current.pop(seq, None)
            self._new_posts.pop(seq, None)
            self._stored.discard(seq)
            self._changed.discard(seq)
        self._db.executemany("DELETE FROM counts WHERE seq = ?", [(seq,) for seq in seqs])

    def flush(self) -> None:
        """Write the changed counts to the table."""
        current = self._current
        rows = [(seq, (counts := current[seq]).at, *counts.values) for seq in sorted(self._changed)]
        self._db.executemany("INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._changed.clear()
