"""The one way to write a store: parsed events become acknowledged ones, in groups, at the pace of the index.

It groups events, identifies languages, keeps malformed input aside, waits for an index that is behind, and counts.
Files, live sources, uploads and `Store.ingest` all use it.
"""

import base64
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from trinch.notebook import Record
from trinch.posts.language_id import with_language
from trinch.posts.schema import Event
from trinch.posts.times import now
from trinch.store.event_log import EventLog, open_log
from trinch.store.log import Appended
from trinch.store.rejects import REJECTED
from trinch.store.text_index import INDEX, read_applied

GROUP = 1000
"""Events acknowledged together at most."""

BEHIND = 0.15
"""Seconds that the oldest acknowledged event may wait to be read by the indexer before ingestion pauses. With the
indexer's own `COMMIT_AFTER`, what is acknowledged is searchable within a second at whatever rate the machine allows."""

MAX_BEHIND = 6000
"""Acknowledged events that may not be searchable yet before a server takes no more uploads."""

PAUSE = 0.02
"""Seconds between two looks at an index that is behind: each costs a reading of its position."""

REJECTED_LIMIT = 256_000_000
"""Bytes of malformed input kept; beyond it only the count grows."""


class Totals(Record, msgspec.Struct):
    """What became of all input."""

    read: int = 0
    """Lines, frames or items."""
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    deleted: int = 0
    ignored: int = 0
    """Lines without a post or event, reactions to unknown posts, late copies of posts of a gone account."""
    forgiven: dict[str, int] = msgspec.field(default_factory=dict)
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

    With an `indexer` process beside it, ingestion waits for the index, as long as that process lives.
    """

    def __init__(
        self, data: Path, indexer: "subprocess.Popen[bytes] | None" = None, log: EventLog | None = None
    ) -> None:
        """`log` is an open log, which stays open; without it the writer opens that of `open_log`."""
        self._log = log or open_log(data)
        self._owns_log = log is None
        self._data = data
        self._indexer = indexer
        self._group: list[Event] = []
        self._cursors: dict[str, str] = {}
        self._unread: deque[tuple[int, float]] = deque()
        """Last position of each acknowledged group that the indexer may not have read yet, and when it was acknowledged."""
        self._started = time.monotonic()
        self.totals = Totals()
        self.last_seq = self._log.last_seq

    def cursor(self, source: str) -> str | None:
        """How far a live source was read, durably."""
        return self._log.cursor(source)

    def take(self, events: Iterable[Event], cursor: tuple[str, str] | None = None) -> None:
        """Take the events of one line or frame; `cursor` is (source, position) once these events are stored."""
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
        """Keep a malformed piece in `rejected.jsonl`, with its place and the reason."""
        self.totals.read += 1
        self.totals.rejected += 1
        path = self._data / REJECTED
        if path.exists() and path.stat().st_size > REJECTED_LIMIT:
            return
        try:
            raw = {"raw": rejected.raw.decode()}
        except UnicodeDecodeError:
            raw = {"raw_base64": base64.b64encode(rejected.raw).decode()}
        place = {"source": rejected.source, "line": rejected.line, "reason": rejected.reason, "at": now()}
        with path.open("ab") as file:
            file.write(msgspec.json.encode(place | raw) + b"\n")

    def flush(self) -> None:
        """Make everything taken so far durable, with its cursors; then wait until the index is close behind."""
        if not self._group and not self._cursors:
            return
        self.append(self._group, self._cursors)
        self._group.clear()
        self._cursors.clear()
        self._wait_for_index()

    def append(self, events: Sequence[Event], cursors: Mapping[str, str] | None = None) -> Appended:
        """Make events durable at once, with the language of each post; on return they are acknowledged."""
        done = self._log.append([with_language(event) for event in events], cursors)
        totals = self.totals
        totals.accepted += done.accepted
        totals.duplicates += done.duplicates
        totals.deleted += done.deleted
        totals.ignored += done.ignored
        totals.seconds = time.monotonic() - self._started
        totals.posts_per_second = totals.accepted / totals.seconds if totals.seconds else 0.0
        self.last_seq = done.last_seq
        return done

    def _wait_for_index(self) -> None:
        if self._indexer is None:
            return
        self._unread.append((self.last_seq, time.monotonic()))
        while self._is_index_behind() and self._indexer.poll() is None:
            time.sleep(PAUSE)

    def _is_index_behind(self) -> bool:
        applied = read_applied(self._data / INDEX)
        while self._unread and self._unread[0][0] <= applied:
            self._unread.popleft()
        return bool(self._unread) and time.monotonic() - self._unread[0][1] > BEHIND

    def close(self) -> Totals:
        """Acknowledge the rest; the final totals."""
        self.flush()
        if self._owns_log:
            self._log.close()
        return self.totals
