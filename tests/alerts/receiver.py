"""A receiver of webhooks for tests, and a process that runs the alerts of a store."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from trinch.posts.schema import Created, Post
from trinch.posts.times import now
from trinch.store.store import Store


@dataclass
class Received:
    """One request."""

    id: str
    headers: dict[str, str]
    raw: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def body(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.raw)
        return read

    @property
    def keys(self) -> list[str]:
        """Keys of its posts."""
        return [post["key"] for firing in self.body["data"]["firings"] for post in firing["posts"]]


class Receiver:
    """An HTTP server on this machine that keeps what it receives. `answer` gives the status of each."""

    def __init__(
        self, answer: Callable[[Received], tuple[int, dict[str, str]]] = lambda _: (200, {})
    ) -> None:
        self.received: list[Received] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["content-length"])
                raw = self.rfile.read(length)
                if len(raw) < length:
                    return  # the sender was killed on the way
                one = Received(self.headers["webhook-id"], dict(self.headers.items()), raw)
                receiver.received.append(one)
                status, headers = answer(one)
                with contextlib.suppress(ConnectionError):  # the sender was killed meanwhile
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def keys(self) -> list[str]:
        """Keys of all posts, in the order of arrival."""
        return [key for one in list(self.received) for key in one.keys]


class Worker:
    """The process that runs the alerts of a store, until the end of a `with` block."""

    def __init__(self, data: Path, *arguments: str) -> None:
        self.command = [
            sys.executable,
            "-m",
            "trinch.service.alert_worker",
            str(data),
            *(arguments or ("private",)),
        ]

    def __enter__(self) -> "Worker":
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE)
        return self

    def kill(self) -> None:
        """As a power failure would."""
        self.process.kill()
        self.process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until a condition holds; a busy machine is given a minute."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not happen in time"
        time.sleep(0.02)


def created(id: str, text: str, **more: Any) -> Created:
    """A new post."""
    at = more.pop("at", now())
    post = Post(
        network="test", id=id, text=text, lang="en", created_at=at, **{"author": f"author{id}"} | more
    )
    return Created(at=at, network="test", post=post)


def ingest(store: Store, *events: Any) -> None:
    """Acknowledge events."""
    store.log.append(list(events))
