"""Drinking files: every line of every path becomes acknowledged events, or is set aside with its place.

Owns the loop over files and the indexer beside it. Knows nothing of formats (`sources/files.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from trinch.posts.schema import Event
from trinch.sources import files
from trinch.store import indexer
from trinch.store.writer import Rejected, Totals, Writer

TELL_EVERY = 5000
"""Lines between two words of progress."""


def ingest(
    data: Path,
    paths: Sequence[str],
    format: str = "auto",
    progress: Callable[[int], None] = lambda _: None,
) -> Totals:
    """Drink the files in order; returns when all is durable and searchable.

    Raises Stopped where that ended early, by an interrupt or by a file that cannot be read: what was read until
    then is durable and searchable all the same. OSError or sqlite3.Error where the store cannot be written.
    """
    data.mkdir(parents=True, exist_ok=True)
    stopped = ""
    with indexer.running(data) as process:
        writer = Writer(data, process)
        try:
            for path in paths:
                for item in _items(path, format):
                    if isinstance(item, files.Reject):
                        writer.reject(Rejected(item.file, item.line, item.reason, item.raw))
                    else:
                        writer.take(item)
                    if writer.totals.read % TELL_EVERY == 0:
                        progress(writer.totals.read)
        except _Unreadable as error:
            stopped = str(error)
        except KeyboardInterrupt:
            stopped = "interrupted"
        totals = writer.close()
    if stopped:
        raise Stopped(stopped, totals)
    return totals


class Stopped(Exception):
    """Not everything was read; `totals` tells what became of what was."""

    def __init__(self, reason: str, totals: Totals) -> None:
        super().__init__(reason, totals)  # both, so that it can be pickled
        self.totals = totals

    def __str__(self) -> str:
        return (
            f"{self.args[0]}; the {self.totals.read:,} lines read until then are safe. Repeating does no harm"
        )


class _Unreadable(Exception):
    pass


def _items(path: str, format: str) -> Iterator[list[Event] | files.Reject]:
    try:
        yield from files.events(path, format)
    except OSError as error:
        raise _Unreadable(f"cannot read {path}: {error.strerror or error}") from None
