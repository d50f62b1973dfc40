"""The process that matches and delivers alerts: `python -m trinch.service.alert_worker DIR`, a child of the server.

It ends when its standard input closes, that is with its parent. With `private` as a second argument, webhooks may go to
private addresses. Until the store has an alert it only looks for one, so that a server without alerts does not pay for
the imports.
"""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from trinch.store.parent import on_parent_end

LOOK = 0.25
"""Seconds between two looks for the first alert."""
WAIT = 5.0
"""Seconds between two attempts to be the process that runs the alerts of a store."""


async def work(data: Path, allow_private: bool) -> None:
    """Run the alerts until standard input closes; wait while another process runs them."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    on_parent_end(lambda: loop.call_soon_threadsafe(stop.set))
    while not (stop.is_set() or _has_alerts(data)):
        await asyncio.sleep(LOOK)
    while not stop.is_set():
        from trinch.alerts.engine import AlertsRunning
        from trinch.service.alerts import run_alerts

        try:
            await run_alerts(data, stop, allow_private)
        except AlertsRunning as error:
            print(error, flush=True)
            await asyncio.sleep(WAIT)


def _has_alerts(data: Path) -> bool:
    path = data / "alerts.db"
    if not path.exists():
        return False
    try:
        with closing(sqlite3.connect(path, timeout=5)) as db:
            return db.execute("SELECT 1 FROM alerts LIMIT 1").fetchone() is not None
    except sqlite3.OperationalError:  # being made
        return False


def main() -> None:
    """Run the process."""
    try:
        asyncio.run(work(Path(sys.argv[1]), sys.argv[2:] == ["private"]))
    except (OSError, ValueError, sqlite3.Error) as error:
        raise SystemExit(f"alerts cannot go on: {error}") from None


if __name__ == "__main__":
    main()
