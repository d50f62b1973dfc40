"""Asks the real search for the newest acknowledged post, again and again, until standard input ends.

    python -m benchmarks.probe DIR

Prints a JSON list of seconds from the time the log gave a group of events to the time one of its posts was
found. Runs beside an ingest, in a process of its own, as any reader would.
"""

import json
import select
import sqlite3
import sys
import time
from pathlib import Path

from trinch.posts.schema import Created
from trinch.store.store import Store

PAUSE = 0.02
GIVE_UP = 20.0
NEWEST = 50
"""Entries of a group that are looked at for a post: a group may end with edits and counts."""


def main(data: Path) -> None:
    waits: list[float] = []
    while not (data / "ocean.db").exists() and not _ended():
        time.sleep(PAUSE)
    store = Store.open(data)
    db = sqlite3.connect(data / "ocean.db", timeout=60)
    while not _ended():
        commit = db.execute("SELECT last_seq, at FROM commits ORDER BY last_seq DESC LIMIT 1").fetchone()
        if commit is None:
            time.sleep(PAUSE)
            continue
        last_seq, at = commit
        for entry in reversed(list(store.log.read(max(0, last_seq - NEWEST), NEWEST))):
            if isinstance(entry.event, Created) and entry.event.post.author and entry.seq <= last_seq:
                found = _until_found(store, entry.seq, entry.event.post.author)
                if found is not None:
                    waits.append(found - at / 1e6)
                break
        time.sleep(PAUSE)
    print(json.dumps(waits))


def _until_found(store: Store, seq: int, author: str) -> float | None:
    until = time.time() + GIVE_UP
    while time.time() < until:
        hits = store.search(f"from:{author}", sort="latest", limit=5)
        now = time.time()
        if any(hit.seq == seq for hit in hits):
            return now
        time.sleep(PAUSE)
    return None


def _ended() -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
