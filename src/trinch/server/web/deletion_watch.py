"""Reports which posts of open pages were deleted or hidden, within half a second.

One query of the log serves all open pages, and runs only when the log has grown. Posts are given as `network:id`; one
is gone when no version of it is visible.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from trinch.server.http.errors import Problem
from trinch.server.workers.worker_pool import WorkerPool
from trinch.store.store import Store

POLL_SECONDS = 0.4
"""Time between two checks of the log."""

HEARTBEAT_SECONDS = 2.0
"""Time without an event after which an empty one is sent: it detects closed connections and server shutdown."""

Positions = dict[str, list[int]]
"""Post keys and the log positions of their visible versions; an empty list once a post is gone."""


class DeletionWatch:
    """All clients that watch posts. The log is checked only while there are any."""

    def __init__(self) -> None:
        self._watched: dict[asyncio.Queue[list[str]], Positions] = {}
        self._checked = -1
        self._task: asyncio.Task[None] | None = None

    async def gone(
        self, pool: WorkerPool, keys: Sequence[str], stopping: asyncio.Event
    ) -> AsyncIterator[list[str]]:
        """First those of the posts that are gone already, then each that goes; an empty list as a heartbeat."""
        queue: asyncio.Queue[list[str]] = asyncio.Queue()
        positions = await pool.run(_positions, list(keys))
        mine = self._watched[queue] = {key: seqs for key, seqs in positions.items() if seqs}
        self._checked = -1  # the log may have changed while their positions were looked up
        try:
            yield [key for key in positions if key not in mine]
            while mine and not stopping.is_set():
                if self._task is None or self._task.done():
                    self._task = asyncio.create_task(self._check(pool))
                try:
                    yield await asyncio.wait_for(queue.get(), HEARTBEAT_SECONDS)
                except TimeoutError:
                    yield []
        finally:
            del self._watched[queue]

    async def _check(self, pool: WorkerPool) -> None:
        while self._watched:
            checked, self._checked = self._checked, -2
            positions = {key: seqs for watched in self._watched.values() for key, seqs in watched.items()}
            try:
                position, changed = await pool.run(_changes, checked, positions)
            except Problem:  # too busy: try again after the pause
                position, changed = checked, {}
            if self._checked == -2:  # no client was added meanwhile
                self._checked = position
            for queue, watched in self._watched.items():
                mine = {key: seqs for key, seqs in changed.items() if key in watched}
                watched |= mine
                left = [key for key, seqs in mine.items() if not seqs]
                for key in left:
                    del watched[key]
                if left:
                    queue.put_nowait(left)
            await asyncio.sleep(POLL_SECONDS)


def _positions(store: Store, keys: list[str]) -> Positions:
    return {key: store.log.seqs_of(key) if store.get(key) else [] for key in keys}


def _changes(store: Store, checked: int, positions: Positions) -> tuple[int, Positions]:
    """The end of the log, and the new positions of those posts whose known versions are no longer visible."""
    position = store.log.last_seq
    if position == checked:
        return position, {}
    shown = store.log.visible([seq for seqs in positions.values() for seq in seqs])
    return position, _positions(
        store, [key for key, seqs in positions.items() if shown.keys().isdisjoint(seqs)]
    )
