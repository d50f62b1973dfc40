"""Prefetch: the next step's batch is read, and pinned for a GPU, by a thread while a step runs."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from trinch.training.data import IGNORE, Batch

StepBatch = tuple[Tensor, Tensor, int]
"""(inputs, targets, number of targets) of this process, pinned where there is a GPU."""


class PrefetchedBatches:
    """Batches of consecutive steps from `read(step)`. Use as a context manager."""

    def __init__(self, read: Callable[[int], Batch], last: int, pin: bool) -> None:
        """`last`: the step after which none is read."""
        self._read, self._last, self._pin = read, last, pin
        self._thread = ThreadPoolExecutor(1, "trinch-batches")
        self._next: tuple[int, Future[StepBatch]] | None = None

    def __enter__(self) -> "PrefetchedBatches":
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def take(self, step: int, fresh: bool = False) -> StepBatch:
        """The step's batch; `fresh` discards what was read ahead: the data have changed since."""
        if self._next is None or self._next[0] != step or fresh:
            self.discard()
            return self._load(step)
        (_, ahead), self._next = self._next, None
        return ahead.result()

    def discard(self) -> None:
        """Forget what was read ahead, once its read is over."""
        ahead, self._next = self._next, None
        if ahead is not None:
            ahead[1].exception()

    def begin(self, step: int) -> None:
        """Start to read that step's batch."""
        if step <= self._last:
            self._next = step, self._thread.submit(self._load, step)

    def _load(self, step: int) -> StepBatch:
        inputs, targets = (torch.from_numpy(np.ascontiguousarray(rows)) for rows in self._read(step))
        count = int((targets != IGNORE).sum())
        return (inputs.pin_memory(), targets.pin_memory(), count) if self._pin else (inputs, targets, count)
