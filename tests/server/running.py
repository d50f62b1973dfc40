"""Runs a real server in its own process, and fills stores for it to serve."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from trinch.simulator.sample import sample
from trinch.store.store import Store
from trinch.store.writer import Writer


def fill(data: Path) -> Path:
    """Ingest the sample; returns when it is searchable."""
    data.mkdir(parents=True, exist_ok=True)
    writer = Writer(data)
    for event in sample():
        writer.take([event])
    writer.close()
    Store.open(data).catch_up()
    return data


TOKEN = "token-of-the-tests-0123456789"
"""The start-up token of every server here."""

AUTH = {"Authorization": f"Bearer {TOKEN}"}


class Running:
    """`trinch serve` over a folder, from ready to the end of a `with` block."""

    def __init__(
        self, data: Path, *options: str, listening: bool = False, env: dict[str, str] | None = None
    ) -> None:
        self.data, self.options = data, options if listening else ("--no-listen", *options)
        self.env = env or {}

    def __enter__(self) -> "Running":
        arguments = ["--data", str(self.data), "--port", "0", *self.options]
        self.log = (self.data.parent / f"{self.data.name}.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trinch.cli.main", "serve", *arguments],
            stderr=self.log,
            stdout=self.log,
            env=os.environ | {"COLUMNS": "200", "TRINCH_TOKEN": TOKEN} | self.env,
        )
        deadline = time.monotonic() + 120  # a busy machine
        while not (found := re.search(r"http://\S+:\d+", self.output())):
            assert self.process.poll() is None, self.output()
            assert time.monotonic() < deadline, self.output()
            time.sleep(0.05)
        self.url = found.group().replace("0.0.0.0", "127.0.0.1")
        while httpx.get(f"{self.url}/readyz").status_code != 200:
            assert time.monotonic() < deadline, httpx.get(f"{self.url}/readyz").text
            time.sleep(0.05)
        return self

    def client(self, **options: Any) -> httpx.Client:
        """A client that sends the start-up token."""
        return httpx.Client(base_url=self.url, headers=AUTH, **{"timeout": 30} | options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self._send("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self._send("POST", path, **options)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = AUTH | options.pop("headers", {})
        return httpx.request(method, self.url + path, headers=headers, **{"timeout": 30} | options)

    def stream(self, path: str, timeout: float = 30) -> contextlib.AbstractContextManager[httpx.Response]:
        """A GET whose body is read while it comes."""
        return httpx.stream("GET", self.url + path, headers=AUTH, timeout=timeout)

    def output(self) -> str:
        """What it has printed."""
        return Path(self.log.name).read_text()

    def kill(self) -> None:
        """Kill it as a power failure would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> tuple[int, float]:
        """Stop it; its exit status and the seconds that took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20), time.monotonic() - started

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        self.log.close()
