"""A pool of worker processes for blocking work, each with its own open store.

Searches and answers use separate pools, so that slow questions do not delay searches, and none of them shares an
interpreter with the server. A task has a limit of CPU time (`cpu_limit.py`), at which its process ends and is replaced. So does the process of a task whose client hung up. A process that dies
by itself is replaced, and its task is tried once more.
"""

import asyncio
import contextlib
import functools
import gc
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from trinch.server.http.errors import Problem, stopping
from trinch.server.workers.cpu_limit import EXIT_CODES, cpu_limit
from trinch.server.workers.fair_queue import CLIENT, FairQueue, Rejected
from trinch.store.cluster.coordinator import open_store
from trinch.store.store import Store
from trinch.system import lower_priority, process_context

P = ParamSpec("P")
Result = TypeVar("Result")

MAX_ATTEMPTS = 2
"""How often a task is started whose process dies."""

CANCEL_SECONDS = 0.2
"""How long the process of a cancelled task may go on, before it is killed: a new one costs more than a short wait."""

CACHE_SECONDS = 30.0
"""How long a worker keeps what it has computed of posts."""

LARGE_CACHE = 1000
"""Entries of a cache that holds texts; smaller ones hold settings and tables."""

_CONTEXT = process_context()
# Forked from a process that has imported these: quick to start, and their memory is shared.
_CONTEXT.set_forkserver_preload(["trinch.service.serialize", "trinch.service.volume", "trinch.store.writer"])


