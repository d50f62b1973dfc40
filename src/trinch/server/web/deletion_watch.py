"""Which of the posts on open pages have been taken back: told within half a second.

Owns one look at the log for all open pages together, taken only when the log has grown. Posts are given as
`network:id`; one is gone when no version of it may be shown any more. Knows nothing of pages.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from trinch.server.http.errors import Problem
from trinch.server.workers.worker_pool import WorkerPool
from trinch.store.store import Store

PAUSE = 0.4
"""Seconds between two looks."""

BEAT = 2.0
"""Seconds of silence after which an empty word is sent: it finds out who has left, and lets the server end."""

Places = dict[str, list[int]]
"""Posts and where their versions stand in the log; nowhere once they are gone."""


class Watch:
    """Everybody who watches posts. It looks only while somebody does."""

    def __init__(self) -> None:
        self._watched: dict[asyncio.Queue[list[str]], Places] = {}
        self._looked = -1
        self._task: asyncio.Task[None] | None = None

    async def gone(
        self, pool: WorkerPool, keys: Sequence[str], stopping: asyncio.Event
    ) -> AsyncIterator[list[str]]:
        """First those of the posts that are gone already, then each that goes; empty lists now and then."""
        queue: asyncio.Queue[list[str]] = asyncio.Queue()
        places = await pool.run(_places, list(keys))
        mine = self._watched[queue] = {key: seqs for key, seqs in places.items() if seqs}
        self._looked = -1  # what the log said while we looked them up must be looked at again
        try:
            yield [key for key in places if key not in mine]
            while mine and not stopping.is_set():
                if self._task is None or self._task.done():
                    self._task = asyncio.create_task(self._look(pool))
                try:
                    yield await asyncio.wait_for(queue.get(), BEAT)
                except TimeoutError:
                    yield []
        finally:
            del self._watched[queue]

    async def _look(self, pool: WorkerPool) -> None:
        while self._watched:
            looked, self._looked = self._looked, -2
            places = {key: seqs for watched in self._watched.values() for key, seqs in watched.items()}
            try:
                position, changed = await pool.run(_changes, looked, places)
            except Problem:  # too busy: look again after the pause
                position, changed = looked, {}
            if self._looked == -2:  # nobody has come meanwhile
                self._looked = position
            for queue, watched in self._watched.items():
                mine = {key: seqs for key, seqs in changed.items() if key in watched}
                watched |= mine
                left = [key for key, seqs in mine.items() if not seqs]
                for key in left:
                    del watched[key]
                if left:
                    queue.put_nowait(left)
            await asyncio.sleep(PAUSE)


def _places(store: Store, keys: list[str]) -> Places:
    return {key: store.log.seqs_of(key) if store.get(key) else [] for key in keys}


def _changes(store: Store, looked: int, places: Places) -> tuple[int, Places]:
    """The end of the log, and the places of those posts whose known versions may not be shown any more."""
    position = store.log.last_seq
    if position == looked:
        return position, {}
    seen = store.log.visible([seq for seqs in places.values() for seq in seqs])
    return position, _places(store, [key for key, seqs in places.items() if seen.keys().isdisjoint(seqs)])
