"""Where blocking work is done: a few threads, each with an ocean of its own.

Owns the threads and the bound on how much may wait for them. Searches and answers wait in different lines, so
that slow questions hold up no reader. Knows nothing of HTTP beyond saying "busy".
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from trinch.ocean.ocean import Ocean
from trinch.server.errors import Problem

P = ParamSpec("P")
Result = TypeVar("Result")


class Desk:
    """One line of work over the ocean in `data`, `threads` at a time; at most `line` pieces wait."""

    def __init__(self, data: Path, threads: int, line: int) -> None:
        self._data, self._room = data, threads + line
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ocean")
        self._local = threading.local()
        self.busy = 0

    async def run(
        self, work: Callable[Concatenate[Ocean, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """`work(ocean, …)` in a thread. Raises Problem 503 where too much is waiting already."""
        if self.busy >= self._room:
            raise Problem(503, "busy: too many requests are waiting; try again", code="overloaded", retry=1)
        self.busy += 1
        loop = asyncio.get_running_loop()
        future = self._pool.submit(lambda: work(self._ocean(), *args, **kwargs))
        # Not when the caller ends: one who hangs up does not stop a thread.
        future.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(self._left))
        return await asyncio.wrap_future(future)

    def _left(self) -> None:
        self.busy -= 1

    def _ocean(self) -> Ocean:
        ocean: Ocean | None = getattr(self._local, "ocean", None)
        if ocean is None:
            ocean = self._local.ocean = Ocean.open(self._data)
        return ocean

    def close(self) -> None:
        """Take no more work; what waits is dropped, what runs is left to end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
