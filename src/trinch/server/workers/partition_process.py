"""The process that reads the partitions of a node: `python -m trinch.server.workers.partition_process DIR`.

Reads the address of the NATS server from the first line of standard input, since it may hold credentials. Applies events
until standard input closes; prints every change of its state.
"""

import asyncio
import sys
from pathlib import Path

from trinch.server.workers.source_process import read_line
from trinch.service.listen import listen
from trinch.sources.address import redact
from trinch.store.cluster.partition_source import PartitionSource
from trinch.store.cluster.partitions import held
from trinch.store.database import DATABASE
from trinch.store.log import Log
from trinch.store.parent import on_parent_end
from trinch.store.writer import Totals


async def run_partitions(data: Path, address: str) -> None:
    """Apply events to the node's own log until the parent process closes standard input."""
    loop, stop, last = asyncio.get_running_loop(), asyncio.Event(), ""

    def report(_: Totals, state: str) -> None:
        nonlocal last
        if state != last:
            print(redact(state, address), flush=True)
            last = state

    on_parent_end(lambda: loop.call_soon_threadsafe(stop.set))
    source = PartitionSource(address, held(data))
    await listen(data, source, stop=stop, report=report, log=Log(data / DATABASE))


def main() -> None:
    address = read_line()
    try:
        asyncio.run(run_partitions(Path(sys.argv[1]), address))
    except Exception as error:  # its traceback could show the address
        reason = redact(f"{type(error).__name__}: {error}", address)
        print(reason, flush=True)
        raise SystemExit(f"reading the log of the cluster failed: {reason}") from None


if __name__ == "__main__":
    main()
