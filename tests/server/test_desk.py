"""Work done in processes: bounded, replaced when they die, gone with the server."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from trinch.ocean.ocean import Ocean, timed_search
from trinch.ocean.query import QueryError
from trinch.server.desk import Desk
from trinch.server.errors import Problem


def _pid(_: Ocean) -> int:
    return os.getpid()


def _count(ocean: Ocean) -> int:
    return ocean.num_posts


def _wait_for(_: Ocean, path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def _die(_: Ocean) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def desk(sample_data: Path) -> Iterator[Desk]:
    desk = Desk(sample_data, 1, line=10)
    yield desk
    desk.close()


def test_too_much_work_is_refused_and_then_taken_again(desk: Desk, tmp_path: Path) -> None:
    async def run() -> None:
        held = tmp_path / "held"
        waiting = [asyncio.create_task(desk.run(_wait_for, held)) for _ in range(11)]
        await asyncio.sleep(0)
        with pytest.raises(Problem) as caught:
            await desk.run(_count)
        assert caught.value.status == 503
        await asyncio.sleep(0.5)  # until the first is at work
        waiting[0].cancel()  # who hangs up does not free the process
        await asyncio.sleep(0)
        assert desk.busy == 11
        held.touch()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert await desk.run(_count) > 2000

    asyncio.run(run())


def test_a_query_that_cannot_be_read_says_so_across_processes(desk: Desk) -> None:
    async def run() -> None:
        with pytest.raises(QueryError) as caught:
            await desk.run(timed_search, "since:never", 10, "latest", None)
        assert caught.value.position == len("since:")
        assert "since:never" in str(caught.value)
        assert await desk.run(_count) > 2000

    asyncio.run(run())


def test_a_process_that_dies_is_replaced_and_its_work_done_again(desk: Desk) -> None:
    async def run() -> None:
        first = await desk.run(_pid)
        os.kill(first, signal.SIGKILL)
        assert await desk.run(_pid) != first

    asyncio.run(run())


def test_work_that_kills_its_process_is_given_up(desk: Desk) -> None:
    async def run() -> None:
        with pytest.raises(Problem) as caught:
            await desk.run(_die)
        assert caught.value.status == 503
        assert await desk.run(_count) > 2000

    asyncio.run(run())


_SERVER = """
import asyncio, sys
from pathlib import Path
from tests.server.test_desk import _pid
from trinch.server.desk import Desk

async def run():
    desk = Desk(Path(sys.argv[1]), 1, 5)
    print(await desk.run(_pid), flush=True)
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
