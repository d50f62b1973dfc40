"""A request to stop, by SIGTERM, which schedulers send before they kill."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_on_sigterm() -> Iterator[Callable[[], bool]]:
    """Within, SIGTERM no longer ends the process; the function given returns True once it has come.

    For the command line: it replaces the process's signal handler, so it works in the main thread only.
    """
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        asked = True

    before = signal.signal(signal.SIGTERM, ask)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGTERM, before)
