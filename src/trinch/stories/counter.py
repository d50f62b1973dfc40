"""The process that counts the terms of each day as soon as it is over, so that nobody waits for it.

Run as `python -m trinch.stories.counter DIR`; it ends when its standard input closes, that is with its parent.
"""

import os
import sqlite3
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from trinch.store.parent import on_parent_end

if TYPE_CHECKING:
    from trinch.store.store import Store

EVERY = 60.0
"""Seconds before the first look for days to count, and between two."""


def count_days(store: "Store") -> int:
    """Count the days that the stories of now are compared with; how many there are."""
    from trinch.stories.baseline import Baseline
    from trinch.stories.bursts import DAYS

    baseline = Baseline(store)
    newest = baseline.newest()
    counted = [] if newest is None else baseline.days(newest - DAYS - 1, newest)
    baseline.close()
    return len(counted)


def follow(data: Path, stop: threading.Event) -> None:
    """Count days until `stop` is set. A server that ends at once does not pay for the imports."""
    while not stop.wait(EVERY):
        from trinch.store.store import Store

        store = Store.open(data)
        count_days(store)
        store.close()


def main() -> None:
    """Run the process: follow until standard input ends."""
    stop = threading.Event()
    on_parent_end(stop.set)
    os.nice(10)
    try:
        follow(Path(sys.argv[1]), stop)
    except (OSError, ValueError, sqlite3.Error) as error:
        raise SystemExit(f"the counter of days cannot go on: {error}") from None


if __name__ == "__main__":
    main()
