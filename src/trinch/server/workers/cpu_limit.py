"""A limit of processor time for the task of a worker process, at which the process ends.

Where there is setitimer(2) the kernel ends it, with SIGPROF: a signal handler would not do, since Python runs it only
when native code returns. Elsewhere (Windows) a thread does, which has to wait for native code that holds Python's lock.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_EXIT_CODE = 124
"""Of a process that the thread ended."""
EXIT_CODES = (_EXIT_CODE, -signal.SIGPROF) if hasattr(signal, "SIGPROF") else (_EXIT_CODE,)
"""Exit codes, as multiprocessing reports them, of a process that reached its limit."""

_LOOKS = 0.05
"""Seconds between two looks of the thread at the time used."""


@contextmanager
def by_kernel(seconds: float | None) -> Iterator[None]:
    """End this process after so many seconds of processor time in the `with` block; None: never."""
    signal.setitimer(signal.ITIMER_PROF, seconds or 0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def by_thread(seconds: float | None) -> Iterator[None]:
    """The same for systems without that timer."""
    if seconds is None:
        yield
        return
    over, limit = threading.Event(), time.process_time() + seconds

    def watch() -> None:
        while not over.wait(_LOOKS):
            if time.process_time() >= limit:
                os._exit(_EXIT_CODE)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


cpu_limit = by_kernel if hasattr(signal, "setitimer") else by_thread
