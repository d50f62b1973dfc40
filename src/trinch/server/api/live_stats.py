"""Statistics of live ingest, collected once per second for all clients: rate, lag, languages, sources."""

import asyncio
import logging
import os
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from trinch.posts.schema import Created, Edited
from trinch.posts.times import iso, now
from trinch.server.http.codec import sse_event
from trinch.server.workers.worker_pool import WorkerPool
from trinch.store.budget import Budget
from trinch.store.cluster import coordinator
from trinch.store.stats import stats
from trinch.store.store import Store
from trinch.store.text_index import read_position

log = logging.getLogger("trinch.server")

WINDOW = 10
"""Seconds over which the rate is averaged."""

PROBE = "the"
"""The search that is made at each update, so that `searched_at` is the time of the last one answered."""

NEWEST = 500
"""Newest log entries that languages and lag are computed from."""


class LiveStats:
    """The current statistics, updated while `watch` runs."""

    def __init__(self, data: Path, pool: WorkerPool, sources: Callable[[], list[dict[str, str]]]) -> None:
        self._data, self._pool, self._sources = data, pool, sources
        self._marks: deque[tuple[float, int]] = deque(maxlen=WINDOW + 1)
        self._changed = asyncio.Condition()
        self.current: dict[str, Any] = {}
        self.newest_seq = 0
        self.searched_at = 0.0
        """The newest log position known to this server."""

    async def watch(self) -> None:
        """Update once a second, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                found = await self._pool.run(_collect, self.current.get("events", -1))
            except Exception:
                log.exception("the store cannot be read; trying again")
                await asyncio.sleep(5.0)
                continue
            self.searched_at = loop.time()
            self._marks.append((self.searched_at, found["events"]))
            (then, before), (present, events) = self._marks[0], self._marks[-1]
            rate = (events - before) / (present - then) if present > then else 0.0
            self.newest_seq = max(self.newest_seq, events)
            found |= {"events_per_second": round(rate, 1), "sources": self._sources()}
            # Languages and lag are absent when the log has not grown: the previous ones hold, unless ingest has stopped.
            self.current = self.current | found
            if not rate:
                self.current["lag_seconds"] = None
            async with self._changed:
                self._changed.notify_all()
            await asyncio.sleep(1.0)

    def behind(self) -> int:
        """Acknowledged events that are not searchable yet."""
        if os.environ.get(coordinator.VARIABLE):
            return int(self.current.get("behind", 0))
        return max(0, self.newest_seq - read_position(self._data / "text"))

    async def events(self, stopping: asyncio.Event) -> AsyncIterator[bytes]:
        """The statistics as one server-sent event a second, until the server stops."""
        while not stopping.is_set():
            if self.current:
                yield sse_event(self.current, "live")
            async with self._changed:
                await self._changed.wait()


def _collect(store: Store, known_events: int) -> dict[str, Any]:
    if isinstance(store, coordinator.Cluster):
        return _collect_cluster(store)
    store.search(PROBE, limit=1)
    clock, last = now(), store.log.last_seq
    behind = max(0, last - read_position(store.data / "text"))
    found: dict[str, Any] = {"at": iso(clock), "events": last, "posts": store.num_posts, "behind": behind}
    if last != known_events:
        entries = list(store.log.read(max(0, last - NEWEST), NEWEST))
        posts = [e.event.post for e in entries if isinstance(e.event, Created | Edited)]
        found["languages"] = dict(Counter(post.lang for post in posts).most_common())
        found["lag_seconds"] = round(max(0, clock - max(e.at for e in entries)) / 1e6, 1) if entries else None
    return found


def _collect_cluster(store: coordinator.Cluster) -> dict[str, Any]:
    """The sums of all nodes that answer."""
    with store.within(Budget()):
        store.search(PROBE, limit=1)
        found = stats(store)
    behind = sum(index.behind for index in found.indexes)
    return {
        "at": iso(now()),
        "events": found.events,
        "posts": found.posts,
        "behind": behind,
        "missing": store.missing(),
    }
