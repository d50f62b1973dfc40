"""Copy the file of alerts with a backup of the store, bring it back, check it, and save what can be read of a damaged one.

The copy holds the signing secrets, readable for this user only. It is made after that of the log: where its position is
behind the end of the copied log, matching goes on at that end.
"""

import sqlite3
import time
import uuid
from contextlib import closing
from pathlib import Path

import msgspec

from trinch.alerts import database
from trinch.alerts.database import FILE
from trinch.alerts.engine import exclusively
from trinch.alerts.types import Alert, Firing
from trinch.store.log import Log
from trinch.store.maintenance import Problem, copy_database, damage, keep_aside, move_database, open_read_only

_REPAIR = "run `trinch check --repair`: it keeps the damaged file, and saves the alerts that can be read"


def backup(data: Path, destination: Path) -> int:
    """Copy the alerts of a store, also while they run, to a folder. Returns how many. Raises StoreError."""
    if not (data / FILE).exists():
        return 0
    destination.mkdir(parents=True, exist_ok=True)
    (destination / FILE).touch(mode=0o600)
    copy_database(data / FILE, destination / FILE)
    return _number(destination / FILE)


def restore(folder: Path, data: Path, log: Log) -> int:
    """Bring the alerts of a backup back, for its log, restored before. Returns how many there are.

    Alerts that are there are kept beside them; where the backup has none, they stay. Call it while `held`. New firings get numbers of their own, so that no receiver takes one for another that was sent after the
    backup was made. Raises StoreError."""
    if not (folder / FILE).exists():
        return 0
    if (data / FILE).exists():
        kept = data / f"{FILE}.replaced-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:4]}"
        kept.touch(mode=0o600)
        keep_aside(data / FILE, kept)
    (data / FILE).touch(mode=0o600)
    copy_database(folder / FILE, data / FILE)
    with closing(database.connect(data)) as db, database.transaction(db):
        database.set_meta(db, "identity", log.identity)
        database.skip_firing_numbers(db)
    return _number(data / FILE)


_BODIES: dict[str, tuple[str, type[Alert] | type[Firing]]] = {
    "alert": ("SELECT id, body FROM alerts", Alert),
    "firing": ("SELECT n, body FROM firings", Firing),
}

held = exclusively
"""Keep the alerts of a store from running meanwhile. Raises AlertsRunning."""


def check(data: Path) -> list[Problem]:
    """What is wrong with the file of alerts: damage, alerts and firings that cannot be read."""
    path = data / FILE
    if not path.exists():
        return []
    try:
        with closing(open_read_only(path)) as db:
            if found := damage(db):
                return [Problem(FILE, found, _REPAIR)]
            for name, (select, kind) in _BODIES.items():
                for key, body in db.execute(select):
                    if not _is_readable(body, kind):
                        return [Problem(FILE, f"{name} {key} is damaged", _REPAIR)]
    except sqlite3.Error as error:
        return [Problem(FILE, f"damaged ({error})", _REPAIR)]
    return []


def _is_readable(body: bytes, kind: type[Alert] | type[Firing]) -> bool:
    try:
        msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, TypeError):
        return False
    return True


def repair(data: Path) -> str:
    """Keep the damaged file of alerts beside a new one with every alert that can be read. Says what was done.

    What fired and what was still to be delivered is left in the damaged file. Raises AlertsRunning."""
    with held(data):
        kept = data / f"{FILE}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:4]}"
        move_database(data / FILE, kept)
        saved = 0
        with closing(database.connect(data)) as db, database.transaction(db):
            for id, owner, body in _readable_alerts(kept):
                db.execute("INSERT OR REPLACE INTO alerts VALUES (?, ?, 1, ?)", (id, owner, body))
                saved += 1
            database.set_meta(db, "revision", 1)
            database.skip_firing_numbers(db)
    return f"{saved:,} alerts saved; the damaged file is kept as {kept.name}"


def _readable_alerts(path: Path) -> list[tuple[str, str, bytes]]:
    found: list[tuple[str, str, bytes]] = []
    try:
        with closing(sqlite3.connect(path)) as db:
            for id, owner, body in db.execute("SELECT id, owner, body FROM alerts"):
                if _is_readable(body, Alert):
                    found.append((id, owner, body))
    except sqlite3.Error:
        pass  # what came before the damage is saved
    return found


def _number(path: Path) -> int:
    with closing(open_read_only(path)) as db:
        return int(db.execute("SELECT count(*) FROM alerts").fetchone()[0])
