"""Where blocking work is done: a few processes, each with an ocean of its own.

Owns the processes and the bound on how much may wait for them. Searches and answers wait in different lines, so that
slow questions hold up no reader; and none of them holds up the server, which shares no interpreter with them. A
process that dies is replaced, and its work is done again. Knows nothing of HTTP beyond saying "busy".
"""

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from trinch.ocean.ocean import Ocean
from trinch.server.errors import Problem

P = ParamSpec("P")
Result = TypeVar("Result")

TRIES = 2
"""How often work is begun whose process dies."""

_CONTEXT = multiprocessing.get_context("forkserver")
# Forked from a process that has the modules read in: quick to start, and what they take is in memory once.
_CONTEXT.set_forkserver_preload(["trinch.server.shapes", "trinch.server.evidence", "trinch.ocean.drink"])


class Desk:
    """One line of work over the ocean in `data`, `processes` at a time; at most `line` pieces wait.

    `nice` is added to the processes' niceness: how far they stand back where processors are short.
    """

    def __init__(self, data: Path, processes: int, line: int, nice: int = 0) -> None:
        self._data, self._processes, self._nice = data, processes, nice
        self._room = processes + line
        self._pool = self._opened()
        self.busy = 0

    def _opened(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._processes, mp_context=_CONTEXT, initializer=_begin, initargs=(self._nice,)
        )

    async def run(
        self, work: Callable[Concatenate[Ocean, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """`work(ocean, …)` in a process; function, arguments and result must be such as can be pickled.

        Raises Problem 503 where too much is waiting already, or where the work keeps killing its process.
        """
        if self.busy >= self._room:
            raise Problem(503, "busy: too many requests are waiting; try again", code="overloaded", retry=1)
        loop = asyncio.get_running_loop()
        for _ in range(TRIES):
            pool = self._pool
            try:
                future = pool.submit(_work, self._data, work, args, kwargs)
                self.busy += 1
                # Not when the caller ends: one who hangs up does not stop a process.
                future.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(self._left))
                result: Result = await asyncio.wrap_future(future)
                return result
            except BrokenProcessPool:
                if self._pool is pool:  # the first to notice
                    self._pool = self._opened()
        raise Problem(503, "the process at work on this ended twice; try again", code="overloaded", retry=1)

    def _left(self) -> None:
        self.busy -= 1

    def close(self) -> None:
        """Take no more work; what waits is dropped, what runs is left to end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


# ------------------------------------------------------------------------------------- in the other process


def _begin(nice: int) -> None:
    """Interrupts are for the server to hear, which ends us; we end with it, however it dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    threading.Thread(target=_end_with_server, daemon=True).start()


def _end_with_server() -> None:
    server = multiprocessing.parent_process()
    assert server is not None
    server.join()
    os._exit(1)


@lru_cache(1)
def _ocean(data: Path) -> Ocean:
    return Ocean.open(data)


def _work(data: Path, work: Callable[..., Result], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result:
    return work(_ocean(data), *args, **kwargs)
