"""Run asynchronous work that SIGINT or SIGTERM asks to stop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_until_interrupted(work: Callable[[asyncio.Event], Coroutine[Any, Any, Result]]) -> Result:
    """The result of `work(stop)`, whose event `stop` is set by SIGINT and SIGTERM."""

    async def run() -> Result:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
        return await work(stop)

    return asyncio.run(run())
