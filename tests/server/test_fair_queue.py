"""Clients take turns for worker processes; a flood of one is its own loss."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from random import Random

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


def test_a_slot_given_back_as_the_next_client_gives_up_goes_to_the_one_after() -> None:
    async def test() -> None:
        queue, served = FairQueue(slots=1, queue_size=10), list[str]()
        _, second, _ = await waiting(queue, "ann", 3, served)
        second.cancel()  # it is the first of those waiting
        queue.release("ann")
        await asyncio.sleep(0)
        assert served == ["ann", "ann"]
        queue.release("ann")
        await asyncio.wait_for(queue.acquire("bob"), 1)

    run(test)


@pytest.mark.parametrize("seed", range(20))
def test_no_order_of_requests_and_cancellations_loses_a_slot(seed: int) -> None:
    random = Random(seed)

    async def test() -> None:
        queue = FairQueue(slots=3, queue_size=6, reserve=1)
        holding = list[str]()

        async def one(client: str) -> None:
            await queue.acquire(client)
            holding.append(client)

        tasks = list["asyncio.Task[None]"]()
        for _ in range(400):
            match random.randrange(4):
                case 0:
                    tasks.append(asyncio.create_task(one(random.choice("abc"))))
                case 1 if tasks:
                    random.choice(tasks).cancel()
                case 2 if holding:
                    queue.release(holding.pop(random.randrange(len(holding))))
                case 3:
                    await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, Rejected):  # nothing else may come
                await task
        for client in holding:
            queue.release(client)
        assert queue.num_waiting == 0
        for client in ("a", "b", "c"):
            await asyncio.wait_for(queue.acquire(client), 1)

    run(test)
