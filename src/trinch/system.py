"""What differs between operating systems: locks on files, priority, the sync of a folder, how processes start.

On Linux and macOS these are the system's own calls; for Windows each has its alternative here. docs/operations.md says
what has been run where.
"""

import multiprocessing
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

WINDOWS = sys.platform == "win32"


def lock(file: IO[Any], wait: bool = True) -> bool:
    """Lock an open file for this process alone until it is closed; False where another has it and we do not `wait`.

    flock(2); on Windows portalocker, over LockFile."""
    if WINDOWS:
        import portalocker

        flags = portalocker.LockFlags.EXCLUSIVE
        try:
            portalocker.lock(file, flags if wait else flags | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException:
            if wait:
                raise
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lower_priority(niceness: int) -> None:
    """Add to the niceness of this process. Windows has none: there it does nothing."""
    if hasattr(os, "nice"):
        os.nice(niceness)


def sync_folder(path: Path) -> None:
    """Make renames in a folder durable. Windows cannot open a folder, and its file system logs renames itself."""
    if not WINDOWS:
        folder = os.open(path, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def process_context() -> "ForkServerContext | SpawnContext":
    """How worker processes start: from a fork server where there is one, else by spawning."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("forkserver")
    return multiprocessing.get_context("spawn")


def raise_file_limit(wanted: int) -> int:
    """Raise the limit of open files of this process to `wanted`, as far as the system allows. Returns the limit, which
    is `wanted` where there is none, as on Windows."""
    try:
        import resource
    except ImportError:
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
