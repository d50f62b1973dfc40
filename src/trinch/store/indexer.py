"""The consumer that keeps the text index level with the log, usually in a process of its own.

Owns the rhythm: read what is new, apply it, commit, note the position, again. After any crash it goes on from
the position that the index itself knows. Knows nothing of who writes the log.

Run as `python -m trinch.store.indexer DIR`; it ends when its standard input closes, that is with its parent.
"""

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trinch.errors import TrinchError
from trinch.posts.schema import AccountGone, Created, Edited
from trinch.store.log import Entry, Log
from trinch.store.text_index import TextIndex

BATCH = 4000
"""Log entries between two commits at most: bounds the age of what is not yet searchable under load."""

IDLE = 0.02
"""Seconds between two looks at a quiet log."""


class IndexerStopped(TrinchError, ChildProcessError):
    """The process that indexes failed."""


def step(log: Log, index: TextIndex, position: int) -> int:
    """Apply and commit the next batch behind a position; the new position."""
    entries = list(log.read(position, BATCH))
    if not entries:
        return position
    index.apply(_with_erased(log, index, entries), log.versions)
    index.commit(entries[-1].seq)
    return entries[-1].seq


def _with_erased(log: Log, index: TextIndex, entries: list[Entry]) -> list[Entry]:
    """The entries; each account that is gone has its posts erased from the log and their positions as `refs`."""
    if not any(isinstance(entry.event, AccountGone) for entry in entries):
        return entries
    pending: defaultdict[tuple[str, str], list[Entry]] = defaultdict(list)  # not in the index yet
    told: list[Entry] = []
    for entry in entries:
        event = entry.event
        if isinstance(event, Created | Edited):
            pending[event.network, event.post.author_id].append(entry)
        elif isinstance(event, AccountGone):
            account = event.network, event.author_id
            found = index.of_author(*account, entry.seq, entry.at)
            found += [before.seq for before in pending[account] if before.at < entry.at]
            entry = entry._replace(refs=tuple(log.erase_of(*account, found)))
        told.append(entry)
    return told


def _start(log: Log, index: TextIndex) -> int:
    """Where to go on. An index that is ahead belongs to another log (a backup was restored, say): it is emptied."""
    position = index.position()
    if position > log.last_seq:
        index.clear()
        return 0
    return position


def catch_up(log: Log, index: TextIndex, progress: Callable[[int, int], None] | None = None) -> bool:
    """Index everything that is in the log now. False when another process is the writer.

    What others write meanwhile is left to them, so that this ends.
    """
    position, last = index.position(), log.last_seq  # in this order: an index is never ahead of its log
    if position == last:
        return True
    if not index.try_write():
        return False
    position = _start(log, index)  # the writer before us may have gone further meanwhile
    while position < last:
        position = step(log, index, position)
        if progress:
            progress(position, last)
    index.close()
    return True


def follow(data: Path, stop: threading.Event) -> None:
    """Keep the index level until told to stop, then up to where the log stood; wait in line for another writer."""
    log, index = Log(data / "ocean.db"), TextIndex(data / "text")
    while not index.try_write():
        if stop.wait(0.5):
            last = log.last_seq
            while not index.try_write():
                if index.position() >= last:
                    return
                time.sleep(0.1)
    position = _start(log, index)
    while not stop.is_set():
        following = step(log, index, position)
        if following == position:
            time.sleep(IDLE)
        position = following
    last = log.last_seq
    while position < last:
        position = step(log, index, position)
    index.close()


@contextmanager
def running(data: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A follower in a process of its own for the length of a `with` block; at the end it drains the log."""
    command = [sys.executable, "-m", "trinch.store.indexer", str(data)]
    # A session of its own: Ctrl-C reaches the parent alone, which then lets the indexer finish.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
    if process.returncode:
        raise IndexerStopped(
            f"the indexer ended with status {process.returncode}; nothing is lost: what was acknowledged is in the"
            " log and will be indexed when the store is opened next"
        )


def main() -> None:
    """The process: follow until standard input ends."""
    stop = threading.Event()

    def wait_for_parent() -> None:
        while os.read(
            0, 4096
        ):  # not sys.stdin: its lock, held by this thread, would abort an exit by an error
            pass
        stop.set()

    threading.Thread(target=wait_for_parent, daemon=True).start()
    try:
        follow(Path(sys.argv[1]), stop)
    except (OSError, ValueError, sqlite3.Error) as error:
        raise SystemExit(f"the indexer cannot go on: {error}") from None


if __name__ == "__main__":
    main()
