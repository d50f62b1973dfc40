"""Clients take turns for worker processes; a flood of one is its own loss."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from trinch.server.workers.fair_queue import FairQueue, Rejected


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 5))  # type: ignore[arg-type]  # a coroutine


async def waiting(
    queue: FairQueue, client: str, number: int, served: list[str]
) -> list["asyncio.Task[None]"]:
    async def one() -> None:
        await queue.acquire(client)
        served.append(client)

    tasks = [asyncio.create_task(one()) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


def test_clients_take_turns() -> None:
    async def test() -> None:
        queue, served = FairQueue(slots=1, queue_size=100), list[str]()
        await waiting(queue, "flood", 50, served)
        await waiting(queue, "ann", 2, served)
        await waiting(queue, "bob", 1, served)
        for _ in range(6):
            queue.release(served[-1])
            await asyncio.sleep(0)
        assert served == ["flood", "flood", "ann", "bob", "flood", "ann", "flood"]

    run(test)


def test_one_client_never_has_all_slots_where_one_is_reserved() -> None:
    async def test() -> None:
        queue, served = FairQueue(slots=3, queue_size=100, reserve=1), list[str]()
        await waiting(queue, "flood", 50, served)
        assert served == ["flood", "flood"]
        await asyncio.wait_for(queue.acquire("ann"), 1)
        queue.release("ann")
        await asyncio.sleep(0)
        assert served == ["flood", "flood"], "the slot that ann gave back stays free for others"
        queue.release("flood")
        await asyncio.sleep(0)
        assert served == ["flood"] * 3

    run(test)


def test_a_full_queue_rejects_the_newest_of_whoever_has_most() -> None:
    async def test() -> None:
        queue, served = FairQueue(slots=1, queue_size=10), list[str]()
        flood = await waiting(queue, "flood", 13, served)
        assert [task.done() for task in flood] == [True] + [False] * 10 + [True] * 2
        assert all(isinstance(task.exception(), Rejected) for task in flood[11:])
        (ann,) = await waiting(queue, "ann", 1, served)
        await asyncio.sleep(0)
        assert not ann.done()
        assert isinstance(flood[10].exception(), Rejected)
        assert queue.num_waiting == 10
        queue.release("flood")
        await asyncio.sleep(0)
        queue.release("flood")
        await asyncio.sleep(0)
        assert served == ["flood", "flood", "ann"]
        for task in flood[1:10]:
            task.cancel()
        await asyncio.sleep(0)
        assert queue.num_waiting == 0

    run(test)


def test_who_gives_up_leaves_no_slot_taken() -> None:
    async def test() -> None:
        queue, served = FairQueue(slots=1, queue_size=10), list[str]()
        first, second = await waiting(queue, "ann", 2, served)
        queue.release("ann")  # the second's turn, in the instant in which it gives up
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await asyncio.wait_for(queue.acquire("bob"), 1)
        assert first.done()
        assert served == ["ann"]

    run(test)
