"""The consumer that keeps the text index level with the log, usually in a process of its own.

It reads what is new, applies it, commits, notes the position, and repeats. After a crash it goes on from the
position that the index itself holds.

Run as `python -m trinch.store.indexer DIR`; it ends when its standard input closes, that is with its parent.
"""

import gc
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from trinch.errors import TrinchError
from trinch.posts.schema import AccountGone, Created, Edited, PlacesErased
from trinch.posts.times import now
from trinch.store import rejects, retention
from trinch.store.database import DATABASE, StoreError
from trinch.store.log import Entry, Log
from trinch.store.parent import on_parent_end
from trinch.store.rejects import REJECTED
from trinch.store.text_index import INDEX, TextIndex

BATCH = 1000
"""Log entries applied between two looks at the clock."""

COMMIT_AFTER = 0.55
"""Seconds between two commits under load: what is acknowledged must be searchable within one. Fewer, larger segments
cost less (docs/benchmarks.md)."""

FAR_BEHIND = 20_000
"""From so many waiting entries on (a burst, a rebuild) a commit may take CATCH_UP seconds of them: what waits is late
anyway, and fewer, larger segments are merged less often."""

CATCH_UP = 4.0

SPARSE = 20
"""Fewer new entries than this are committed at once: the stream is slow, or has ended."""

LULL = 0.2
"""Seconds that a commit waits for more entries behind a batch that was not sparse: whoever appends does so in groups."""

IDLE = 0.02
"""Seconds between two looks at a quiet log."""


_logger = logging.getLogger(__name__)


PURGE_EVERY = 20 * 3600 * 1_000_000
"""Microseconds after which deleted posts are removed from the files of a running index: within a day of their event."""

_REQUEST, _TAKEN = "purge", "purge.taken"
"""Files in the folder of the index: what its writer is asked to purge, and the requests that it is at work on. A line
is a JSON list of positions in the log, or `null` for the whole round that is due once a day."""

_PURGED = "purged"
"""File in the folder of the index: position of the log and time of the last purge."""


_OF_ACCOUNTS = (AccountGone, PlacesErased)
"""Events whose posts the index knows."""


class IndexerStopped(TrinchError, ChildProcessError):
    """The process that indexes failed."""


def step(log: Log, index: TextIndex, position: int, lull: float = 0.0) -> int:
    """Apply what is behind a position, for COMMIT_AFTER (or CATCH_UP) seconds at most, and commit it; the new position.

    `lull`: seconds that it waits for more after a batch of SPARSE or more."""
    started, applied, busy_until = time.monotonic(), position, 0.0
    longest = CATCH_UP if log.last_seq - position > FAR_BEHIND else COMMIT_AFTER
    while True:
        entries = list(log.read(applied, BATCH))
        if entries:
            if applied != position and any(isinstance(entry.event, _OF_ACCOUNTS) for entry in entries):
                index.commit(applied)  # posts of the account are looked up in what is committed
            index.apply(_with_erased(log, index, entries), log.versions)
            applied = entries[-1].seq
            index.note_applied(applied)
        clock = time.monotonic()
        if (
            sum(1 + len(entry.refs) for entry in entries) >= SPARSE
        ):  # a flood of likes is one entry with many posts
            busy_until = clock + lull
        if clock > min(busy_until, started + longest):
            break
        if len(entries) < BATCH:
            time.sleep(IDLE)
    if applied != position:
        index.commit(applied)
    return applied


def _with_erased(log: Log, index: TextIndex, entries: list[Entry]) -> list[Entry]:
    """The entries, each `AccountGone` with the positions of the posts it removes, which are erased from the log, and each
    `PlacesErased` with those of the posts whose places it erases there."""
    if not any(isinstance(entry.event, _OF_ACCOUNTS) for entry in entries):
        return entries
    pending: defaultdict[tuple[str, str], list[int]] = defaultdict(list)  # not in the index yet
    completed: list[Entry] = []
    for entry in entries:
        event = entry.event
        if isinstance(event, Created | Edited):
            pending[event.network, event.post.author_id].append(entry.seq)
        elif isinstance(event, AccountGone):
            account = event.network, event.author_id
            found = index.positions_of_author(*account, entry.seq) + pending[account]
            entry = entry._replace(refs=tuple(log.erase_posts_of(*account, found)))
        elif isinstance(event, PlacesErased):
            account = event.network, event.author_id
            found = index.positions_of_author(*account, entry.seq) + pending[account]
            entry = entry._replace(refs=tuple(log.erase_places_of(*account, found, event.upto)))
        completed.append(entry)
    return completed


def _start(log: Log, index: TextIndex) -> int:
    """The position to go on from. An index of another log, of another format or ahead of its log is built again.

    Raises StoreError if the log is empty and the index is not: then the log was lost, not replaced."""
    position, last = index.position(), log.last_seq
    if not index.belongs_to(log.identity) or position > last:
        if last == 0 and index.count():
            raise StoreError(
                f"the log is empty, but the index beside it holds {index.count():,} posts: {DATABASE} was probably"
                " lost or replaced. Nothing was changed. Put the file back, or run `trinch restore`; to give up"
                " what it held and begin anew, run `trinch rebuild`"
            )
        _logger.warning("the index was not built from this log, or by another release: building it again")
        index.clear()
        position = 0
    index.set_owner(log.identity)
    index.note_applied(position)
    return position


def is_level(log: Log, index: TextIndex) -> bool:
    """Whether everything in the log is in the index, and nothing else."""
    position, last = index.position(), log.last_seq  # in this order: an index is never ahead of its log
    return position == last and index.belongs_to(log.identity)


