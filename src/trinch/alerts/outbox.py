"""What is to be delivered: for each alert and channel, which firings come next, and when.

One delivery of an alert and channel is open at a time; what fires meanwhile goes into the next. An open delivery is a
range of firings, stored before it is sent first. Its idempotency key follows from the range, so an attempt that is
repeated, after an error or after a crash, has the same key.
"""

import heapq
import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import NamedTuple

from trinch.alerts import database
from trinch.alerts.channels import Result
from trinch.alerts.schedule import due
from trinch.alerts.types import HOUR, Alert, Channel, Firing
from trinch.posts.times import now

MOST_FIRINGS, MOST_POSTS = 50, 100
"""Firings of one delivery, and posts that they name."""

FIRST_WAIT, LONGEST_WAIT = 5.0, 3600.0
"""Seconds before the second attempt, and the most before another; each wait is twice the one before."""

GIVE_UP = 24 * HOUR
"""After so long without success a delivery is given up."""

Line = tuple[str, Channel]
"""Id of an alert and a channel."""


class Delivery(NamedTuple):
    """Firings of an alert that are to be delivered together."""

    alert: str
    channel: Channel
    first: int
    last: int
    attempts: int
    opened: int

    @property
    def line(self) -> Line:
        return self.alert, self.channel

    @property
    def key(self) -> str:
        """The idempotency key."""
        return f"{self.alert}-{self.channel}-{self.first}-{self.last}"


