"""What all benchmarks share: the machine they ran on, rows of results, and running a command under watch.

Measures CPU time, memory and disk of other processes.
"""

import os
import platform
import resource
import sqlite3
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

PACKAGES = ("trinch", "tantivy", "msgspec", "numpy", "txtai")


@dataclass(frozen=True)
class Row:
    """One measured number: what, how much of which unit, and what a reader must know about it."""

    benchmark: str
    measure: str
    value: float
    unit: str
    note: str = ""


@dataclass(frozen=True)
class Options:
    """How a run was asked for."""

    posts: int
    seed: int
    work: Path
    peer_posts: int


@dataclass(frozen=True)
class Used:
    """What a command and all its children took."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds, user and system, all threads."""
    peak_rss: int
    """Bytes, the largest sum over the processes; pages that they share count in each."""
    output: str


def describe() -> dict[str, object]:
    """The machine and the versions, as facts to print above any number."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cpu": _cpu_name(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def run(command: Sequence[str]) -> Used:
    """Run a command to its end; RuntimeError with its words if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    peak = _Peak(process.pid)
    out, err = process.communicate()
    wall = time.perf_counter() - started
    peak.stop()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {err.strip()[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Used(wall, cpu, peak.bytes, out)


class _Peak(threading.Thread):
    """Looks at the memory of a process and its descendants 20 times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self._root = psutil.Process(pid)
        self._stopped = threading.Event()
        self.start()

    def run(self) -> None:
        while not self._stopped.wait(0.05):
            total = 0
            try:
                for process in (self._root, *self._root.children(recursive=True)):
                    total += process.memory_info().rss
            except psutil.Error:
                continue
            self.bytes = max(self.bytes, total)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def bytes_in(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def percentile(values: Sequence[float], share: float) -> float:
    """The value at or below which that share lies (nearest rank); 0 when there are none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]


def as_dicts(rows: Sequence[Row]) -> list[dict[str, object]]:
    return [asdict(row) for row in rows]
