"""Likes, reposts, replies and quotes of known posts, as they change inside one transaction of the log.

Counts of a post are those of its newest version until something changes them; from then on a row of the table
`counts` holds them, under the position of that version.
"""

import sqlite3
from collections.abc import Collection, Sequence

import msgspec

from trinch.posts.schema import CountsChanged, Post
from trinch.store import bodies
from trinch.store.sql import select_in

COUNTS = ("likes", "reposts", "replies", "quotes")


class Counts(msgspec.Struct, gc=False):
    """Counts of a post, and when they were last seen (0: when the post was read)."""

    at: int = 0
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    quotes: int | None = None

    def updated(self, seen: "Post | CountsChanged", at: int) -> "Counts":
        """The counts after some of them were `seen` anew at a time."""
        return Counts(
            at,
            self.likes if seen.likes is None else seen.likes,
            self.reposts if seen.reposts is None else seen.reposts,
            self.replies if seen.replies is None else seen.replies,
            self.quotes if seen.quotes is None else seen.quotes,
        )

    @property
    def levels(self) -> tuple[int, ...]:
        """The counts at the resolution that the index stores: powers of two."""
        found = (self.likes, self.reposts, self.replies, self.quotes)
        return tuple([(count or 0).bit_length() for count in found])


class _Counted(msgspec.Struct):
    """The part of a stored event that holds counts."""

    post: Counts


_decode = msgspec.json.Decoder(_Counted).decode
_COLUMNS = ", ".join(COUNTS)


def has_counts(post: Post) -> bool:
    """Whether a post holds counts itself."""
    return not (post.likes is None and post.reposts is None and post.replies is None and post.quotes is None)


class CountTable:
    """Counts by the position of the newest version of the post. What was read is kept, see `known_posts.py`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._current: dict[int, Counts] = {}
        self._stored: set[int] = set()
        """Those of `_current` that have, or will have, a row."""
        self._changed: set[int] = set()

    def load(self, seqs: Collection[int], without: Collection[int] = ()) -> None:
        """Read the counts of many posts at once; those `without` counts inside them need not be looked into."""
        current = self._current
        wanted = [seq for seq in seqs if seq not in current]
        rows = select_in(self._db, f"SELECT seq, at, {_COLUMNS} FROM counts WHERE seq", wanted)
        found = {row[0]: Counts(*row[1:]) for row in rows}
        current |= found
        self._stored |= found.keys()
        plain = [seq for seq in wanted if seq not in found]
        held = [seq for seq in plain if seq not in without]
        current |= {seq: Counts() for seq in plain}
        for seq, body in select_in(self._db, "SELECT seq, body FROM events WHERE seq", held):
            if body is not None:
                current[seq] = _decode(bodies.plain(body)).post

    def get(self, seq: int) -> Counts:
        """The counts of a post; call `set` after changing them."""
        if seq not in self._current:
            self.load([seq])
        return self._current[seq]

    def is_changed(self, seq: int) -> bool:
        """Whether something changed the counts of a post after it was read."""
        if seq not in self._current:
            self.load([seq])
        return seq in self._stored

    def set(self, seq: int, counts: Counts) -> None:
        """Replace the counts of a post."""
        self._current[seq] = counts
        self._stored.add(seq)
        self._changed.add(seq)

    def take(self, seqs: Sequence[int]) -> Counts | None:
        """Remove what changed the counts of some versions of a post; those that were seen last."""
        self.flush()
        rows = select_in(self._db, f"SELECT at, {_COLUMNS} FROM counts WHERE seq", seqs)
        self.forget(seqs)
        return Counts(*max(rows, key=lambda row: row[0])) if rows else None

    def forget(self, seqs: Sequence[int]) -> None:
        """Delete the counts of some versions of a post."""
        for seq in seqs:
            self._current.pop(seq, None)
            self._stored.discard(seq)
            self._changed.discard(seq)
        self._db.executemany("DELETE FROM counts WHERE seq = ?", [(seq,) for seq in seqs])

    def flush(self) -> None:
        """Write the changed counts to the table."""
        current, values = self._current, msgspec.structs.astuple
        rows = [(seq, *values(current[seq])) for seq in sorted(self._changed)]
        self._db.executemany("INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._changed.clear()
