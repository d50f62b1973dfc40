"""The consumer that keeps the text index level with the log, usually in a process of its own.

Owns the rhythm: read what is new, apply it, commit, note the position, again. After any crash it goes on from
the position that the index itself knows. Knows nothing of who writes the log.

Run as `python -m trinch.ocean.indexer DIR`; it ends when its standard input closes, that is with its parent.
"""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trinch.ocean.index import TextIndex
from trinch.ocean.log import Log
from trinch.posts.event import AccountGone

BATCH = 4000
"""Log entries between two commits at most: bounds the age of what is not yet searchable under load."""

IDLE = 0.02
"""Seconds between two looks at a quiet log."""


class IndexerStopped(RuntimeError):
    """The process that indexes failed."""


def step(log: Log, index: TextIndex, position: int) -> int:
    """Apply and commit the next batch behind a position; the new position."""
    entries = list(log.read(position, BATCH))
    if not entries:
        return position
    for entry in entries:
        if isinstance(entry.event, AccountGone):
            log.erase(index.of_author(entry.event.author_id, entry.seq, entry.at))
    index.apply(entries, log.visible)
    index.commit(entries[-1].seq)
    return entries[-1].seq


def catch_up(log: Log, index: TextIndex, progress: Callable[[int, int], None] | None = None) -> bool:
    """Index everything that is in the log now. False when another process is the writer."""
    position = index.position()
    if position >= log.last_seq:
        return True
    if not index.try_write():
        return False
    position = index.position()  # the writer before us may have gone further meanwhile
    while (following := step(log, index, position)) != position:
        position = following
        if progress:
            progress(position, log.last_seq)
    index.close()
    return True


def follow(data: Path, stop: threading.Event) -> None:
    """Keep the index level until told to stop; wait in line while another process does it."""
    log, index = Log(data / "ocean.db"), TextIndex(data / "text")
    while not index.try_write():
        if stop.wait(0.5):
            return
    position = index.position()
    while not stop.is_set():
        following = step(log, index, position)
        if following == position:
            time.sleep(IDLE)
        position = following
    while (following := step(log, index, position)) != position:
        position = following
    index.close()


@contextmanager
def running(data: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A follower in a process of its own for the length of a `with` block; at the end it drains the log."""
    command = [sys.executable, "-m", "trinch.ocean.indexer", str(data)]
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
            " log and will be indexed when the ocean is opened next"
        )


def main() -> None:
    """The process: follow until standard input ends."""
    stop = threading.Event()

    def wait_for_parent() -> None:
        sys.stdin.buffer.read()
        stop.set()

    threading.Thread(target=wait_for_parent, daemon=True).start()
    follow(Path(sys.argv[1]), stop)


if __name__ == "__main__":
    main()
