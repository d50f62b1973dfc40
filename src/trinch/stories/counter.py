"""The process that keeps the index of terms up to date, so that no request waits for it.

Run as `python -m trinch.stories.counter DIR`; it ends when its standard input closes, that is with its parent.
"""

import sqlite3
import sys
import threading
from pathlib import Path

from trinch.store.parent import on_parent_end
from trinch.system import lower_priority

FIRST = 5.0
"""Seconds before it begins: a server that ends at once does not pay for the imports."""
IDLE = 0.2
"""Seconds between two looks at a quiet log."""


def follow(data: Path, stop: threading.Event) -> None:
    """Apply the log as it grows, and count each day once it is over, until `stop` is set."""
    if stop.wait(FIRST):
        return
    from trinch.store.database import DATABASE
    from trinch.store.log import Log
    from trinch.stories.bursts import DAYS
    from trinch.stories.term_index import TermIndex

    log = Log(data / DATABASE)
    index = TermIndex(data, log)
    counted = None
    while not stop.is_set():
        if index.behind:
            index.catch_up()
        newest = index.newest_day()
        if newest != counted and newest is not None:
            index.days(newest - DAYS - 1, newest)
            index.usual()
            counted = newest
        stop.wait(IDLE)
    index.close()
    log.close()


def main() -> None:
    """Run the process: follow until standard input ends."""
    stop = threading.Event()
    on_parent_end(stop.set)
    lower_priority(10)
    try:
        follow(Path(sys.argv[1]), stop)
    except (OSError, ValueError, sqlite3.Error) as error:
        raise SystemExit(f"the index of terms cannot go on: {error}") from None


if __name__ == "__main__":
    main()
