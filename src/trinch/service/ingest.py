"""Ingest files: every text of every path becomes acknowledged events, or a reject with its place."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from trinch.posts.notes import Notes
from trinch.posts.schema import Event
from trinch.sources import files
from trinch.sources.rejects import Reject
from trinch.store import indexer
from trinch.store.writer import Rejected, Totals, Writer

REPORT_EVERY = 5000
"""Lines between two reports of progress."""


def ingest(
    data: Path,
    paths: Sequence[str],
    format: str = "auto",
    progress: Callable[[int], None] = lambda _: None,
    columns: Mapping[str, str] | None = None,
) -> Totals:
    """Ingest the files in order; returns when all is durable and searchable. `columns` maps fields of a post to
    columns of tables.

    Raises Stopped where that ended early, by an interrupt or by a file that cannot be read: what was read until
    then is durable and searchable all the same. OSError or sqlite3.Error where the store cannot be written.
    """
    data.mkdir(parents=True, exist_ok=True)
    stopped = ""
    with indexer.running(data) as process:
        writer, notes = Writer(data, process), Notes()
        try:
            for path in paths:
                for item in _items(path, format, notes, columns):
                    if isinstance(item, Reject):
                        writer.reject(Rejected(item.file, item.line, item.reason, item.raw))
                    else:
                        writer.take(item)
                    if writer.totals.read % REPORT_EVERY == 0:
                        progress(writer.totals.read)
        except _Unreadable as error:
            stopped = str(error)
        except KeyboardInterrupt:
            stopped = "interrupted"
        totals = writer.close()
        totals.forgiven = dict(notes.forgiven)
    if stopped:
        raise Stopped(stopped, totals)
    return totals


class Stopped(Exception):
    """Not everything was read; `totals` counts what was."""

    def __init__(self, reason: str, totals: Totals) -> None:
        super().__init__(reason, totals)  # both, so that it can be pickled
        self.totals = totals

    def __str__(self) -> str:
        return (
            f"{self.args[0]}; the {self.totals.read:,} lines read until then are safe. Repeating does no harm"
        )


class _Unreadable(Exception):
    pass


def _items(
    path: str, format: str, notes: Notes, columns: Mapping[str, str] | None
) -> Iterator[list[Event] | Reject]:
    try:
        yield from files.events(path, format, notes=notes, columns=columns)
    except OSError as error:
        raise _Unreadable(f"cannot read {path}: {error.strerror or error}") from None
