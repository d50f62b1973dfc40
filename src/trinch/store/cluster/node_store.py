"""The store of a node: which partitions it may serve, and what happens to a folder that was copied from another node."""

from collections.abc import Collection
from pathlib import Path

from trinch.posts.schema import Created, Edited
from trinch.store.cluster.partitions import PartitionError, held, hold, partition_of, written
from trinch.store.database import DATABASE
from trinch.store.log import Log


def prepare(data: Path, partitions: Collection[int]) -> int:
    """Make a folder the store of a node with these partitions. Returns how many posts of other partitions were removed.

    A new folder reads the stream from its beginning. A folder with more partitions, such as a copy of another node's,
    loses the posts of those that are not wanted. Raises PartitionError for one that lacks some, and StoreError."""
    data.mkdir(parents=True, exist_ok=True)
    before = held(data)
    log = Log(data / DATABASE)
    try:
        if not before and log.last_seq:
            raise PartitionError(
                f"{data} holds a store that is no node's: begin with an empty folder, and ingest its posts with TRINCH_LOG set"
            )
        if before and (lacking := set(partitions) - before):
            raise PartitionError(
                f"{data} holds the partitions {written(before)}, not {written(lacking)}: those lie in the folder of the node"
                " that serves them. Copy that folder, or begin with an empty one, which reads the whole stream"
            )
        removed = _remove_others(log, partitions) if before - set(partitions) else 0
        hold(data, partitions)
    finally:
        log.close()
    return removed


def _remove_others(log: Log, partitions: Collection[int]) -> int:
    """Remove the posts of all other partitions from the log; its index follows as after a removal by retention."""
    position, removed = 0, 0
    while entries := list(log.read(position)):
        unwanted = [
            entry.seq
            for entry in entries
            if isinstance(entry.event, Created | Edited) and partition_of(entry.event) not in partitions
        ]
        removed += log.drop(unwanted) if unwanted else 0
        position = entries[-1].seq
    return removed
