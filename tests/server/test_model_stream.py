"""A generator in the worker pool: what it yields comes at once; whoever stops reading ends its process."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trinch.server.http.errors import Problem
from trinch.server.workers.worker_pool import WorkerPool
from trinch.store.store import Store


def slowly(_: Store, marker: str) -> Iterator[int]:
    for n in range(3):
        yield n
        time.sleep(0.3)
    Path(marker).write_text("to the end")


def failing(_: Store) -> Iterator[int]:
    yield 1
    raise ValueError("in the middle")


def dying(_: Store) -> Iterator[int]:
    import os

    yield 1
    os._exit(3)


def test_items_come_as_they_are_made(sample_data: Path, tmp_path: Path) -> None:
    async def run() -> list[float]:
        pool = WorkerPool(sample_data, 1, queue_size=5, cpu_seconds=10)
        try:
            came = []
            async for _ in pool.stream(slowly, str(tmp_path / "a")):
                came.append(time.monotonic())
            return came
        finally:
            pool.close()

    came = asyncio.run(run())
    assert len(came) == 3
    assert came[1] - came[0] > 0.15
    assert (tmp_path / "a").exists()


def test_who_stops_reading_ends_the_work(sample_data: Path, tmp_path: Path) -> None:
    async def run() -> int:
        pool = WorkerPool(sample_data, 1, queue_size=5, cpu_seconds=10)
        try:
            stream = pool.stream(slowly, str(tmp_path / "b"))
            first = await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]  # an asynchronous generator
            await asyncio.sleep(1.5)
            return first
        finally:
            pool.close()

    assert asyncio.run(run()) == 0
    assert not (tmp_path / "b").exists()


def test_failures_reach_the_reader_after_what_came(sample_data: Path) -> None:
    async def collect(pool: WorkerPool, work: Callable[[Store], Iterator[int]], into: list[int]) -> None:
        async for item in pool.stream(work):
            into.append(item)

    async def run() -> tuple[list[int], list[int]]:
        pool = WorkerPool(sample_data, 1, queue_size=5, cpu_seconds=10)
        before, dead = list[int](), list[int]()
        try:
            with pytest.raises(ValueError, match="in the middle"):
                await collect(pool, failing, before)
            with pytest.raises(Problem) as problem:
                await collect(pool, dying, dead)
            assert problem.value.status == 503
            return before, dead
        finally:
            pool.close()

    assert asyncio.run(run()) == ([1], [1])