class Outbox:
    """The deliveries of one store; used by one thread."""

    def __init__(self, db: sqlite3.Connection, alerts: Mapping[str, Alert]) -> None:
        self._db, self._alerts = db, alerts
        self._due: list[tuple[int, Line]] = []
        self._open: dict[Line, Delivery] = {}
        self._waiting: dict[Line, int] = {}
        """Lines with firings behind the last delivery -> number of the first of them."""
        self._known = self._resume()

    def _resume(self) -> int:
        """Take up what an earlier process left; the number of the last firing."""
        last = database.last_firing(self._db)
        through: dict[Line, int] = {}
        for id, channel, done, first, to, at, attempts, opened in self._db.execute(
            "SELECT alert, channel, through, first, last, due, attempts, opened FROM progress"
        ):
            through[id, channel] = done if first is None else to
            if first is not None:
                self._open[id, channel] = Delivery(id, channel, first, to, attempts, opened)
                heapq.heappush(self._due, (at, (id, channel)))
        for id, alert in list(self._alerts.items()):
            for channel in alert.channels:
                self._look(alert, channel, through.get((id, channel), 0))
        return last

    @property
    def pending(self) -> int:
        """Lines with something to deliver."""
        return len(self._open.keys() | self._waiting.keys())

    def notice(self) -> None:
        """Take note of what fired since the last call."""
        rows = self._db.execute("SELECT n, alert, at FROM firings WHERE n > ? ORDER BY n", (self._known,))
        for n, id, at in rows.fetchall():
            self._known = n
            alert = self._alerts.get(id)
            for channel in alert.channels if alert else ():
                if (id, channel) not in self._waiting:
                    self._wait(alert, channel, n, at)

    def _look(self, alert: Alert, channel: Channel, through: int) -> None:
        """Wait for the first firing behind a number, if there is one."""
        for n, firing in database.firings(self._db, [alert.id], after=through, limit=1):
            self._wait(alert, channel, n, firing.at)

    def _wait(self, alert: Alert | None, channel: Channel, n: int, at: int) -> None:
        if alert is None:
            return
        line = alert.id, channel
        self._waiting[line] = n
        if line not in self._open:
            heapq.heappush(self._due, (due(alert, at, self._sent(line)), line))

    def _sent(self, line: Line) -> list[int]:
        rows = self._db.execute(
            "SELECT at FROM sent WHERE alert = ? AND channel = ? AND at > ?", (*line, now() - HOUR)
        )
        return [row[0] for row in rows]

    def take(self, most: int) -> list[tuple[Delivery, Alert, list[tuple[int, Firing]]]]:
        """The deliveries that are due, at most so many; those that are new are stored as open."""
        taken: list[tuple[Delivery, Alert, list[tuple[int, Firing]]]] = []
        opened: list[Delivery] = []
        moment = now()
        while self._due and self._due[0][0] <= moment and len(taken) < most:
            _, line = heapq.heappop(self._due)
            alert = self._alerts.get(line[0])
            if alert is None:  # removed
                self._open.pop(line, None)
                self._waiting.pop(line, None)
                continue
            delivery = self._open.get(line)
            if delivery is None:
                first = self._waiting.pop(line, None)
                fired = _together(database.firings(self._db, [line[0]], (first or 1) - 1, limit=MOST_FIRINGS))
                if first is None or not fired:
                    continue
                delivery = Delivery(*line, fired[0][0], fired[-1][0], 0, moment)
                opened.append(delivery)
                self._open[line] = delivery
                self._after(alert, delivery)
            else:
                fired = database.firings(self._db, [line[0]], delivery.first - 1, delivery.last, MOST_FIRINGS)
            taken.append((delivery, alert, fired))
        if opened:
            self._store_open(opened)
        return taken

    def _after(self, alert: Alert, delivery: Delivery) -> None:
        """Note what comes behind a delivery that is open now."""
        for n, _ in database.firings(self._db, [alert.id], after=delivery.last, limit=1):
            self._waiting[delivery.line] = n

    def _store_open(self, opened: Iterable[Delivery]) -> None:
        with database.transaction(self._db):
            self._db.executemany(
                "INSERT INTO progress (alert, channel, through, first, last, due, opened) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (alert, channel) DO UPDATE SET"
                " first = excluded.first, last = excluded.last, due = excluded.due, attempts = 0, opened = excluded.opened",
                [(d.alert, d.channel, d.first - 1, d.first, d.last, d.opened, d.opened) for d in opened],
            )

    def settle(self, results: Iterable[tuple[Delivery, Result | None]]) -> None:
        """Store what became of attempts; None: nothing of it was visible any more."""
        counted: Counter[str] = Counter()
        with database.transaction(self._db):
            for delivery, result in results:
                kind = self._settle(delivery, result)
                counted[f"{delivery.channel} {kind}"] += 1
            database.count(self._db, counted)

    def _settle(self, delivery: Delivery, result: Result | None) -> str:
        """What became of one: `delivered`, `dropped`, `failed` (for good) or `retried`."""
        if result is not None and not result.delivered and not result.gone:
            attempts = delivery.attempts + 1
            wait = max(result.wait, min(FIRST_WAIT * 2 ** (attempts - 1), LONGEST_WAIT))
            at = now() + int(wait * 1e6)
            if at < delivery.opened + GIVE_UP:
                self._retry(delivery._replace(attempts=attempts), at, result.note)
                return "retried"
        kind = "dropped" if result is None else "delivered" if result.delivered else "failed"
        self._db.execute(
            "UPDATE progress SET through = last, first = NULL, last = NULL, due = NULL, error = ?"
            " WHERE alert = ? AND channel = ?",
            (result.note if kind == "failed" and result else None, *delivery.line),
        )
        if kind == "delivered":
            self._db.execute("INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", (*delivery.line, now()))
        self._open.pop(delivery.line, None)
        alert = self._alerts.get(delivery.alert)
        if alert and result is not None and result.gone:
            self._switch_off(delivery)
        elif alert:
            self._waiting.pop(delivery.line, None)
            self._look(alert, delivery.channel, delivery.last)
        return kind

    def _retry(self, delivery: Delivery, at: int, note: str) -> None:
        self._db.execute(
            "UPDATE progress SET attempts = ?, due = ?, error = ? WHERE alert = ? AND channel = ?",
            (delivery.attempts, at, note[:300], *delivery.line),
        )
        self._open[delivery.line] = delivery
        heapq.heappush(self._due, (at, delivery.line))

    def _switch_off(self, delivery: Delivery) -> None:
        """The receiver wants no more: the alert goes on without it."""
        database.switch_off(self._db, delivery.alert, delivery.channel)
        self._waiting.pop(delivery.line, None)


def _together(fired: list[tuple[int, Firing]]) -> list[tuple[int, Firing]]:
    """The first firings that name at most MOST_POSTS posts; one at least."""
    posts = list(accumulate(len(firing.posts) for _, firing in fired))
    return fired[: max(1, bisect_right(posts, MOST_POSTS))]
