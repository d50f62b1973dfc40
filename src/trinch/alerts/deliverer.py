"""Deliver what is due: many receivers at once, each with bounds, so that none holds up the others."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from trinch.alerts import channels, database, mail, webhook
from trinch.alerts.notification import Numbered, ShowPost, as_text, notification
from trinch.alerts.outbox import Delivery, Outbox
from trinch.alerts.types import Alert
from trinch.store.store import Store

IN_FLIGHT = 256
"""Attempts under way at once, of all receivers."""
PER_RECEIVER = 4
"""Attempts under way at once to one host."""
SENDING_THREADS = 4
IDLE = 0.05
"""Seconds between two looks at what is due."""

Taken = tuple[Delivery, Alert, Numbered]


class Deliverer:
    """Delivers the alerts of one store until it is stopped. `alerts` may change meanwhile."""

    def __init__(self, data: Path, alerts: Mapping[str, Alert], show: ShowPost, allow_private: bool) -> None:
        self._data, self._alerts, self._show, self._allow_private = data, alerts, show, allow_private
        self._mail_server = mail.mail_server()
        self._lookups = ThreadPoolExecutor(1, "alerts-lookups")
        """Owns the store and the outbox: each belongs to one thread."""
        self._sending = ThreadPoolExecutor(SENDING_THREADS, "alerts-sending")
        self._all = asyncio.Semaphore(IN_FLIGHT)
        self._receivers: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(PER_RECEIVER)
        )
        self._settled: list[tuple[Delivery, channels.Result | None]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`; attempts under way then are given up, and repeated by the next process."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._lookups, self._open)
        while not stop.is_set():
            room = 4 * IN_FLIGHT - len(self._under_way)
            settled, self._settled = self._settled, []
            for taken in await loop.run_in_executor(self._lookups, self._round, settled, room):
                task = asyncio.create_task(self._deliver(*taken))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
            await asyncio.sleep(IDLE)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)
        await loop.run_in_executor(self._lookups, self._close)
        self._lookups.shutdown()
        self._sending.shutdown(wait=False, cancel_futures=True)

    def _open(self) -> None:
        self._store = Store.open(self._data)
        self._db: sqlite3.Connection = database.connect(self._data)
        self._outbox = Outbox(self._db, self._alerts)

    def _close(self) -> None:
        self._outbox.settle(self._settled)
        self._db.close()
        self._store.close()

    def _round(self, settled: list[tuple[Delivery, channels.Result | None]], room: int) -> list[Taken]:
        """Store what was settled; what is due now."""
        if settled:
            self._outbox.settle(settled)
        self._outbox.notice()
        return list(self._outbox.take(room))

    async def _deliver(self, delivery: Delivery, alert: Alert, fired: Numbered) -> None:
        """Make one attempt."""
        receiver = urlsplit(alert.webhook).netloc if delivery.channel == "webhook" else delivery.channel
        async with self._receivers[receiver], self._all:
            body = await asyncio.get_running_loop().run_in_executor(
                self._lookups, notification, self._store, alert, fired, self._show
            )
            result = await self._send(delivery, alert, body) if body else None
        self._settled.append((delivery, result))

    async def _send(self, delivery: Delivery, alert: Alert, body: dict[str, Any]) -> channels.Result:
        if delivery.channel == "webhook":
            raw = msgspec.json.encode(body)
            return await webhook.send(alert.webhook, alert.secret, delivery.key, raw, self._allow_private)
        work = asyncio.get_running_loop().run_in_executor
        if delivery.channel == "email":
            subject, text = as_text(body)
            return await work(
                self._sending, mail.send, self._mail_server, alert.email, delivery.key, subject, text
            )
        return await work(self._sending, channels.send, alert.channel, delivery.key, body)