class WorkerPool:
    """At most `processes` workers over the store in `data`, started when needed; at most `queue_size` tasks wait.

    Clients take turns (`fair_queue.py`); `reserve` more processes are never all given to one client. `nice` is added
    to the niceness of the processes. `cpu_seconds` is the limit of a task; without one a task is never stopped, not
    even when its client hangs up.
    """

    def __init__(
        self,
        data: Path,
        processes: int,
        queue_size: int,
        nice: int = 0,
        cpu_seconds: float | None = None,
        reserve: int = 0,
    ) -> None:
        self._data, self._nice, self._cpu_seconds = data, nice, cpu_seconds
        self._queue = FairQueue(processes + reserve, queue_size, reserve)
        self._threads = ThreadPoolExecutor(processes + reserve, "workers")
        self._idle: list[_Worker] = []
        self._active: set[_Worker] = set()
        self._closed = False
        self.busy = 0
        """Tasks running or waiting."""

    async def run(
        self, work: Callable[Concatenate[Store, P], Result], *args: P.args, **kwargs: P.kwargs
    ) -> Result:
        """`work(store, …)` in a worker; function, arguments and result must be picklable.

        Raises what `work` raises, and Problem 503 where too many tasks wait, where the task exceeds its CPU time, where
        its process dies again and again, or where the pool is closed.
        """
        task = pickle.dumps((work, args, kwargs))
        for _ in range(MAX_ATTEMPTS):
            try:
                result: Result = await self._attempt(task)
                return result
            except Rejected:
                raise _busy() from None
            except _WorkerDied as death:
                if death.exitcode in EXIT_CODES:
                    reason = f"this request took more than {self._cpu_seconds:g} s of processor time"
                    raise Problem(503, reason, code="over_budget") from None
        raise Problem(503, "the process at work on this ended twice; try again", code="overloaded", retry=1)

    async def stream(
        self, work: Callable[Concatenate[Store, P], Iterator[Result]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncIterator[Result]:
        """What the generator `work(store, …)` yields in a worker, as it comes. Raises as `run`; a process that dies is
        replaced only while nothing has come yet. Whoever stops reading ends the process, where the pool has a limit."""
        task = pickle.dumps((_Streamed(work), args, kwargs))
        loop, items = asyncio.get_running_loop(), asyncio.Queue[Any]()

        def put(item: Any) -> None:
            loop.call_soon_threadsafe(items.put_nowait, (item,))

        for attempt in range(1, MAX_ATTEMPTS + 1):
            ended = asyncio.ensure_future(self._attempt(task, put))
            ended.add_done_callback(lambda _: items.put_nowait(None))
            count = 0
            try:
                while (item := await items.get()) is not None:
                    count += 1
                    yield item[0]
                ended.result()
                return
            except Rejected:
                raise _busy() from None
            except _WorkerDied as death:
                if death.exitcode in EXIT_CODES:
                    reason = f"this request took more than {self._cpu_seconds:g} s of processor time"
                    raise Problem(503, reason, code="over_budget") from None
                if count or attempt == MAX_ATTEMPTS:
                    raise Problem(
                        503, "the process at work on this ended", code="overloaded", retry=1
                    ) from None
            finally:
                ended.cancel()

    async def _attempt(self, task: bytes, put: Callable[[Any], None] | None = None) -> Any:
        if self._closed:
            raise stopping()
        self.busy += 1
        client = CLIENT.get()
        try:
            await self._queue.acquire(client)
        except (asyncio.CancelledError, Rejected):
            self.busy -= 1
            raise
        loop = asyncio.get_running_loop()
        worker = self._idle.pop() if self._idle else _Worker()
        self._active.add(worker)
        reply = loop.run_in_executor(self._threads, self._exchange, worker, task, put)
        reply.add_done_callback(lambda done: self._release(worker, client, done))
        try:
            return await asyncio.shield(reply)
        except asyncio.CancelledError:
            if self._cpu_seconds is not None:
                loop.call_later(CANCEL_SECONDS, self._kill_unless_done, worker, reply)
            raise

    def _exchange(self, worker: "_Worker", task: bytes, put: Callable[[Any], None] | None) -> Any:
        """Send the task and wait for its result; runs in a thread, which does nothing else meanwhile. `put` gets what
        a generator yields before."""
        if worker.process is None:
            worker.start(self._data, self._nice, self._cpu_seconds)
        succeeded, value = worker.call(task, put)
        if not succeeded:
            raise value
        return value

    @staticmethod
    def _kill_unless_done(worker: "_Worker", reply: "asyncio.Future[Any]") -> None:
        if not reply.done():
            worker.kill()

    def _release(self, worker: "_Worker", client: str, reply: "asyncio.Future[Any]") -> None:
        if not reply.cancelled():
            reply.exception()  # seen, also where nobody waits for it any more
        self.busy -= 1
        self._active.discard(worker)
        try:
            if worker.alive and not self._closed:
                self._idle.append(worker)
            else:
                worker.close()
        finally:
            self._queue.release(client)

    def close(self) -> None:
        """Accept no more tasks. Idle workers end; so do those at work, unless the pool has no CPU limit."""
        self._closed = True
        for worker in self._idle:
            worker.close()
        self._idle = []
        if self._cpu_seconds is not None:
            for worker in self._active:
                worker.kill()
        self._threads.shutdown(wait=False, cancel_futures=True)


def _busy() -> Problem:
    return Problem(503, "busy: too many requests are waiting; try again", code="overloaded", retry=1)


class _WorkerDied(Exception):
    """The process of a worker ended before the result came."""

    def __init__(self, exitcode: int | None) -> None:
        super().__init__(exitcode)
        self.exitcode = exitcode


class _Worker:
    """One worker process, as the server sees it."""

    def __init__(self) -> None:
        self.process: multiprocessing.process.BaseProcess | None = None
        self.alive = False
        self._killed = False
        self._pipe: Connection | None = None

    def start(self, data: Path, nice: int, cpu_seconds: float | None) -> None:
        """Start the process. Raises _WorkerDied where it cannot be, as while the fork server restarts."""
        ours, theirs = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_serve, args=(theirs, data, nice, cpu_seconds), daemon=True)
        try:
            process.start()
        except (OSError, EOFError):
            ours.close()
            raise _WorkerDied(None) from None
        finally:
            theirs.close()
        self.process, self._pipe, self.alive = process, ours, True
        if self._killed:  # while it started
            self.kill()

    def call(self, task: bytes, put: Callable[[Any], None] | None) -> tuple[bool, Any]:
        """Whether the task succeeded, and its result or its exception. Raises _WorkerDied."""
        assert self._pipe is not None
        assert self.process is not None
        try:
            self._pipe.send_bytes(task)
            reply: tuple[bool | None, Any] = pickle.loads(self._pipe.recv_bytes())
            while reply[0] is None:  # something that a generator yields
                if put:
                    put(reply[1])
                reply = pickle.loads(self._pipe.recv_bytes())
        except (OSError, EOFError):
            self.alive = False
            self.process.join(1.0)
            raise _WorkerDied(self.process.exitcode) from None
        return bool(reply[0]), reply[1]

    def kill(self) -> None:
        """End the process at once; whoever waits for its reply gets _WorkerDied."""
        self.alive, self._killed = False, True
        if self.process is not None:
            with contextlib.suppress(OSError):  # ended already
                self.process.kill()

    def close(self) -> None:
        """Close the pipe, at which an idle process ends."""
        self.alive = False
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None


# --------------------------------------------------------------------------------------- in the worker process


class _Streamed:
    """A generator of results, run in a worker."""

    def __init__(self, work: Callable[..., Iterator[Any]]) -> None:
        self.work = work


def _serve(pipe: Connection, data: Path, nice: int, cpu_seconds: float | None) -> None:
    """Run tasks until the server closes the pipe or dies.

    Interrupts are the server's to handle. Its standard output may be a protocol (`trinch mcp`): what is printed here
    goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # standard error is closed
        os.dup2(2, 1)
    lower_priority(nice)
    threading.Thread(target=_exit_with_server, daemon=True).start()
    for task in _tasks(pipe):
        pipe.send_bytes(pickle.dumps(_run(data, task, cpu_seconds, pipe)))


def _tasks(pipe: Connection) -> Iterator[bytes]:
    """The tasks that come, until the server is gone; between them caches are emptied, so that no erased post stays
    in memory for longer than CACHE_SECONDS."""
    emptied = time.monotonic()
    while True:
        try:
            if time.monotonic() - emptied >= CACHE_SECONDS or not pipe.poll(CACHE_SECONDS):
                forget_texts()
                emptied = time.monotonic()
            task = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        yield task


def forget_texts() -> None:
    """Empty the caches of functions that may be keyed by what posts say: all of ours that have a large limit."""
    for one in gc.get_objects():
        if isinstance(one, functools._lru_cache_wrapper) and one.__module__.startswith("trinch."):
            limit = one.cache_parameters()["maxsize"]
            if limit is not None and limit >= LARGE_CACHE:
                one.cache_clear()


def _exit_with_server() -> None:
    server = multiprocessing.parent_process()
    assert server is not None
    server.join()
    os._exit(1)


@lru_cache(1)
def _store(data: Path) -> Store:
    return open_store(data)


def _run(data: Path, task: bytes, cpu_seconds: float | None, pipe: Connection) -> tuple[bool, Any]:
    """Run a task: whether it succeeded, and its result or its exception. Only the first opens the store and imports
    modules, so the limit does not cover that."""
    try:
        work, args, kwargs = pickle.loads(task)
        store = _store(data)
        with cpu_limit(cpu_seconds):
            if isinstance(work, _Streamed):
                for item in work.work(store, *args, **kwargs):
                    pipe.send_bytes(pickle.dumps((None, item)))
                return True, None
            result = work(store, *args, **kwargs)
        pickle.dumps(result)
        return True, result
    except Exception as error:
        return False, error if _is_picklable(error) else RuntimeError(f"{type(error).__name__}: {error}")


def _is_picklable(error: Exception) -> bool:
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True
