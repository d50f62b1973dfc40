"""The page of `trinch demo`: a server over a store into which the sample is played, 30 hours in five minutes."""

import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from trinch.cli import console
from trinch.posts.schema import Event

MINUTES = 5.0
"""Time in which the sample is played, from shortly before its accident."""

QUIET_SECONDS = 10 * 60
"""Seconds of the sample before its accident that are played; what precedes them is ingested at once."""

TICK = 0.5
"""Seconds between two batches of events."""

ALERTS: tuple[dict[str, str], ...] = (
    {"name": "Port Esker: numbers", "topic": "Port Esker", "trigger": "number"},
    {"name": "Port Esker: denials", "topic": "Port Esker", "trigger": "denial"},
    {"name": "Port Esker: stories", "topic": "Port Esker", "trigger": "story", "window": "6h"},
)
"""The alerts that fire while the sample is played."""


def serve(minutes: float = MINUTES) -> int:
    """Serve the page over a temporary store and play the sample into it, until interrupted. Returns the exit status."""
    from trinch.server.http.access import access_rules
    from trinch.server.run import run
    from trinch.service.alert_session import Alerts
    from trinch.simulator.sample import BANG, ENDS, sample
    from trinch.store.store import Store

    events, starts = list(sample()), BANG - QUIET_SECONDS * 1_000_000
    with tempfile.TemporaryDirectory(prefix="trinch-demo-page-", ignore_cleanup_errors=True) as folder:
        store = Store.open(folder)
        store.ingest([event for event in events if event.at < starts])
        store.catch_up()
        for settings in ALERTS:
            Alerts(store).add(**settings)
        store.close()
        coming = [event for event in events if event.at >= starts]
        player = threading.Thread(target=play, args=(Path(folder), coming, minutes * 60), daemon=True)
        rules = access_rules("127.0.0.1", False)

        def started(address: str) -> None:
            console.out().print(
                f"\nPort Esker unfolds, {(ENDS - starts) / 3.6e9:.0f} hours in {minutes:g} minutes, at\n"
                f"[bold]{address}/?token={rules.token}[/]\n(stop with Ctrl-C)",
                soft_wrap=True,
            )
            player.start()

        return run(Path(folder), "127.0.0.1", 0, rules, [], started)


def play(data: Path, events: Iterable[Event], seconds: float) -> None:
    """Ingest events in the order of their times, at a pace at which they all come within so many seconds."""
    from trinch.store.store import Store

    store, started = Store.open(data), time.monotonic()
    for due, batch in batches(list(events), seconds):
        time.sleep(max(0.0, started + due - time.monotonic()))
        store.ingest(batch)
    store.close()


def batches(events: list[Event], seconds: float) -> Iterator[tuple[float, list[Event]]]:
    """The events that come together, and the second at which they do."""
    if not events:
        return
    first, span = events[0].at, max(events[-1].at - events[0].at, 1)
    for tick, batch in groupby(events, lambda event: int((event.at - first) / span * seconds / TICK)):
        yield tick * TICK, list(batch)
