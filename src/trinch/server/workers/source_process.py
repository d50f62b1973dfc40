"""The process of one live source: `python -m trinch.server.workers.source_process DIR`.

Reads the address of the source from the first line of standard input, since arguments show in process lists and an
address may hold credentials. Ingests until standard input closes; prints every change of its state.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from trinch.service.listen import listen
from trinch.sources.address import redact, without_credentials
from trinch.sources.live import LiveSource
from trinch.sources.registry import open_source
from trinch.store.event_log import EventLog
from trinch.store.parent import on_parent_end
from trinch.store.writer import Totals


async def read_source(data: Path, source: LiveSource, address: str, log: EventLog | None = None) -> None:
    """Ingest until the parent process closes standard input; print every change of state, without credentials."""
    loop, stop, last = asyncio.get_running_loop(), asyncio.Event(), ""

    def report(_: Totals, state: str) -> None:
        nonlocal last
        if state != last:
            print(redact(state, address), flush=True)
            last = state

    on_parent_end(lambda: loop.call_soon_threadsafe(stop.set))
    await listen(data, source, stop=stop, report=report, log=log)


def read_line() -> str:
    """The first line of standard input, and not a byte more."""
    line = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return line.decode()


def run(address: str, what: str, reading: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `reading`; at an error end with a sentence about `what`, since a traceback could show the address."""
    try:
        asyncio.run(reading())
    except Exception as error:
        reason = redact(f"{type(error).__name__}: {error}", address)
        print(reason, flush=True)
        raise SystemExit(f"{what} failed: {reason}") from None


def main() -> None:
    address, data = read_line(), Path(sys.argv[1])
    what = f"source {without_credentials(address)}"
    run(address, what, lambda: read_source(data, open_source(address), address))


if __name__ == "__main__":
    main()
