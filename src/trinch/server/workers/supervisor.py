"""Child processes of the server: the indexer, and one for each live source.

A child that fails is restarted after 0.5 s, doubling to 30 s. Each ends by itself when its standard input closes, so
none survives the server, however that dies.
"""

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass, field

STOP_SECONDS = 4.0
"""Time a process has to finish before it is killed, which loses nothing acknowledged."""


@dataclass(slots=True)
class Child:
    """A child process, `python -m MODULE ARGUMENTS`. The last line that it printed is its state."""

    name: str
    module: str
    arguments: list[str]
    secret: str = ""
    """A line for its standard input: what must not be in its arguments, which every user of the machine can read."""
    state: str = "starting"
    restarts: int = 0
    running: bool = False
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Keep it running until `stop`."""
        delay = 0.5
        while not self._stop.is_set():
            started = time.monotonic()
            status = await self._run_once()
            self.running = False
            if self._stop.is_set():
                break
            self.restarts += 1
            delay = 0.5 if time.monotonic() - started > 60 else min(30.0, delay * 2)
            self.state = f"ended with status {status}; again in {delay:.1f} s"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), delay)
        self.state = "stopped"

    def stop(self) -> None:
        """Ask it to finish; `run` returns when it has."""
        self._stop.set()

    async def _run_once(self) -> int:
        """Start the process and wait for its end; its exit status."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.module, *self.arguments, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        if self.secret:
            process.stdin.write(self.secret.encode() + b"\n")
        self.running, self.state = True, "running"
        reading = asyncio.create_task(self._read_state(process.stdout))
        ended, stopping = asyncio.create_task(process.wait()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        process.stdin.close()
        try:
            return await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            return await process.wait()
        finally:
            stopping.cancel()
            reading.cancel()

    async def _read_state(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            self.state = line.decode(errors="replace").strip()[:200]
