"""A real server in a process of its own, and stores for it to serve."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx

from trinch.simulator.sample import sample
from trinch.store.store import Store
from trinch.store.writer import Writer


def fill(data: Path) -> Path:
    """Our own sample, drunk and searchable."""
    data.mkdir(parents=True, exist_ok=True)
    writer = Writer(data)
    for event in sample():
        writer.take([event])
    writer.close()
    Store.open(data).catch_up()
    return data


class Running:
    """`trinch serve` over a folder, from being ready to the end of a `with` block."""

    def __init__(self, data: Path, *options: str, listening: bool = False) -> None:
        self.data, self.options = data, options if listening else ("--no-listen", *options)

    def __enter__(self) -> "Running":
        arguments = ["--data", str(self.data), "--port", "0", *self.options]
        self.log = (self.data.parent / f"{self.data.name}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trinch.cli.main", "serve", *arguments],
            stderr=self.log,
            stdout=self.log,
            env=os.environ | {"COLUMNS": "200"},
        )
        deadline = time.monotonic() + 30
        while not (found := re.search(r"http://\S+:\d+", self.said())):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)
        self.url = found.group().replace("0.0.0.0", "127.0.0.1")
        while httpx.get(f"{self.url}/readyz").status_code != 200:
            assert time.monotonic() < deadline, httpx.get(f"{self.url}/readyz").text
            time.sleep(0.05)
        return self

    def said(self) -> str:
        """What it has printed."""
        return Path(self.log.name).read_text()

    def kill(self) -> None:
        """As the power failing would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> tuple[int, float]:
        """Ask it to end; its exit status and the seconds that took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20), time.monotonic() - started

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        self.log.close()
