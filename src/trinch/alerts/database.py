"""The SQLite file of alerts beside the store: saved alerts, what fired, and what is to be delivered.

Every function takes an open connection. The position in the log is stored in the same transaction as what fired up to
it, so a crash at any instant neither loses a firing nor repeats one.
"""

import secrets
import sqlite3
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import msgspec

from trinch.alerts.types import Alert, AlertError, AlertSettings, Channel, Firing
from trinch.posts.times import now

FILE = "alerts.db"
"""File name inside the folder of the store."""

MOST_ALERTS = 100_000
"""Alerts of one store."""

KEPT_FIRINGS = 1000
"""Firings of one alert that are kept to be shown."""

MOST_WAITING = 10_000
"""Firings of one alert that may wait to be delivered; beyond, the oldest are dropped and counted."""

_SCHEMA = files("trinch.alerts").joinpath("schema.sql").read_text("utf-8")
_alert, _firing = msgspec.json.Decoder(Alert).decode, msgspec.json.Decoder(Firing).decode


def connect(data: Path) -> sqlite3.Connection:
    """Open the file, made where it does not exist; only this user may read it, since it holds signing secrets."""
    data.mkdir(parents=True, exist_ok=True)
    path = data / FILE
    path.touch(mode=0o600)
    db = sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;")
    db.executescript(_SCHEMA)
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; one writer at a time."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


# ---------------------------------------------------------------------- alerts


def add(db: sqlite3.Connection, given: AlertSettings, *, owner: str, after: int, most: int) -> Alert:
    """Save an alert for posts behind the position `after`. `most` is how many its owner may have. Raises AlertError."""
    alert = Alert(
        **msgspec.structs.asdict(given),
        id=f"a{secrets.token_hex(6)}",
        owner=owner,
        created=now(),
        after=after,
        secret="whsec_" + b64encode(secrets.token_bytes(32)).decode(),
    )
    with transaction(db):
        owned = db.execute("SELECT count(*) FROM alerts WHERE owner = ?", (owner,)).fetchone()[0]
        if owned >= min(most, MOST_ALERTS):
            raise AlertError(
                "query", f"there are {owned:,} alerts already, and no more are allowed: remove one"
            )
        revision = _next_revision(db)
        db.execute(
            "INSERT INTO alerts VALUES (?, ?, ?, ?)", (alert.id, owner, revision, msgspec.json.encode(alert))
        )
    return alert


