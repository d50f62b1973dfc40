"""Running the server: the socket, signals, a graceful end.

Owns the process. On SIGTERM or SIGINT no new connection is taken, endless streams end, what is being answered gets
four seconds, the processes beside end with it. Knows nothing of endpoints.
"""

import logging
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import uvicorn

from trinch.llm.interface import Setting
from trinch.server.app import build
from trinch.server.app_state import AppState
from trinch.server.http.connection_limits import CONNECTIONS, HEAD_SECONDS, LimitedConnection
from trinch.server.http.middleware import AccessRules
from trinch.service.listen import JETSTREAM
from trinch.store.store import Store

DRAIN_SECONDS = 4
"""Seconds that answers under way are given at the end."""

RESERVED_FILES = 150
"""Open files beside connections: pipes to other processes, logs, the store."""


class Server(uvicorn.Server):
    """uvicorn's server, which tells ours that it is ending, and everybody that it has begun."""

    def __init__(self, config: uvicorn.Config, state: AppState, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._state, self._tell = state, started

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._state.stopping.set()
        for child in self._state.children:
            child.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._tell()


def run(
    data: Path,
    host: str,
    port: int,
    rules: AccessRules,
    listen: list[str],
    tell: Callable[[str], None],
    language_model: Setting | None = None,
) -> int:
    """Serve until interrupted; the exit status. `tell` hears the address once it is open.

    OSError when the address cannot be had.
    """
    data.mkdir(parents=True, exist_ok=True)
    # A handler of our own, or `mcp` sets up one that opens files to say that no more can be opened, and ends us.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    LimitedConnection.most = min(CONNECTIONS, max(_raise_file_limit() - RESERVED_FILES, 1))
    opened = _open(host, port)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{opened.getsockname()[1]}"
    guard, state = build(data, rules, listen, language_model)
    config = uvicorn.Config(
        guard, http=LimitedConnection, ws="none", lifespan="on", log_level="error", access_log=False, proxy_headers=False,
        server_header=False, timeout_keep_alive=round(HEAD_SECONDS) * 2, timeout_graceful_shutdown=DRAIN_SECONDS,
    )  # fmt: skip
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(
            number, lambda *_: None
        )  # uvicorn raises a signal again once it has drained: we are done then
    server = Server(config, state, lambda: tell(address))
    server.run([opened])
    if any(pool.busy for pool in (state.search_pool, state.answer_pool, state.ingest_pool)):
        os._exit(
            0
        )  # nobody waits any more for what is still at work; what is half written was not acknowledged
    return 0 if server.started else 1


def _open(host: str, port: int) -> socket.socket:
    """The listening socket, so that what is wrong with the address is known before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio does not take it for such and leaves Nagle's algorithm on: 40 ms on every answer.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
        opened.listen(1024)
    except OSError:
        opened.close()
        raise
    return opened


def _raise_file_limit() -> int:
    """As many open files as connections need, where the system allows; how many it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + RESERVED_FILES
    if soft == resource.RLIM_INFINITY:
        return wanted
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def saved_sources(data: Path) -> list[str]:
    """What to drink when nothing is said: the live sources this store has drunk from; Bluesky for a new store."""
    if not (data / "ocean.db").exists():
        return [JETSTREAM]
    store = Store.open(data)
    sources = [
        name.removeprefix("jetstream:") for name in store.log.cursors() if name.startswith("jetstream:")
    ]
    fresh = not sources and store.log.last_seq == 0
    store.log.close()
    return [JETSTREAM] if fresh else [f"wss://{source}" for source in sources]
