"""What is being drunk right now: how fast, how late, in which languages.

Owns one look per second at the log, shared by everyone who watches. Knows nothing of HTTP but the framing of
events.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from trinch.posts.schema import Created, Edited
from trinch.posts.times import iso, now
from trinch.server.http.codec import event
from trinch.server.workers.worker_pool import WorkerPool
from trinch.store.store import Store
from trinch.store.text_index import read_position

log = logging.getLogger("trinch.server")

WINDOW = 10
"""Seconds over which the rate is averaged."""

NEWEST = 500
"""Newest entries looked at for languages and lag."""


class LiveStats:
    """The present state of drinking. `watch` must run for it to move."""

    def __init__(self, data: Path, pool: WorkerPool, sources: Callable[[], list[dict[str, str]]]) -> None:
        self._data, self._desk, self._sources = data, pool, sources
        self._marks: deque[tuple[float, int]] = deque(maxlen=WINDOW + 1)
        self._changed = asyncio.Condition()
        self.now: dict[str, Any] = {}
        self.known = 0
        """The newest position of the log that anybody here has seen."""

    async def watch(self) -> None:
        """Look once a second, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                seen = await self._desk.run(_look, self.now.get("events", -1))
            except Exception:
                log.exception("the store cannot be looked at; trying again")
                await asyncio.sleep(5.0)
                continue
            self._marks.append((loop.time(), seen["events"]))
            (then, before), (present, events) = self._marks[0], self._marks[-1]
            rate = (events - before) / (present - then) if present > then else 0.0
            self.known = max(self.known, events)
            seen |= {"events_per_second": round(rate, 1), "sources": self._sources()}
            # Unchanged since the last look: its languages and lag hold, unless drinking has stopped.
            self.now = self.now | seen
            if not rate:
                self.now["lag_seconds"] = None
            async with self._changed:
                self._changed.notify_all()
            await asyncio.sleep(1.0)

    def behind(self) -> int:
        """Events known to be acknowledged that are not searchable at this instant."""
        return max(0, self.known - read_position(self._data / "text"))

    async def events(self, stopping: asyncio.Event) -> AsyncIterator[bytes]:
        """One event a second, beginning now, until the server stops."""
        while not stopping.is_set():
            if self.now:
                yield event(self.now, "live")
            async with self._changed:
                await self._changed.wait()


def _look(store: Store, before: int) -> dict[str, Any]:
    clock, last = now(), store.log.last_seq
    behind = max(0, last - read_position(store.data / "text"))
    seen: dict[str, Any] = {"at": iso(clock), "events": last, "posts": store.num_posts, "behind": behind}
    if last != before:
        entries = list(store.log.read(max(0, last - NEWEST), NEWEST))
        posts = [e.event.post for e in entries if isinstance(e.event, Created | Edited)]
        seen["languages"] = dict(Counter(post.lang for post in posts).most_common())
        seen["lag_seconds"] = round(max(0, clock - max(e.at for e in entries)) / 1e6, 1) if entries else None
    return seen