def remove(db: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Remove alerts with all that is known of them; how many there were."""
    removed = 0
    with transaction(db):
        for id in ids:
            removed += db.execute("DELETE FROM alerts WHERE id = ?", (id,)).rowcount
            for table in ("firings", "state", "progress", "sent"):
                db.execute(f"DELETE FROM {table} WHERE alert = ?", (id,))
        _next_revision(db)
    return removed


def alerts(db: sqlite3.Connection, owner: str | None = None) -> list[Alert]:
    """The alerts of an owner (None: all), the oldest first."""
    where, values = ("", ()) if owner is None else (" WHERE owner = ?", (owner,))
    found = [_alert(row[0]) for row in db.execute(f"SELECT body FROM alerts{where}", values)]
    return sorted(found, key=lambda alert: (alert.created, alert.id))


def alert(db: sqlite3.Connection, id: str) -> Alert | None:
    """One alert."""
    row = db.execute("SELECT body FROM alerts WHERE id = ?", (id,)).fetchone()
    return _alert(row[0]) if row else None


def revision(db: sqlite3.Connection) -> int:
    """A number that changes with the alerts."""
    return int(meta(db, "revision") or 0)


def revisions(db: sqlite3.Connection) -> dict[str, int]:
    """Id of each alert -> its revision."""
    return dict(db.execute("SELECT id, revision FROM alerts").fetchall())


def _next_revision(db: sqlite3.Connection) -> int:
    number = revision(db) + 1
    set_meta(db, "revision", number)
    return number


# ---------------------------------------------------------------------- position, counters


def meta(db: sqlite3.Connection, name: str) -> str | None:
    """A value kept by name."""
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def set_meta(db: sqlite3.Connection, name: str, value: object) -> None:
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, str(value)))


def count(db: sqlite3.Connection, counted: Mapping[str, int]) -> None:
    """Add to counters."""
    db.executemany(
        "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = n + excluded.n",
        [(name, n) for name, n in counted.items() if n],
    )


def counters(db: sqlite3.Connection) -> dict[str, int]:
    """All counters by name."""
    return dict(db.execute("SELECT name, n FROM counters ORDER BY name").fetchall())


# ---------------------------------------------------------------------- firings


def add_firings(db: sqlite3.Connection, fired: Sequence[Firing]) -> None:
    """Store what fired; within a transaction."""
    db.executemany(
        "INSERT INTO firings (alert, at, body) VALUES (?, ?, ?)",
        [(one.alert, one.at, msgspec.json.encode(one)) for one in fired],
    )
    count(db, {"fired": len(fired)})


def firings(
    db: sqlite3.Connection, ids: Sequence[str], after: int = 0, through: int = 2**62, limit: int = 100
) -> list[tuple[int, Firing]]:
    """The first firings of some alerts behind a number, with their numbers."""
    found: list[tuple[int, Firing]] = []
    for id in ids:
        rows = db.execute(
            "SELECT n, body FROM firings WHERE alert = ? AND n > ? AND n <= ? ORDER BY n LIMIT ?",
            (id, after, through, limit),
        )
        found += [(n, _firing(body)) for n, body in rows]
    return sorted(found, key=lambda pair: pair[0])[:limit]


def firings_of(db: sqlite3.Connection, after: int, limit: int) -> list[tuple[int, Firing]]:
    """The first firings of all alerts behind a number, with their numbers."""
    rows = db.execute("SELECT n, body FROM firings WHERE n > ? ORDER BY n LIMIT ?", (after, limit))
    return [(n, _firing(body)) for n, body in rows]


def newest_firings(db: sqlite3.Connection, id: str, limit: int) -> list[tuple[int, Firing]]:
    """The last firings of an alert, the newest first."""
    rows = db.execute("SELECT n, body FROM firings WHERE alert = ? ORDER BY n DESC LIMIT ?", (id, limit))
    return [(n, _firing(body)) for n, body in rows]


def last_firing(db: sqlite3.Connection) -> int:
    """The number of the newest firing of any alert."""
    return int(db.execute("SELECT coalesce(max(n), 0) FROM firings").fetchone()[0])


def skip_firing_numbers(db: sqlite3.Connection) -> None:
    """Leave out the numbers up to now (microseconds since 1970), so that none is given twice after a backup was brought
    back; within a transaction."""
    number = max(last_firing(db), now())
    db.execute("DELETE FROM sqlite_sequence WHERE name = 'firings'")
    db.execute("INSERT INTO sqlite_sequence VALUES ('firings', ?)", (number,))


def prune(db: sqlite3.Connection, before: int) -> None:
    """Remove the times sent before a time, and of each alert the firings that are delivered, but for
    the last KEPT_FIRINGS, and those of a crowd that waits."""
    with transaction(db):
        db.execute("DELETE FROM sent WHERE at < ?", (before,))
        crowded = db.execute(
            "SELECT alert, count(*) FROM firings GROUP BY alert HAVING count(*) > ?", (KEPT_FIRINGS,)
        )
        for id, number in crowded.fetchall():
            found = alert(db, id)
            through = [
                db.execute(
                    "SELECT through FROM progress WHERE alert = ? AND channel = ?", (id, channel)
                ).fetchone()
                for channel in (found.channels if found else ())
            ]
            delivered = min((row[0] if row else 0 for row in through), default=2**62)
            kept = _nth_newest(db, id, KEPT_FIRINGS)
            limit = min(kept, delivered + 1)
            if number > MOST_WAITING:
                crowd = _nth_newest(db, id, MOST_WAITING)
                lost = "SELECT count(*) FROM firings WHERE alert = ? AND n > ? AND n < ?"
                count(db, {"overflowed": db.execute(lost, (id, delivered, crowd)).fetchone()[0]})
                limit = max(limit, crowd)
            db.execute("DELETE FROM firings WHERE alert = ? AND n < ?", (id, limit))


def _nth_newest(db: sqlite3.Connection, id: str, place: int) -> int:
    """The number of the firing of an alert behind which there are `place` - 1 newer ones."""
    sql = "SELECT n FROM firings WHERE alert = ? ORDER BY n DESC LIMIT 1 OFFSET ?"
    return int(db.execute(sql, (id, place - 1)).fetchone()[0])


def switch_off(db: sqlite3.Connection, id: str, channel: Channel) -> None:
    """Deliver an alert by a channel no more; within a transaction."""
    found = alert(db, id)
    if found:
        field = channel if channel in ("webhook", "email") else "channel"
        changed = msgspec.structs.replace(found, **{field: ""})
        db.execute(
            "UPDATE alerts SET body = ?, revision = ? WHERE id = ?",
            (msgspec.json.encode(changed), _next_revision(db), id),
        )


def delivery_states(db: sqlite3.Connection, id: str) -> list[dict[str, object]]:
    """What is known of the deliveries of an alert, by channel: whether one is under way, and its last error."""
    rows = db.execute(
        "SELECT channel, first IS NOT NULL, attempts, error FROM progress WHERE alert = ? ORDER BY channel",
        (id,),
    )
    return [
        {"channel": channel, "pending": bool(pending), "attempts": attempts if pending else 0, "error": error}
        for channel, pending, attempts, error in rows
    ]
