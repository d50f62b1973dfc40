"""Alerts for every interface: add, list, show, test and remove, as the JSON of docs/api.md."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trinch.alerts import channels, database, engine, mail, webhook
from trinch.alerts.consumer import Consumer
from trinch.alerts.notification import as_text, firing_json
from trinch.alerts.types import Alert, AlertSettings, checked
from trinch.posts.times import iso, now
from trinch.service.limits import search_budget
from trinch.service.serialize import post_json
from trinch.service.stories import stories_json
from trinch.store.query import joined
from trinch.store.store import Store

PER_OWNER = 100
"""Alerts that one API key may have."""


class AlertRules(NamedTuple):
    """How a server was started, as far as it is about alerts."""

    allow_private: bool = False
    """Whether webhooks may go to private addresses."""
    per_key: int = PER_OWNER
    """Alerts that one API key may have."""


DEFAULT_RULES = AlertRules()

SHOWN = 20
"""Firings of an alert that are shown."""

TESTED_FOR = 24 * 3600
"""Seconds whose posts a test of an alert counts."""


@contextmanager
def _opened(data: Path) -> Iterator[sqlite3.Connection]:
    db = database.connect(data)
    try:
        yield db
    finally:
        db.close()


def add_alert(
    store: Store, given: AlertSettings, owner: str = "", most: int = database.MOST_ALERTS
) -> dict[str, Any]:
    """Save an alert for posts that are acknowledged from now on. The answer alone holds the secret of its webhooks.

    `owner` is the id of the API key that asks, `most` the alerts it may have. Raises AlertError."""
    settings = checked(given)
    with _opened(store.data) as db:
        alert = database.add(db, settings, owner=owner, after=store.log.last_seq, most=most)
        return alert_json(alert) | ({"secret": alert.secret} if alert.webhook else {})


def list_alerts(store: Store, owner: str | None = None) -> dict[str, Any]:
    """The alerts of an owner (None: all), the oldest first."""
    with _opened(store.data) as db:
        return {"alerts": [alert_json(alert) for alert in database.alerts(db, owner)]}


def show_alert(store: Store, id: str, owner: str | None = None, limit: int = SHOWN) -> dict[str, Any] | None:
    """One alert with its last firings, the newest first, and the state of its deliveries; None where there is none."""
    with _opened(store.data) as db:
        alert = _owned(db, id, owner)
        if alert is None:
            return None
        fired = database.newest_firings(db, id, limit)
        shown = [firing_json(store, alert, n, firing, post_json) for n, firing in fired]
        return alert_json(alert) | {
            "firings": [one for one in shown if one],
            "deliveries": database.delivery_states(db, id),
        }


def remove_alert(data: Path, id: str, owner: str | None = None) -> bool:
    """Remove an alert and all that is known of it; False where there is none."""
    with _opened(data) as db:
        return _owned(db, id, owner) is not None and database.remove(db, [id]) == 1


def remove_alerts_of(data: Path, owner: str) -> int:
    """Remove all alerts of an API key that is revoked; how many there were."""
    if not (data / database.FILE).exists():
        return 0
    with _opened(data) as db:
        return database.remove(db, [alert.id for alert in database.alerts(db, owner)])


def preview_alert(store: Store, id: str, owner: str | None = None) -> dict[str, Any] | None:
    """What an alert matched in the last day, with the newest posts; None where there is no such alert."""
    with _opened(store.data) as db:
        alert = _owned(db, id, owner)
    if alert is None:
        return None
    query = joined(alert.query, f"within_time:{TESTED_FOR}s")
    with store.within(search_budget(1000)) as budget:
        hits = store.search(query, limit=1000, sort="latest")
    return {
        "alert": id,
        "query": alert.query,
        "posts": len(hits),
        "exact": not budget.is_used_up and len(hits) < 1000,
        "newest": [post_json(hit) for hit in hits[:3]],
    }


async def send_test(data: Path, id: str, owner: str | None, allow_private: bool) -> list[dict[str, Any]]:
    """Deliver a test notification of an alert now, by each of its channels; what became of each."""
    with _opened(data) as db:
        alert = _owned(db, id, owner)
    if alert is None:
        return []
    body = _test_body(alert)
    key = f"{alert.id}-test-{time.time_ns()}"
    results: list[dict[str, Any]] = []
    for channel in alert.channels:
        if channel == "webhook":
            raw = msgspec.json.encode(body)
            result = await webhook.send(alert.webhook, alert.secret, key, raw, allow_private)
        elif channel == "email":
            subject, text = as_text(body)
            work = partial(mail.send, mail.mail_server(), alert.email, key, subject, text)
            result = await asyncio.to_thread(work)
        else:
            result = await asyncio.to_thread(channels.send, alert.channel, key, body)
        results.append({"channel": channel, "delivered": result.delivered, "note": result.note})
    return results


def _test_body(alert: Alert) -> dict[str, Any]:
    at = iso(now())
    firing = {
        "n": 0, "alert": alert.id, "name": alert.name, "trigger": alert.trigger, "at": at, "summary": "a test", "count": 0,
        "facts": {}, "posts": [],
    }  # fmt: skip
    about = {"id": alert.id, "name": alert.name, "query": alert.query, "trigger": alert.trigger}
    return {"type": "alert.test", "timestamp": at, "data": {"alert": about, "firings": [firing]}}


def newest_firing(store: Store) -> int:
    """The number of the newest firing."""
    with _opened(store.data) as db:
        return database.last_firing(db)


def firings_after(
    store: Store, after: int, owner: str | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """The firings behind a number, of the alerts of an owner (None: all), oldest first; a firing without a visible post
    holds its number only."""
    with _opened(store.data) as db:
        alerts = {alert.id: alert for alert in database.alerts(db, owner)}
        fired = database.firings_of(db, after, limit)
    return [
        (alerts.get(firing.alert) and firing_json(store, alerts[firing.alert], n, firing, post_json))
        or {"n": n}
        for n, firing in fired
    ]


def alert_counts(data: Path) -> dict[str, int]:
    """Counters of alerts for metrics; empty where there never was an alert."""
    if not (data / database.FILE).exists():
        return {}
    with _opened(data) as db:
        saved = db.execute("SELECT count(*) FROM alerts").fetchone()[0]
        pending = db.execute("SELECT count(*) FROM progress WHERE first IS NOT NULL").fetchone()[0]
        position = int(database.meta(db, "position") or 0)
        return database.counters(db) | {"saved": saved, "pending": pending, "position": position}


@contextmanager
def firing_watch(data: Path) -> Iterator[Callable[[], int]]:
    """A function that gives the number of the newest firing, in microseconds of time."""
    with _opened(data) as db:
        yield lambda: database.last_firing(db)


def match_now(store: Store) -> None:
    """Match all that is acknowledged against the alerts, and store what fires; nothing is delivered. Triggers that need
    the clock are not looked at. Raises AlertsRunning where another process runs the alerts."""
    with engine.exclusively(store.data), _opened(store.data) as db:
        consumer = Consumer(store, db)
        while consumer.step():
            pass


async def run_for(data: Path, seconds: float | None, allow_private: bool = False) -> None:
    """`run_alerts` for some time; None: until cancelled."""
    stop = asyncio.Event()
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, stop.set)
    await run_alerts(data, stop, allow_private)


async def run_alerts(data: Path, stop: asyncio.Event, allow_private: bool = False) -> None:
    """Match and deliver until `stop`. Raises AlertsRunning where another process does so for this store."""
    await engine.run(data, post_json, _find_stories, stop, allow_private)


def _find_stories(store: Store, as_of: int, window: str, about: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stories_json(store, as_of, window, STORIES, about)["stories"]
    return found


STORIES = 20
"""Stories that an alert looks at."""


def alert_json(alert: Alert) -> dict[str, Any]:
    """An alert without the secret of its webhooks."""
    shown = msgspec.structs.asdict(alert) | {"created": iso(alert.created)}
    del shown["secret"], shown["after"]
    return shown


def _owned(db: sqlite3.Connection, id: str, owner: str | None) -> Alert | None:
    alert = database.alert(db, id)
    return alert if alert and owner in (None, alert.owner) else None
