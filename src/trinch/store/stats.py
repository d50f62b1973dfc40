"""Statistics of a store: posts by network, language and day, how far each index is behind, sizes on disk.

Counts are those that the log keeps, of all stored versions of posts, hidden or not; they take the same time in a store
of any size.
"""

from functools import singledispatch
from pathlib import Path
from typing import Any

import msgspec

from trinch.notebook import Record
from trinch.store.database import DATABASE
from trinch.store.rejects import REJECTED
from trinch.store.source_state import SourceState, read_states
from trinch.store.store import Store
from trinch.store.tallies import UNDATED_DAY
from trinch.store.text_index import INDEX


class IndexState(Record, msgspec.Struct, frozen=True):
    """The state of an index."""

    name: str
    posts: int
    behind: int
    """Acknowledged events that it has not applied yet."""


class Stats(Record, msgspec.Struct, frozen=True):
    events: int
    posts: int
    networks: dict[str, int]
    languages: dict[str, int]
    days: dict[str, int]
    """Posts by UTC day, without undated ones."""
    undated: int
    """Posts without a time."""
    cursors: dict[str, str]
    sources: list[SourceState]
    """What each live source last reported."""
    indexes: list[IndexState]
    bytes: dict[str, int]
    """On disk: `log`, `text`, `rejected`."""


@singledispatch
def stats(store: Store) -> Stats:
    """The statistics of a store now."""
    index, last = store.index, store.log.last_seq
    position = index.position()
    return Stats(
        events=last,
        posts=index.count(),
        networks=store.log.num_posts_by("network"),
        languages=store.log.num_posts_by("lang"),
        days=store.days(),
        undated=store.log.num_posts_by("day").get(UNDATED_DAY, 0),
        cursors=store.log.cursors(),
        sources=read_states(store.data),
        indexes=[IndexState("text", index.count(), max(0, last - position))],
        bytes=sizes(store.data),
    )


def sizes(data: Path) -> dict[str, int]:
    """Bytes on disk by part."""

    def total(paths: Any) -> int:
        return sum(path.stat().st_size for path in paths if path.is_file())

    return {
        "log": total(data.glob(f"{DATABASE}*")),
        "text": total((data / INDEX).rglob("*")),
        "rejected": total(data.glob(REJECTED)),
    }
