"""Runs a cluster on this machine: a real NATS server, nodes and coordinators, each in processes that can be killed."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.server.running import TOKEN
from trinch.store.cluster.coordinator import Cluster

MINUTE = 60.0


class Process:
    """A process of `trinch` that listens on a port, and can be killed and started again on the same one."""

    def __init__(self, folder: Path, name: str, *arguments: str, env: dict[str, str] | None = None) -> None:
        self._arguments, self._env = arguments, env or {}
        self._log = folder / f"{name}.log"
        self._port, self._begin, self.process = 0, 0, None

    process: subprocess.Popen[bytes] | None

    def start(self, wait: bool = True) -> None:
        with self._log.open("ab") as log:
            begin = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "trinch.cli.main", *self._arguments, "--port", str(self._port)],
                stdout=log,
                stderr=log,
                env=os.environ | {"COLUMNS": "200", "TRINCH_TOKEN": TOKEN} | self._env,
                start_new_session=True,
            )
        self._begin = begin
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it accepts connections."""
        eventually(self._has_started, self.output)

    def _has_started(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output()
        found = re.search(rb"http://\S+?:(\d+)", self._log.read_bytes()[self._begin :])
        if found:
            self._port = int(found[1])
        return bool(found)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """Kill it and all that it started, as a power failure would."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None


def node(folder: Path, name: str, partitions: str, log: str) -> Process:
    arguments = ["node", "--partitions", partitions, "--log", log, "--data", str(folder / name)]
    return Process(folder, name, *arguments)


def coordinator(folder: Path, nodes: Sequence[Process], log: str, *options: str) -> Process:
    """`trinch serve` over nodes."""
    addresses = [option for one in nodes for option in ("--nodes", one.url)]
    arguments = ["serve", "--no-listen", "--data", str(folder / "coordinator"), *addresses, *options]
    return Process(folder, "coordinator", *arguments, env={"TRINCH_LOG": log})


def open_cluster(folder: Path, nodes: Sequence[Process]) -> Cluster:
    """The nodes as one store, in this process; TRINCH_TOKEN must be set."""
    return Cluster(folder / "here", [one.url for one in nodes])


def eventually(
    holds: Callable[[], object], say: Callable[[], object] = lambda: "", seconds: float = MINUTE
) -> None:
    """Wait until something holds. Raises AssertionError, with what `say` returns, after `seconds`."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, say()
        time.sleep(0.05)
