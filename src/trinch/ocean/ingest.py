"""Drinking files: every line of every path becomes acknowledged events, or is set aside with its place.

Owns the loop over files and the indexer beside it. Knows nothing of formats (`posts/reader.py`).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from trinch.ocean import indexer
from trinch.ocean.drink import Drinker, Rejected, Totals
from trinch.posts import reader

TELL_EVERY = 5000
"""Lines between two words of progress."""


def ingest(
    data: Path,
    paths: Sequence[str],
    format: str = "auto",
    progress: Callable[[int], None] = lambda _: None,
) -> Totals:
    """Drink the files in order; returns when all is durable and searchable. OSError for an unreadable file."""
    data.mkdir(parents=True, exist_ok=True)
    with indexer.running(data) as process:
        drinker = Drinker(data, process)
        for path in paths:
            for item in reader.events(path, format):
                if isinstance(item, reader.Reject):
                    drinker.reject(Rejected(item.file, item.line, item.reason, item.raw))
                else:
                    drinker.take(item)
                if drinker.totals.read % TELL_EVERY == 0:
                    progress(drinker.totals.read)
        return drinker.close()
