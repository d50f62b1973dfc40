"""How a child process learns that its parent ended: its standard input closes."""

import os
import threading
from collections.abc import Callable


def on_parent_end(act: Callable[[], object]) -> None:
    """Call `act`, from a thread of its own, once standard input closes."""

    def wait() -> None:
        # Not sys.stdin: its lock, held by this thread, would abort an exit by an error.
        while os.read(0, 4096):
            pass
        act()

    threading.Thread(target=wait, daemon=True).start()
