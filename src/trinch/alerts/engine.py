"""Everything that alerts need while they run: the consumer of the log, the clock, and the deliveries.

One process per store runs them at a time, which a lock on a file ensures.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from trinch.alerts import database
from trinch.alerts.clock import FindStories
from trinch.alerts.consumer import Consumer
from trinch.alerts.deliverer import Deliverer
from trinch.alerts.notification import ShowPost
from trinch.errors import TrinchError
from trinch.store.store import Store
from trinch.system import lock

LOCK = "alerts.lock"
"""File inside the folder of the store."""

IDLE = 0.03
"""Seconds between two looks at a quiet log."""
TICK = 2.0
"""Seconds between two looks at the triggers that do not follow from one post, where none waits."""


class AlertsRunning(TrinchError, RuntimeError):
    """Another process runs the alerts of this store."""


@contextmanager
def exclusively(data: Path) -> Iterator[None]:
    """Hold the lock of a store's alerts. Raises AlertsRunning where another process holds it."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / LOCK).open("w") as file:
        if not lock(file, wait=False):
            raise AlertsRunning(f"another process, such as `trinch serve`, runs the alerts of {data}")
        yield


async def run(
    data: Path, show: ShowPost, find: FindStories, stop: asyncio.Event, allow_private: bool = False
) -> None:
    """Match, fire and deliver until `stop`. Raises AlertsRunning, and what ends one of the parts."""
    loop, ended = asyncio.get_running_loop(), threading.Event()
    with (
        exclusively(data),
        ThreadPoolExecutor(1, "alerts-log") as log,
        ThreadPoolExecutor(1, "alerts-clock") as timer,
    ):
        ready: Future[Consumer] = Future()
        consuming = loop.run_in_executor(log, _consume, data, ready, ended)
        parts: list[asyncio.Future[None]] = [consuming]
        try:
            while not (ready.done() or consuming.done()):
                await asyncio.sleep(IDLE)
            if ready.done():
                consumer = ready.result()
                parts.append(loop.run_in_executor(timer, _watch_clock, data, consumer, find, ended))
                deliverer = Deliverer(data, consumer.alerts, show, allow_private)
                parts.append(asyncio.ensure_future(deliverer.run(stop)))
                await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)  # the last ends with `stop`
        finally:
            stop.set()
            ended.set()
        await asyncio.gather(*parts)


def _consume(data: Path, ready: "Future[Consumer]", ended: threading.Event) -> None:
    store, db = Store.open(data), database.connect(data)
    try:
        consumer = Consumer(store, db)
        ready.set_result(consumer)
        while not ended.is_set():
            if not consumer.step():
                ended.wait(IDLE)
    finally:
        db.close()
        store.close()


def _watch_clock(data: Path, consumer: Consumer, find: FindStories, ended: threading.Event) -> None:
    store = Store.open(data)
    try:
        while not ended.is_set():
            started = time.monotonic()
            busy = consumer.tick(store, find)
            ended.wait(time.monotonic() - started if busy else TICK)  # at most half of one processor
    finally:
        store.close()
