"""What each live source is doing, in small files beside the store: written by whoever listens, read for statistics."""

import time
from pathlib import Path
from zlib import crc32

import msgspec

from trinch.posts.wire import UNREADABLE

FOLDER = "sources"
"""Inside the folder of a store."""


class SourceState(msgspec.Struct):
    """A live source, since its process started."""

    name: str
    state: str = "starting"
    """For people: connected, or why not and when it is tried again."""
    read: int = 0
    """Frames, lines or pages."""
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    reconnects: int = 0
    events_per_second: float = 0.0
    lag_seconds: float | None = None
    """How long after it happened the newest event was received."""
    updated: float = 0.0
    """Unix time of this report; an old one is of a process that ended."""


def write_state(data: Path, state: SourceState) -> None:
    """Replace the report of a source."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    state.updated = round(time.time(), 3)
    path = folder / f"{crc32(state.name.encode(errors='replace')):08x}.json"
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(state))
    part.replace(path)


def read_states(data: Path) -> list[SourceState]:
    """The last report of each source, by name."""
    found: list[SourceState] = []
    for path in (data / FOLDER).glob("*.json"):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=SourceState))
        except (OSError, *UNREADABLE):
            continue  # being replaced, or of another release
    return sorted(found, key=lambda state: state.name)
