"""Edit families: all ids of one post, kept under one root key.

X gives every edit a new id. Whatever the order in which versions, edits and deletions arrive, the ids that any
edit names together belong to one family (union-find, with the paths in the table `aliases` always flat). A
family has one newest version; one deleted id deletes all.
"""

import sqlite3
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from trinch.posts.schema import Created, Edited, Post
from trinch.store import bodies
from trinch.store.sql import select_in


class StoredVersion(NamedTuple):
    """One version of a post in the log; `at` is the time of its event, or that of its arrival if it was later."""

    seq: int
    at: int
    event: Created | Edited

    @property
    def post(self) -> Post:
        return self.event.post

    @property
    def num_replaced(self) -> int:
        """How many older ids the edit named; 0 for a new post."""
        return len(self.event.replaces) if isinstance(self.event, Edited) else 0


def root_of(db: sqlite3.Connection, key: str) -> str:
    """The root key of a family; a key in no family is its own root."""
    row = db.execute("SELECT root FROM aliases WHERE key = ?", (key,)).fetchone()
    return str(row[0]) if row else key


def members(db: sqlite3.Connection, root: str) -> list[str]:
    """All keys of a family, the root first."""
    rows = db.execute("SELECT key FROM aliases WHERE root = ? ORDER BY key", (root,))
    return [root, *(row[0] for row in rows)]


def newest(db: sqlite3.Connection, root: str) -> int | None:
    """Position of the newest version; None if the post is unknown or deleted."""
    row = db.execute("SELECT seq FROM posts WHERE key = ?", (root,)).fetchone()
    return row[0] if row else None


def newest_of(db: sqlite3.Connection, seq: int) -> int | None:
    """Position of the version that is now the newest of the post with a version at `seq`; None if there is none."""
    row = db.execute(
        "SELECT posts.seq FROM superseded JOIN posts USING (key) WHERE superseded.seq = ?", (seq,)
    ).fetchone()
    if row:
        return int(row[0]) if row[0] else None
    stored = db.execute("SELECT body FROM events WHERE seq = ? AND body IS NOT NULL", (seq,)).fetchone()
    event = bodies.decode(stored[0]) if stored else None
    if not isinstance(event, Created | Edited):
        return None
    return newest(db, root_of(db, f"{event.network}:{event.post.id}"))


def is_deleted(db: sqlite3.Connection, root: str) -> bool:
    """Whether the family is barred for good."""
    return db.execute("SELECT 1 FROM posts WHERE key = ? AND seq IS NULL", (root,)).fetchone() is not None


def positions(db: sqlite3.Connection, roots: Sequence[str]) -> list[int]:
    """Positions of all versions of some posts, oldest first."""
    rows = select_in(db, "SELECT seq FROM posts WHERE seq IS NOT NULL AND key", roots)
    rows += select_in(db, "SELECT seq FROM superseded WHERE key", roots)
    return sorted(row[0] for row in rows)


def versions(db: sqlite3.Connection, root: str) -> list[StoredVersion]:
    """The versions of a post whose text is still stored."""
    rows = select_in(db, "SELECT seq, at, body FROM events WHERE seq", positions(db, [root]))
    events = [(seq, at, bodies.decode(body)) for seq, at, body in rows if body is not None]
    return [StoredVersion(seq, at, event) for seq, at, event in events if isinstance(event, Created | Edited)]


def set_versions(db: sqlite3.Connection, root: str, found: Sequence[StoredVersion]) -> None:
    """Store which version is the newest and until when each older one was valid.

    An id that replaces more ids of its family is newer, whatever the clocks say; then the later time wins, then
    the later position in the log."""
    rank: dict[str, int] = {}
    for version in found:
        rank[version.post.id] = max(version.num_replaced, rank.get(version.post.id, 0))
    ordered = sorted(found, key=lambda version: (rank[version.post.id], version.at, version.seq))
    until = ordered[-1].at
    rows = []
    for older, newer in reversed(list(pairwise(ordered))):
        until = min(until, newer.at)  # so that no two versions are valid at one time, even if clocks disagree
        rows.append((older.seq, until, root))
    db.execute("DELETE FROM superseded WHERE seq = ?", (ordered[-1].seq,))
    db.executemany("INSERT OR REPLACE INTO superseded VALUES (?, ?, ?)", rows)
    db.execute("INSERT OR REPLACE INTO posts (key, seq) VALUES (?, ?)", (root, ordered[-1].seq))


def retire_newest(db: sqlite3.Connection, root: str) -> None:
    """Make the newest version one that was never valid: it went with its account, and another takes its place."""
    db.execute(
        "INSERT OR REPLACE INTO superseded SELECT seq, 0, key FROM posts WHERE key = ? AND seq IS NOT NULL",
        (root,),
    )


def merge(db: sqlite3.Connection, root: str, keys: Sequence[str]) -> list[str]:
    """Make keys, and the families they belong to, members of the family of `root`.

    Returns the other roots that were merged. If one of them is deleted, the merged family is."""
    roots = list(dict.fromkeys(root_of(db, key) for key in keys))
    others = [key for key in roots if key != root]
    deleted = any(is_deleted(db, key) for key in (root, *others))
    for other in others:
        db.execute("UPDATE aliases SET root = ? WHERE root = ?", (root, other))
        db.execute("INSERT OR REPLACE INTO aliases VALUES (?, ?)", (other, root))
        db.execute("UPDATE hidden SET root = ? WHERE root = ?", (root, other))
        db.execute("UPDATE superseded SET key = ? WHERE key = ?", (root, other))
        # The newest version of the other family is now one of this one; `set_versions` puts it in its place.
        db.execute(
            "INSERT OR IGNORE INTO superseded SELECT seq, 0, ? FROM posts WHERE key = ? AND seq IS NOT NULL",
            (root, other),
        )
        db.execute("DELETE FROM posts WHERE key = ?", (other,))
    if deleted:
        seq = newest(db, root)
        if seq is not None:
            db.execute("INSERT OR IGNORE INTO superseded VALUES (?, 0, ?)", (seq, root))
        db.execute("INSERT OR REPLACE INTO posts (key) VALUES (?)", (root,))
    return others
