"""The process that reads the partitions of a node: `python -m trinch.server.workers.partition_process DIR`.

Reads the address of the NATS server from the first line of standard input, since it may hold credentials. Applies events
until standard input closes; prints every change of its state.
"""

import sys
from pathlib import Path

from trinch.server.workers.source_process import read_line, read_source, run
from trinch.store.cluster.partition_source import PartitionSource
from trinch.store.cluster.partitions import held
from trinch.store.database import DATABASE
from trinch.store.log import Log


async def read_partitions(data: Path, address: str) -> None:
    """Apply events to the node's own log until the parent process closes standard input."""
    await read_source(data, PartitionSource(address, held(data)), address, Log(data / DATABASE))


def main() -> None:
    address, data = read_line(), Path(sys.argv[1])
    run(address, "reading the log of the cluster", lambda: read_partitions(data, address))


if __name__ == "__main__":
    main()
