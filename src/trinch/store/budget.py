"""CPU budgets: how much processor time searches may use before they return what they have, marked partial."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Budget:
    """CPU time of this thread that one search, or several together, may use. Without a limit it only measures."""

    def __init__(self, milliseconds: float | None = None) -> None:
        self._seconds_left = math.inf if milliseconds is None else milliseconds / 1000
        self._end = math.inf
        self.is_used_up = False
        """A search ended early for this budget."""

    @contextmanager
    def measured(self) -> Iterator["Budget"]:
        """Count the CPU time of a `with` block against the budget."""
        self._end = time.thread_time() + self._seconds_left
        try:
            yield self
        finally:
            self._seconds_left = self._end - time.thread_time()

    @property
    def milliseconds_left(self) -> float | None:
        """What a `measured` block may still use; None is no limit."""
        left = self._end - time.thread_time()
        return None if math.isinf(left) else max(0.0, left * 1000)

    def spend(self, milliseconds: float) -> None:
        """Count CPU time that was used elsewhere, within a `measured` block."""
        self._end -= milliseconds / 1000

    def check(self) -> bool:
        """Whether the budget is used up; once it is, it stays so."""
        self.is_used_up = self.is_used_up or time.thread_time() >= self._end
        return self.is_used_up