def catch_up(log: Log, index: TextIndex, progress: Callable[[int, int], None] | None = None) -> bool:
    """Index everything that is in the log now. False when another process is the writer.

    What others append meanwhile is left to them, so that this ends.
    """
    if is_level(log, index):
        return True
    if not index.try_write():
        return False
    last = log.last_seq
    position = _start(log, index)  # the writer before us may have gone further meanwhile
    while position < last:
        position = step(log, index, position)
        if progress:
            progress(position, last)
    index.close()
    return True


def follow(data: Path, stop: threading.Event) -> None:
    """Keep the index level until `stop` is set, then up to the end of the log; wait for another writer's turn."""
    log, index = Log(data / DATABASE), TextIndex(data / INDEX)
    if _wait_to_write(log, index, stop):
        position = _start(log, index)
        while not stop.is_set():
            following = step(log, index, position, LULL)
            if following == position:
                if log.last_seq < position:  # a backup was restored
                    following = _start(log, index)
                time.sleep(IDLE)
            position = following
            if is_purge_due(data):
                position = _purge(log, index, data, position)
        last = log.last_seq
        while position < last:
            position = step(log, index, position)
        index.close()
    log.close()


def request_purge(data: Path, seqs: Sequence[int] | None = None) -> None:
    """Ask whoever writes the index to remove erased posts (None: all, and what retention does not keep) from its files
    now. `seqs`: their positions in the log."""
    with (data / INDEX / _REQUEST).open("ab") as file:
        file.write(msgspec.json.encode(seqs) + b"\n")


def purge_if_requested(log: Log, index: TextIndex, data: Path) -> bool:
    """Purge if that is requested and no other process is the writer. Returns whether no request is left."""
    folder = data / INDEX

    def is_pending() -> bool:
        return (folder / _REQUEST).exists() or (folder / _TAKEN).exists()

    if is_pending() and index.try_write():
        _purge(log, index, data, _start(log, index))
        index.close()
    return not is_pending()


def is_purge_due(data: Path) -> bool:
    """Whether a purge is requested, or the last round is longer ago than PURGE_EVERY, over restarts."""
    return any((data / INDEX / name).exists() for name in (_REQUEST, _TAKEN)) or _is_round_due(data)


def _is_round_due(data: Path) -> bool:
    path = data / INDEX / _PURGED
    try:
        return now() - int(path.read_text().split()[1]) > PURGE_EVERY
    except (FileNotFoundError, ValueError, IndexError):
        _note_round(path, 0)  # a new index has nothing to purge
        return False


def _note_round(path: Path, position: int) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(f"{position} {now()}")
    temporary.replace(path)


def _purge(log: Log, index: TextIndex, data: Path, position: int) -> int:
    """Remove what was erased from the files of the store: what was asked for, or all. Returns the new position."""
    wanted = _take_requests(data / INDEX)
    if wanted is None or _is_round_due(data):
        return _purge_all(log, index, data, position)
    position = _level(log, index, position)
    index.purge(log.versions, wanted)
    log.checkpoint()
    (data / INDEX / _TAKEN).unlink(missing_ok=True)
    return position


def _take_requests(folder: Path) -> set[int] | None:
    """The positions that were asked for; None for all. New requests wait for the next time."""
    taken = folder / _TAKEN
    if not taken.exists() and (folder / _REQUEST).exists():
        (folder / _REQUEST).rename(taken)
    wanted: set[int] = set()
    for line in taken.read_bytes().splitlines() if taken.exists() else []:
        seqs = msgspec.json.decode(line, type=list[int] | None)
        if seqs is None:
            return None
        wanted.update(seqs)
    return wanted


def _purge_all(log: Log, index: TextIndex, data: Path, position: int) -> int:
    """The daily round: retention, the index files, the rejected input, the write-ahead log. The new position."""
    try:
        retention.apply(log, index, data)
    except TrinchError as error:
        _logger.error("%s", error)
    position = _level(log, index, position)
    index.purge(log.versions)
    path = data / INDEX / _PURGED
    before = int(path.read_text().split()[0]) if path.exists() else 0
    rejects.erase_ids(data / REJECTED, lambda: log.deleted_after(before))
    log.checkpoint()
    _note_round(path, position)
    (data / INDEX / _TAKEN).unlink(missing_ok=True)
    return position


def _level(log: Log, index: TextIndex, position: int) -> int:
    """Index what is left of the log; the new position."""
    while (following := step(log, index, position)) != position:
        position = following
    return position


def _wait_to_write(log: Log, index: TextIndex, stop: threading.Event) -> bool:
    """Become the writer. False if `stop` was set meanwhile and the present writer did all the work, or nobody can."""
    if index.is_read_only:
        stop.wait()
        return False
    while not index.try_write():
        if stop.wait(0.5):
            last = log.last_seq
            while not index.try_write():
                if index.position() >= last:
                    return False
                time.sleep(0.1)
    return True


@contextmanager
def running(data: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A follower in a process of its own for the length of a `with` block; at the end it indexes the rest."""
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
    """Run the process: follow until standard input ends."""
    stop = threading.Event()
    on_parent_end(stop.set)
    gc.freeze()  # modules and tables live as long as the process: no collection need look at them
    try:
        follow(Path(sys.argv[1]), stop)
    except (OSError, ValueError, sqlite3.Error) as error:
        raise SystemExit(f"the indexer cannot go on: {error}") from None


if __name__ == "__main__":
    main()
