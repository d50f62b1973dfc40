"""Ingest files or events: all that can be read becomes durable and searchable, the rest is set aside."""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from trinch.errors import TrinchError
from trinch.posts.notes import Notes
from trinch.posts.schema import Event
from trinch.sources import files
from trinch.sources.rejects import Reject
from trinch.store import event_log
from trinch.store.store import Store
from trinch.store.writer import Rejected, Totals, Writer

REPORT_EVERY = 5000
"""Lines between two reports of progress."""


class Progress(msgspec.Struct):
    """How far a run of `ingest` has come."""

    lines: int = 0
    seconds: float = 0.0
    done_bytes: int = 0
    """Read so far of the files as they are on disk, compressed where they are."""
    total_bytes: int | None = None
    """Their sizes together; None where a pipe or standard input is among them."""

    @property
    def share(self) -> float | None:
        """The part that is read, 0 to 1."""
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else None

    @property
    def seconds_left(self) -> float | None:
        """At the mean pace so far."""
        share = self.share
        return self.seconds * (1 - share) / share if share else None


class Stopped(TrinchError):
    """Not everything was read; `totals` says what became of the part that was."""

    def __init__(self, reason: str, totals: Totals) -> None:
        super().__init__(reason, totals)  # both, so that it can be pickled
        self.totals = totals

    def __str__(self) -> str:
        return (
            f"{self.args[0]}; the {self.totals.read:,} lines read until then are stored. "
            "Running the same command again adds nothing twice"
        )


def ingest(
    data: Path,
    paths: Sequence[str],
    format: str = "auto",
    report: Callable[[Progress], None] = lambda _: None,
    columns: Mapping[str, str] | None = None,
) -> Totals:
    """Ingest the files in order (`-` is standard input); returns when all is durable and searchable. `columns` maps
    fields of a post to columns of tables.

    Raises Stopped where that ended early, by an interrupt or by a file that cannot be read: the part that was
    read is durable and searchable all the same. OSError or sqlite3.Error where the store cannot be written.
    """
    data.mkdir(parents=True, exist_ok=True)
    stopped = ""
    progress, started = Progress(total_bytes=_total_bytes(paths)), time.monotonic()
    with event_log.indexing(data) as process:
        writer, notes = Writer(data, process), Notes()
        try:
            for item in _items(paths, format, progress, notes, columns):
                if isinstance(item, Reject):
                    writer.reject(Rejected(item.file, item.line, item.reason, item.raw))
                else:
                    writer.take(item)
                if writer.totals.read % REPORT_EVERY == 0:
                    progress.lines, progress.seconds = writer.totals.read, time.monotonic() - started
                    report(progress)
        except _Unreadable as error:
            stopped = str(error)
        except KeyboardInterrupt:
            stopped = "interrupted"
        totals = writer.close()
        totals.forgiven = dict(notes.forgiven)
    if stopped:
        raise Stopped(stopped, totals)
    return totals


def ingest_events(store: Store, events: Iterable[Event]) -> Totals:
    """Ingest events that are already parsed; returns when all are durable and searchable."""
    store.data.mkdir(parents=True, exist_ok=True)
    writer = Writer(store.data)
    try:
        for event in events:
            writer.take([event])
    finally:
        totals = writer.close()
        store.catch_up()
    return totals


class _Unreadable(TrinchError):
    pass


def _items(
    paths: Sequence[str], format: str, progress: Progress, notes: Notes, columns: Mapping[str, str] | None
) -> Iterator[list[Event] | Reject]:
    before = 0

    def at(position: int) -> None:
        progress.done_bytes = before + position

    for path in paths:
        try:
            yield from files.events(path, format, at, notes, columns)
        except OSError as error:
            raise _Unreadable(f"cannot read {path}: {error.strerror or error}") from None
        before += _size(path) or 0


def _total_bytes(paths: Sequence[str]) -> int | None:
    sizes = [_size(path) for path in paths]
    return None if None in sizes else sum(size or 0 for size in sizes)


def _size(path: str) -> int | None:
    """Bytes of a regular file, else None."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
