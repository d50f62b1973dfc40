"""Drinking: from parsed events to acknowledged ones, in groups, at a pace the index can follow.

Owns grouping, language identification, what is set aside as malformed, back-pressure and the running totals.
Files (`ingest.py`) and live sources (`listen.py`) both feed it. Knows nothing of wire formats or sockets.
"""

import base64
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from trinch.posts.language_id import with_language
from trinch.posts.schema import Event
from trinch.posts.times import now
from trinch.store.log import Log
from trinch.store.text_index import read_position

GROUP = 1000
"""Events acknowledged together at most."""

BEHIND = 6000
"""How many acknowledged events the index may be behind before drinking pauses. At the rates measured in
docs/benchmarks.md this is about half a second: what is acknowledged stays searchable within one."""

SET_ASIDE_LIMIT = 256_000_000
"""Bytes of malformed input kept; beyond it only the count grows."""


class Totals(msgspec.Struct):
    """What became of everything read."""

    read: int = 0
    """Lines, frames or items."""
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    deleted: int = 0
    ignored: int = 0
    """Lines without a post or event, reactions to unknown posts, late copies of posts of a gone account."""
    forgiven: dict[str, int] = {}
    """Field or kind of oddity -> how often it was repaired or left out of a post that was accepted."""
    seconds: float = 0.0
    posts_per_second: float = 0.0


class Rejected(msgspec.Struct, frozen=True):
    """A piece of input that could not be read, kept as it came."""

    source: str
    line: int
    reason: str
    raw: bytes


class Writer:
    """Groups events and makes them durable. `flush` acknowledges what was given so far.

    With an `indexer` beside it, drinking keeps to the pace of the index, as long as that process lives.
    """

    def __init__(self, data: Path, indexer: "subprocess.Popen[bytes] | None" = None) -> None:
        self._log = Log(data / "ocean.db")
        self._data = data
        self._indexer = indexer
        self._group: list[Event] = []
        self._cursors: dict[str, str] = {}
        self._started = time.monotonic()
        self.totals = Totals()
        self.last_seq = self._log.last_seq

    def cursor(self, source: str) -> str | None:
        """How far a live source was drunk, durably."""
        return self._log.cursor(source)

    def take(self, events: Iterable[Event], cursor: tuple[str, str] | None = None) -> None:
        """Take what one line or frame said; `cursor` is (source, position) once these events are stored."""
        self.totals.read += 1
        before = len(self._group)
        self._group += events
        if len(self._group) == before:
            self.totals.ignored += 1
        if cursor:
            self._cursors[cursor[0]] = cursor[1]
        if len(self._group) >= GROUP:
            self.flush()

    def reject(self, rejected: Rejected) -> None:
        """Set a malformed piece aside in `rejected.jsonl`, with its place and the reason."""
        self.totals.read += 1
        self.totals.rejected += 1
        path = self._data / "rejected.jsonl"
        if path.exists() and path.stat().st_size > SET_ASIDE_LIMIT:
            return
        try:
            raw = {"raw": rejected.raw.decode()}
        except UnicodeDecodeError:
            raw = {"raw_base64": base64.b64encode(rejected.raw).decode()}
        place = {"source": rejected.source, "line": rejected.line, "reason": rejected.reason, "at": now()}
        with path.open("ab") as file:
            file.write(msgspec.json.encode(place | raw) + b"\n")

    def flush(self) -> None:
        """Make everything taken so far durable, with its cursors; then let the index come close."""
        if not self._group and not self._cursors:
            return
        done = self._log.append([with_language(event) for event in self._group], self._cursors)
        self._group.clear()
        self._cursors.clear()
        totals = self.totals
        totals.accepted += done.accepted
        totals.duplicates += done.duplicates
        totals.deleted += done.deleted
        totals.ignored += done.ignored
        totals.seconds = time.monotonic() - self._started
        totals.posts_per_second = totals.accepted / totals.seconds if totals.seconds else 0.0
        self.last_seq = done.last_seq
        while self._indexer and self.last_seq - read_position(self._data / "text") > BEHIND:
            if self._indexer.poll() is not None:
                break
            time.sleep(0.005)

    def close(self) -> Totals:
        """Acknowledge the rest; the final totals."""
        self.flush()
        self._log.close()
        return self.totals
