"""The log that events are appended to: the file of this machine, or the stream of a cluster where TRINCH_LOG names one.

Whoever writes goes through this interface alone. Readers differ: on one machine they share the file (`Log.read`); in a
cluster each node reads its partitions into a log of its own (`cluster/partition_source.py`), from which its index and
its searches work as on one machine.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from trinch.posts.schema import Event
from trinch.store import indexer
from trinch.store.database import DATABASE
from trinch.store.log import Appended, Log

VARIABLE = "TRINCH_LOG"


class EventLog(Protocol):
    """Where events become durable."""

    @property
    def last_seq(self) -> int:
        """Position that this machine's index must reach."""
        ...

    def append(self, events: Sequence[Event], cursors: Mapping[str, str] | None = None) -> Appended:
        """Make events durable, in order; on return they are acknowledged. Cursors never get ahead of their events."""
        ...

    def cursor(self, source: str) -> str | None:
        """How far a live source was read, durably."""
        ...

    def close(self) -> None: ...


def open_log(data: Path) -> EventLog:
    """The log to append to. Raises StoreError."""
    address = os.environ.get(VARIABLE)
    return _cluster_log(address, data) if address else Log(data / DATABASE)


@lru_cache(4)  # a connection is for the whole process
def _cluster_log(address: str, data: Path) -> EventLog:
    from trinch.store.cluster.nats_log import NatsLog

    return NatsLog(address, data)


def indexing(data: Path) -> "AbstractContextManager[subprocess.Popen[bytes] | None]":
    """The process that indexes what is appended, for the length of a `with` block; None where nodes do that."""
    return nullcontext() if os.environ.get(VARIABLE) else indexer.running(data)
