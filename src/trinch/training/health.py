"""Health of a run: hanging steps, slow processes, and updates that would do harm."""

import faulthandler
import math
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

REMEMBERED = 64
"""Gradient norms that a spike is compared with."""
FEWEST = 16
"""Norms that must be known before any counts as a spike."""
MOST_SKIPPED = 10
"""Steps skipped in a row after which a run has diverged."""
SLOW = 1.5
"""A process is reported as slow from this multiple of the median time on."""


class HangWatch:
    """Ends a process, with the stacks of all threads on standard error, when a step takes too long, so that the launcher
    can restart the run from its last checkpoint."""

    def __init__(self, seconds: float) -> None:
        """`seconds` a step may take; 0: as long as it likes."""
        self._seconds, self._shortened = seconds, False

    def alive(self) -> None:
        """The process has made progress. Called once a step; the time starts with the first call."""
        if not self._seconds:
            return
        faulthandler.dump_traceback_later(self._seconds, exit=True, file=sys.__stderr__ or sys.stderr)
        if not self._shortened:
            self._shortened = True
            _shorten_timeouts(timedelta(seconds=self._seconds))

    def close(self) -> None:
        """Stop watching."""
        if self._seconds:
            faulthandler.cancel_dump_traceback_later()


@contextmanager
def hang_watch(seconds: float) -> Iterator[HangWatch]:
    """A HangWatch that is closed at the end, however it comes."""
    watch = HangWatch(seconds)
    try:
        yield watch
    finally:
        watch.close()


def _shorten_timeouts(timeout: timedelta) -> None:
    """The same limit for the messages of every group, once the first step (allocation, compilation, connection) is over;
    as torchtitan does."""
    if dist.is_initialized():
        for group in dist.distributed_c10d._world.pg_map:
            dist.distributed_c10d._set_pg_timeout(timeout, group)


class UpdateGuard:
    """Decides by the gradient norm whether a step's update is made. A pure function of the norms so far."""

    def __init__(self, spike: float, norms: Iterable[float] = ()) -> None:
        """`spike`: multiple of the median of recent norms above which an update is left out; 0: none. `norms`: recent
        ones, of the run that is resumed."""
        self._spike, self._skipped = spike, 0
        self._norms = deque(norms, REMEMBERED)

    @property
    def norms(self) -> list[float]:
        """Recent norms of updates that were made."""
        return list(self._norms)

    def accepts(self, norm: float) -> bool:
        """Whether to update with a gradient of this norm. Raises RuntimeError when the run has diverged."""
        spike = (
            self._spike and len(self._norms) >= FEWEST and norm > self._spike * statistics.median(self._norms)
        )
        if math.isfinite(norm) and not spike:
            self._skipped = 0
            self._norms.append(norm)
            return True
        self._skipped += 1
        if self._skipped > MOST_SKIPPED:
            raise RuntimeError(
                f"{self._skipped} updates in a row had gradients that are not finite or far too large (the last norm is "
                f"{norm:.3g}): the run has diverged. Resume from an earlier checkpoint with a lower optimizer.lr."
            )
        return False


class SpeedProbe:
    """Times a matrix product now and then, to find processes whose device is slower than the others'."""

    def __init__(self, device: torch.device) -> None:
        self._x = torch.ones((4096, 4096) if device.type == "cuda" else (192, 192), device=device)
        self._events: list[torch.cuda.Event] = []
        self._seconds = 0.0

    def measure(self) -> float:
        """Seconds of a product: on a GPU of the one that the last call began, so that the host does not wait; 0 at first."""
        if self._x.device.type != "cuda":
            times = []
            for _ in range(3):
                begin = time.thread_time()
                torch.mm(self._x, self._x)
                times.append(time.thread_time() - begin)
            return min(times)
        if self._events and self._events[1].query():  # type: ignore[no-untyped-call]  # torch's
            self._seconds = self._events[0].elapsed_time(self._events[1]) / 1000
        self._events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]  # type: ignore[no-untyped-call]
        self._events[0].record()
        torch.mm(self._x, self._x)
        self._events[1].record()
        return self._seconds


def slowest(seconds: Sequence[float]) -> tuple[int, float]:
    """(process, its time as a multiple of the median process's) of the slowest process."""
    rank = max(range(len(seconds)), key=seconds.__getitem__)
    middle = statistics.median(seconds)
    return rank, seconds[rank] / middle if middle else 1.0
