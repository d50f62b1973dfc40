"""Work done in processes: bounded, replaced when they die, gone with the server."""

import asyncio
import gc
import hashlib
import multiprocessing
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import msgspec
import psutil
import pytest

from trinch.answers.quantities import figures
from trinch.llm.interface import LLMError
from trinch.posts.schema import Malformed
from trinch.server.http.errors import Problem
from trinch.server.workers import worker_pool
from trinch.server.workers.worker_pool import WorkerPool
from trinch.service.ingest import Stopped
from trinch.service.search import search
from trinch.store import query_eval
from trinch.store.indexer import IndexerStopped
from trinch.store.query import QueryError
from trinch.store.store import Store
from trinch.store.writer import Totals


def _pid(_: Store) -> int:
    return os.getpid()


def _count(store: Store) -> int:
    return store.num_posts


def _wait_for(_: Store, path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


class _Stubborn(Exception):
    """Cannot be made again from its text."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def _fail(_: Store) -> None:
    raise _Stubborn("no ", "good")


def _refuse(_: Store) -> None:
    raise Problem(418, "tea", param="pot", code="teapot", retry=3)


def _die(_: Store) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def pool(sample_data: Path) -> Iterator[WorkerPool]:
    pool = WorkerPool(sample_data, 1, queue_size=10)
    yield pool
    pool.close()


def test_too_much_work_is_refused_and_then_taken_again(pool: WorkerPool, tmp_path: Path) -> None:
    async def run() -> None:
        held = tmp_path / "held"
        waiting = [asyncio.create_task(pool.run(_wait_for, held)) for _ in range(11)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as caught:
            await pool.run(_count)
        assert caught.value.status == 503
        await asyncio.sleep(0.5)  # until the first is at work
        waiting[0].cancel()  # who hangs up does not free the process
        await asyncio.sleep(0)
        assert pool.busy == 11
        held.touch()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert await pool.run(_count) > 2000

    asyncio.run(run())


def test_a_query_that_cannot_be_read_says_so_across_processes(pool: WorkerPool) -> None:
    async def run() -> None:
        with pytest.raises(QueryError) as caught:
            await pool.run(search, "since:never", limit=10, sort="latest")
        assert caught.value.position == len("since:")
        assert "since:never" in str(caught.value)
        assert await pool.run(_count) > 2000

    asyncio.run(run())


def test_a_process_that_dies_is_replaced_and_its_work_done_again(pool: WorkerPool) -> None:
    async def run() -> None:
        first = await pool.run(_pid)
        os.kill(first, signal.SIGKILL)
        assert await pool.run(_pid) != first

    asyncio.run(run())


def test_work_that_kills_its_process_is_given_up(pool: WorkerPool) -> None:
    async def run() -> None:
        with pytest.raises(Problem) as caught:
            await pool.run(_die)
        assert caught.value.status == 503
        assert await pool.run(_count) > 2000

    asyncio.run(run())


def test_a_process_that_dies_takes_nobody_with_it_who_waits(pool: WorkerPool, tmp_path: Path) -> None:
    """Also where somebody else in the line has hung up, over which the pools of Python 3.11 stumble."""

    async def run() -> None:
        first = await pool.run(_pid)
        waiting = [asyncio.create_task(pool.run(_wait_for, tmp_path / "held")) for _ in range(10)]
        await asyncio.sleep(0.3)  # until the first is at work
        for gone in waiting[1::2]:
            gone.cancel()
        await asyncio.sleep(0)
        os.kill(first, signal.SIGKILL)
        (tmp_path / "held").touch()
        await asyncio.wait_for(asyncio.gather(*waiting[::2]), 20)
        assert await pool.run(_pid) != first
        assert pool.busy == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    "error",
    [
        Problem(404, "no such thing", param="id", code="not_found", retry=2),
        QueryError("never closed", "(a", 0),
        LLMError("timeout", "too slow"),
        Malformed("line 3: no text"),
        Stopped("interrupted", Totals(read=7)),
        IndexerStopped("the indexer ended"),
        sqlite3.OperationalError("database is locked"),
        msgspec.ValidationError("Expected `int`"),
        OSError("cannot open x"),
        FileNotFoundError(2, "No such file", "x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_are_the_same_in_another_process(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_an_error_ends_its_own_work_only(pool: WorkerPool) -> None:
    async def run() -> None:
        first = await pool.run(_pid)
        with pytest.raises(RuntimeError, match="_Stubborn: no good"):
            await pool.run(_fail)
        with pytest.raises(Problem) as caught:
            await pool.run(_refuse)
        assert caught.value.body["error"]["code"] == "teapot"
        assert await pool.run(_pid) == first

    asyncio.run(run())


def _print(_: Store) -> None:
    os.write(1, b"from the other process\n")


_TALKER = """
import asyncio, sys
from pathlib import Path
from tests.server.test_worker_pool import _print
from trinch.server.workers import worker_pool
from trinch.server.workers.worker_pool import WorkerPool

if __name__ == "__main__":
    asyncio.run(WorkerPool(Path(sys.argv[1]), 1, 5).run(_print))
"""


def _burn(_: Store) -> None:
    hashlib.pbkdf2_hmac(
        "sha256", b"x", b"y", 10**9
    )  # minutes in native code, where no Python signal handler runs


def test_a_task_beyond_its_cpu_time_is_ended_and_others_go_on(sample_data: Path) -> None:
    async def run() -> None:
        pool = WorkerPool(sample_data, 1, queue_size=10, cpu_seconds=0.3)
        first = await pool.run(_pid)
        with pytest.raises(Problem) as caught:
            await asyncio.wait_for(pool.run(_burn), 60)
        assert (caught.value.status, caught.value.code) == (503, "over_budget")
        assert await pool.run(_pid) != first
        for _ in range(3):  # the limit is one of each task, not of the process
            assert await pool.run(_count) > 2000
        pool.close()

    asyncio.run(run())


def test_a_task_whose_client_hung_up_is_ended(sample_data: Path) -> None:
    async def run() -> None:
        pool = WorkerPool(sample_data, 1, queue_size=10, cpu_seconds=600)
        first = await pool.run(_pid)
        hung_up = asyncio.create_task(pool.run(_burn))
        await asyncio.sleep(0.3)
        hung_up.cancel()
        assert await asyncio.wait_for(pool.run(_pid), 30) != first
        assert pool.busy == 0
        pool.close()

    asyncio.run(run())


@pytest.mark.parametrize("seconds", [0.0, 0.02, 3.0])
def test_a_pool_that_closes_ends_its_tasks_whatever_they_do(seconds: float, sample_data: Path) -> None:
    """While its process starts, and while it works: no client gets anything but 503, and nothing is left to complain of."""

    async def close_soon() -> list[dict[str, object]]:
        complaints: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        pool = WorkerPool(sample_data, 2, 4, cpu_seconds=30)
        waiting = asyncio.create_task(pool.run(_wait_for, sample_data / "never"))
        left = asyncio.create_task(pool.run(_wait_for, sample_data / "never"))
        await asyncio.sleep(seconds)
        left.cancel()
        await asyncio.sleep(0)
        pool.close()
        with pytest.raises(Problem) as raised:
            await asyncio.wait_for(waiting, 20)
        assert (raised.value.status, raised.value.code) == (503, "stopping")
        while pool.busy:
            await asyncio.sleep(0.01)
        del left
        gc.collect()
        await asyncio.sleep(0)
        return complaints

    assert asyncio.run(close_soon()) == []


def test_a_killed_fork_server_is_started_again(sample_data: Path) -> None:
    async def run() -> None:
        pool = WorkerPool(sample_data, 1, queue_size=10)
        worker = await pool.run(_pid)
        os.kill(forkserver._forkserver._forkserver_pid, signal.SIGKILL)
        os.kill(worker, signal.SIGKILL)
        for _ in range(20):
            try:
                assert await pool.run(_pid) != worker
                break
            except Problem as problem:  # until the death of the fork server has been noticed
                assert problem.status == 503
                await asyncio.sleep(0.1)
        assert await pool.run(_count) > 2000
        pool.close()

    asyncio.run(run())


def test_what_is_printed_at_work_is_no_part_of_a_conversation(sample_data: Path, tmp_path: Path) -> None:
    script = tmp_path / "talker.py"
    script.write_text(_TALKER)
    path = os.pathsep.join(path for path in [os.getcwd(), *sys.path] if path)
    said = subprocess.run(
        [sys.executable, str(script), str(sample_data)],
        capture_output=True,
        env=os.environ | {"PYTHONPATH": path},
        timeout=60,
    )
    assert (said.returncode, said.stdout) == (0, b"")
    assert b"from the other process" in said.stderr


_SERVER = """
import asyncio, sys
from pathlib import Path
from tests.server.test_worker_pool import _pid
from trinch.server.workers import worker_pool
from trinch.server.workers.worker_pool import WorkerPool

async def run():
    pool = WorkerPool(Path(sys.argv[1]), 1, 5)
    print(await pool.run(_pid), flush=True)
    sys.stdin.read()

if __name__ == "__main__":
    asyncio.run(run())
"""


def test_no_process_outlives_a_killed_server(sample_data: Path, tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text(_SERVER)
    server = subprocess.Popen(
        [sys.executable, str(script), str(sample_data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in [os.getcwd(), *sys.path] if path)},
    )
    assert server.stdout is not None
    worker = psutil.Process(int(server.stdout.readline()))
    beside = psutil.Process(server.pid).children(recursive=True)
    assert worker in beside
    server.kill()
    server.wait()
    _, alive = psutil.wait_procs(beside, timeout=5)
    assert alive == []


def test_a_worker_forgets_what_posts_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "CACHE_SECONDS", 0.05)
    ours, theirs = multiprocessing.Pipe()
    query_eval._terms("a secret text", "en")
    figures("4 dead in a secret place")
    assert query_eval._terms.cache_info().currsize > 0
    assert figures.cache_info().currsize > 0
    tasks = threading.Thread(target=lambda: [theirs.send_bytes(task) for task in worker_pool._tasks(theirs)])
    tasks.start()
    deadline = time.monotonic() + 30
    while query_eval._terms.cache_info().currsize or figures.cache_info().currsize:  # while it is idle
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for _ in range(3):
        query_eval._terms("a secret text", "en")
        time.sleep(0.06)
        ours.send_bytes(b"task")
        assert ours.recv_bytes() == b"task"
    ours.send_bytes(b"task")
    assert ours.recv_bytes() == b"task"
    ours.close()
    tasks.join(timeout=10)
    assert query_eval._terms.cache_info().currsize <= 1, "and while it is at work"


def test_workers_that_are_spawned_do_the_same(sample_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, which has no fork server and no timer that ends a process."""
    monkeypatch.setattr(worker_pool, "_CONTEXT", multiprocessing.get_context("spawn"))

    async def work() -> tuple[int, int]:
        pool = WorkerPool(sample_data, 1, queue_size=10, cpu_seconds=600)
        try:
            return await pool.run(_count), await pool.run(_pid)
        finally:
            pool.close()

    count, pid = asyncio.run(work())
    assert count > 1000
    assert pid != os.getpid()
