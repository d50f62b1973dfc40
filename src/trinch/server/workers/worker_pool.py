"""Where blocking work is done: a few processes, each with a store of its own.

Owns the processes and the bound on how much may wait for them. Searches and answers wait in different lines, so that
slow questions hold up no reader; and none of them holds up the server, which shares no interpreter with them. A
process that dies is replaced, and its work is done again. Knows nothing of HTTP beyond saying "busy".
"""

import asyncio
import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from trinch.server.http.errors import Problem
from trinch.store.store import Store

P = ParamSpec("P")
Result = TypeVar("Result")

TRIES = 2
"""How often work is begun whose process dies."""

_CONTEXT = multiprocessing.get_context("forkserver")
# Forked from a process that has the modules read in: quick to start, and what they take is in memory once.
_CONTEXT.set_forkserver_preload(["trinch.service.serialize", "trinch.service.volume", "trinch.store.writer"])


class WorkerPool:
    """One line of work over the store in `data`, `processes` at a time; at most `line` pieces wait.

    `nice` is added to the processes' niceness: how far they stand back where processors are short.
    """

    def __init__(self, data: Path, processes: int, line: int, nice: int = 0) -> None:
        self._data, self._processes, self._nice = data, processes, nice
        self._room = processes + line
        self._pool = self._opened()
        # The line is here, not in the pool: who hangs up leaves it. A pool in which something was cancelled may
        # forget all the rest when a process dies (Python 3.11). Twice as many, so that the next is at hand.
        self._places = asyncio.Semaphore(2 * processes)
        self.busy = 0

    def _opened(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._processes, mp_context=_CONTEXT, initializer=_begin, initargs=(self._nice,)
        )

    async def run(
        self, work: Callable[Concatenate[Store, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """`work(store, …)` in a process; function, arguments and result must be such as can be pickled.

        Raises Problem 503 where too much is waiting already, or where the work keeps killing its process.
        """
        if self.busy >= self._room:
            raise Problem(503, "busy: too many requests are waiting; try again", code="overloaded", retry=1)
        for _ in range(TRIES):
            self.busy += 1
            try:
                await self._places.acquire()
            except asyncio.CancelledError:
                self.busy -= 1
                raise
            pool = self._pool
            try:
                return await self._submit(pool, _work, self._data, work, args, kwargs)
            except BrokenProcessPool:
                if self._pool is pool:  # the first to notice
                    self._pool = self._opened()
        raise Problem(503, "the process at work on this ended twice; try again", code="overloaded", retry=1)

    def _submit(
        self, pool: ProcessPoolExecutor, work: Callable[..., Result], *args: Any
    ) -> "asyncio.Future[Result]":
        """What comes of work given to the pool. It does not end with who waits for it: that would stop no process."""
        loop = asyncio.get_running_loop()
        told: asyncio.Future[Result] = loop.create_future()
        try:
            done = pool.submit(work, *args)
        except BaseException:
            self._left()
            raise
        done.add_done_callback(
            lambda _: loop.is_closed() or loop.call_soon_threadsafe(self._tell, done, told)
        )
        return told

    def _tell(self, done: Future[Result], told: "asyncio.Future[Result]") -> None:
        self._left()
        if told.done():
            return  # nobody waits for it any more
        if done.cancelled():
            told.cancel()
        elif error := done.exception():
            told.set_exception(error)
        else:
            told.set_result(done.result())

    def _left(self) -> None:
        self.busy -= 1
        self._places.release()

    def close(self) -> None:
        """Take no more work; what waits is dropped, what runs is left to end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


# ------------------------------------------------------------------------------------- in the other process


def _begin(nice: int) -> None:
    """Interrupts are for the server to hear, which ends us; we end with it, however it dies. Its standard output may
    be a conversation (`trinch mcp`): what is printed here goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # nobody to read it
        os.dup2(2, 1)
    os.nice(nice)
    threading.Thread(target=_end_with_server, daemon=True).start()


def _end_with_server() -> None:
    server = multiprocessing.parent_process()
    assert server is not None
    server.join()
    os._exit(1)


@lru_cache(1)
def _store(data: Path) -> Store:
    return Store.open(data)


def _work(data: Path, work: Callable[..., Result], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Result:
    try:
        return work(_store(data), *args, **kwargs)
    except Exception as error:
        if not _travels(error):
            raise RuntimeError(f"{type(error).__name__}: {error}") from error
        raise


def _travels(error: Exception) -> bool:
    """Whether the server can read an exception back: one that it cannot would end the pool with all work in it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True
