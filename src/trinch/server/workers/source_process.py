"""The process of one live source: `python -m trinch.server.workers.source_process DIR`.

Reads the address of the source from the first line of standard input, since arguments show in process lists and an
address may hold credentials. Ingests until standard input closes; prints every change of its state.
"""

import asyncio
import os
import sys
import threading
from pathlib import Path

from trinch.service.listen import listen
from trinch.sources.registry import open_source
from trinch.store.writer import Totals


async def drink(data: Path, url: str) -> None:
    """Listen until the parent goes."""
    loop, stop, last = asyncio.get_running_loop(), asyncio.Event(), ""

    def wait_for_parent() -> None:
        while os.read(0, 4096):  # past Python's own buffer, whose lock a dying interpreter would trip over
            pass
        loop.call_soon_threadsafe(stop.set)

    def report(_: Totals, state: str) -> None:
        nonlocal last
        if state != last:
            print(state, flush=True)
            last = state

    threading.Thread(target=wait_for_parent, daemon=True).start()
    await listen(data, open_source(url), stop=stop, report=report)


if __name__ == "__main__":
    asyncio.run(drink(Path(sys.argv[1]), sys.argv[2]))
