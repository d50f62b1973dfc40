"""Run the server: its socket, signals, and graceful shutdown.

On SIGTERM or SIGINT it accepts no new connection, ends endless streams, gives responses under way four seconds, and
stops its child processes.
"""

import errno
import logging
import os
import signal
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

import uvicorn

from trinch.llm.interface import NO_MODELS, NamedModel, Setting
from trinch.server.app import build
from trinch.server.app_state import AppState
from trinch.server.http.access import AccessRules
from trinch.server.http.connection_limits import CONNECTIONS, HEAD_SECONDS, LimitedConnection
from trinch.service.alerts import DEFAULT_RULES, AlertRules
from trinch.sources.jetstream_client import JETSTREAM
from trinch.sources.registry import open_source
from trinch.store.store import Store
from trinch.system import WINDOWS, raise_file_limit

DRAIN_SECONDS = 4
"""Time that responses under way have at shutdown."""

RESERVED_FILES = 150
"""Open files besides connections: pipes to other processes, logs, the store."""


class Server(uvicorn.Server):
    """uvicorn's server, with a callback once it accepts connections, and the shutdown of our streams and children."""

    def __init__(self, config: uvicorn.Config, state: AppState, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._state, self._on_started = state, started

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._state.stopping.set()
        for child in self._state.children:
            child.stop()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started()


def run(
    data: Path,
    host: str,
    port: int,
    rules: AccessRules,
    listen: list[str],
    on_started: Callable[[str], None],
    language_model: Setting | None = None,
    unix_socket: Path | None = None,
    tokens_per_day: int = 0,
    alert_rules: AlertRules = DEFAULT_RULES,
    node_log: str = "",
    named_models: Mapping[str, NamedModel] = NO_MODELS,
) -> int:
    """Serve until interrupted; returns the exit status. `on_started` gets the address once it accepts connections.

    `tokens_per_day` is how much each key may have the language model write in a day; 0 is no limit. `alert_rules` says
    where webhooks may go, and how many alerts a key may have. `named_models` are those that a request can choose.
    With `node_log`, the address of a NATS server, it is a node of a cluster that reads the partitions it holds.
    Listens on the Unix socket `unix_socket` instead of `host` and `port` if given. Raises OSError when the address is
    not available.
    """
    data.mkdir(parents=True, exist_ok=True)
    # Without a handler of our own, `mcp` installs one that opens files, and fails when no more can be opened.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    LimitedConnection.max_open = min(
        CONNECTIONS, max(raise_file_limit(CONNECTIONS + RESERVED_FILES) - RESERVED_FILES, 1)
    )
    if unix_socket:
        opened, address = _bind_unix(unix_socket), f"unix:{unix_socket}"
    else:
        opened = _bind(host, port)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{opened.getsockname()[1]}"
    app, state = build(
        data, rules, listen, language_model, tokens_per_day, alert_rules, node_log, named_models
    )
    config = uvicorn.Config(
        app, http=LimitedConnection, ws="none", lifespan="on", log_level="error", access_log=False, proxy_headers=False,
        server_header=False, timeout_keep_alive=round(HEAD_SECONDS) * 2, timeout_graceful_shutdown=DRAIN_SECONDS,
    )  # fmt: skip
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises a signal again once it has shut down: then there is nothing left to do.
        signal.signal(number, lambda *_: None)
    server = Server(config, state, lambda: on_started(address))
    server.run([opened])
    if unix_socket:
        unix_socket.unlink(missing_ok=True)
    if any(pool.busy for pool in (state.search_pool, state.answer_pool, state.ingest_pool)):
        os._exit(0)  # no client waits for the tasks still running; what is half written was not acknowledged
    return 0 if server.started else 1


def _bind(host: str, port: int) -> socket.socket:
    """The listening socket, opened first, so that a wrong address fails before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named: otherwise asyncio leaves Nagle's algorithm on, which adds 40 ms to each response.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if not WINDOWS:  # there it would let two servers take one port
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
        opened.listen(1024)
    except OSError:
        opened.close()
        raise
    return opened


def _bind_unix(path: Path) -> socket.socket:
    """The listening Unix socket, which only this user may connect to. Replaces one that nobody listens on."""
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, "this system has no Unix sockets: use --host and --port")
    opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if path.is_socket():
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
                if probe.connect_ex(str(path)) == 0:
                    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            path.unlink()
        before = os.umask(0o177)
        try:
            opened.bind(str(path))
        finally:
            os.umask(before)
        opened.listen(1024)
    except OSError:
        opened.close()
        raise
    return opened


def saved_sources(data: Path) -> list[str]:
    """The sources to use without --listen: those the store has ingested from; Bluesky for a new store."""
    if not (data / "ocean.db").exists():
        return [JETSTREAM]
    store = Store.open(data)
    sources = list(filter(None, map(_source_of, store.log.cursors())))
    fresh = not sources and store.log.last_seq == 0
    store.log.close()
    return [JETSTREAM] if fresh else sources


def _source_of(name: str) -> str:
    """The source that a stored cursor belongs to; empty where it cannot be opened, as without its token."""
    text = name.replace("jetstream:", "wss://", 1) if name.startswith("jetstream:") else name
    try:
        open_source(text)
    except ValueError:
        return ""
    return text
