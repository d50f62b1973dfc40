"""The process that matches and delivers alerts: `python -m trinch.service.alert_worker DIR`, a child of the server.

It ends when its standard input closes, that is with its parent. With `private` as a second argument, webhooks may go to
private addresses.
"""

import asyncio
import sqlite3
import sys
from pathlib import Path

from trinch.alerts.engine import AlertsRunning
from trinch.service.alerts import run_alerts
from trinch.store.parent import on_parent_end

WAIT = 5.0
"""Seconds between two attempts to be the process that runs the alerts of a store."""


async def work(data: Path, allow_private: bool) -> None:
    """Run the alerts until standard input closes; wait while another process runs them."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    on_parent_end(lambda: loop.call_soon_threadsafe(stop.set))
    while not stop.is_set():
        try:
            await run_alerts(data, stop, allow_private)
        except AlertsRunning as error:
            print(error, flush=True)
            await asyncio.sleep(WAIT)


def main() -> None:
    """Run the process."""
    try:
        asyncio.run(work(Path(sys.argv[1]), sys.argv[2:] == ["private"]))
    except (OSError, ValueError, sqlite3.Error) as error:
        raise SystemExit(f"alerts cannot go on: {error}") from None


if __name__ == "__main__":
    main()
