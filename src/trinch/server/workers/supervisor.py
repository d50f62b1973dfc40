"""Processes beside the server: the indexer, and one for each live source.

Owns starting them, starting them again when they fail (0.5 s, doubling to 30 s), and ending them. Each ends by itself
when its standard input closes, so none survives the server, however that dies. Knows nothing of what they do.
"""

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass, field

PATIENCE = 4.0
"""Seconds a process is given to finish; then it is killed, which loses nothing acknowledged."""


@dataclass(slots=True)
class Child:
    """A process of ours: `python -m MODULE ARGUMENTS`. What it prints, line by line, is its state."""

    name: str
    module: str
    arguments: list[str]
    state: str = "starting"
    restarts: int = 0
    running: bool = False
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Keep it running until `stop`."""
        delay = 0.5
        while not self._stop.is_set():
            started = time.monotonic()
            status = await self._once()
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

    async def _once(self) -> int:
        """One life of the process; its exit status."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.module, *self.arguments, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        self.running, self.state = True, "running"
        reading = asyncio.create_task(self._read(process.stdout))
        ended, stopping = asyncio.create_task(process.wait()), asyncio.create_task(self._stop.wait())
        await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
        process.stdin.close()
        try:
            return await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            process.kill()
            return await process.wait()
        finally:
            stopping.cancel()
            reading.cancel()

    async def _read(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            self.state = line.decode(errors="replace").strip()[:200]
