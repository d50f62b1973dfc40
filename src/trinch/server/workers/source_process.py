"""The process of one live source: `python -m trinch.server.workers.source_process DIR`.

Reads the address of the source from the first line of standard input, since arguments show in process lists and an
address may hold credentials. Ingests until standard input closes; prints every change of its state.
"""

import asyncio
import os
import sys
from pathlib import Path

from trinch.service.listen import listen
from trinch.sources.address import redact, without_credentials
from trinch.sources.registry import open_source
from trinch.store.parent import on_parent_end
from trinch.store.writer import Totals


async def run_source(data: Path, address: str) -> None:
    """Ingest until the parent process closes standard input."""
    loop, stop, last = asyncio.get_running_loop(), asyncio.Event(), ""

    def report(_: Totals, state: str) -> None:
        nonlocal last
        if state != last:
            print(redact(state, address), flush=True)
            last = state

    on_parent_end(lambda: loop.call_soon_threadsafe(stop.set))
    await listen(data, open_source(address), stop=stop, report=report)


def read_line() -> str:
    """The first line of standard input, and not a byte more."""
    line = b""
    while (byte := os.read(0, 1)) not in (b"", b"\n"):
        line += byte
    return line.decode()


def main() -> None:
    address = read_line()
    try:
        asyncio.run(run_source(Path(sys.argv[1]), address))
    except Exception as error:  # its traceback could show the address
        reason = redact(f"{type(error).__name__}: {error}", address)
        print(reason, flush=True)
        raise SystemExit(f"source {without_credentials(address)} failed: {reason}") from None


if __name__ == "__main__":
    main()
