"""Numbers of stored posts by network, language and day, kept in the transaction that stores or erases them.

They are read in a time that does not grow with the store. Every stored version counts, hidden or not, as in the text
index.
"""

import sqlite3
from collections import Counter
from contextlib import suppress
from datetime import date, timedelta

from trinch.posts.schema import Created, Edited, Post
from trinch.store import bodies

_DAY = 86_400_000_000
_EPOCH = date(1970, 1, 1)

UNDATED_DAY = ""
"""The day of posts without a time."""


class Tallies:
    """Changes of one transaction. `flush` writes them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._changes: Counter[tuple[str, str, int | None]] = Counter()

    def add(self, post: Post, at: int, step: int = 1) -> None:
        """Count a version of a post whose event is of the time `at`; with step -1 one that is erased."""
        self._changes[post.network, post.lang, None if post.created_at is None else at // _DAY] += step

    def flush(self) -> None:
        """Write the changes to the table."""
        sums: Counter[tuple[str, str]] = Counter()
        for (network, lang, day), posts in self._changes.items():
            written = UNDATED_DAY if day is None else (_EPOCH + timedelta(days=day)).isoformat()
            for place in (("network", network), ("lang", lang), ("day", written)):
                sums[place] += posts
        self._db.executemany(
            "INSERT INTO tallies VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET posts = posts + excluded.posts",
            [(*place, posts) for place, posts in sums.items()],
        )
        self._changes.clear()


def read(db: sqlite3.Connection, dimension: str) -> dict[str, int]:
    """Stored posts by `network` or `lang`, most frequent first, or by `day` (ISO 8601, or UNDATED_DAY), in order."""
    order = "value" if dimension == "day" else "posts DESC, value"
    sql = f"SELECT value, posts FROM tallies WHERE dimension = ? AND posts > 0 ORDER BY {order}"
    return dict(db.execute(sql, (dimension,)).fetchall())


def count_all(db: sqlite3.Connection) -> None:
    """Fill the empty table from all events: for a log of a format without it."""
    tallies = Tallies(db)
    for at, body in db.execute("SELECT at, body FROM events WHERE body IS NOT NULL ORDER BY seq"):
        with suppress(bodies.DamagedBody):  # `trinch check` reports it
            event = bodies.decode(body)
            if isinstance(event, Created | Edited):
                tallies.add(event.post, at)
    tallies.flush()
