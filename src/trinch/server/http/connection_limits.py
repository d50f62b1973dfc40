"""Connections with bounds: nobody holds the server by being slow, silent or many.

Owns the protocol of a connection on top of uvicorn's: a time to say the whole head of a request, a time to take what
was written, and a number of connections, beyond which the one that has been silent longest is closed. Knows nothing
of requests.
"""

import asyncio
import socket
import struct
from typing import Any, ClassVar

import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from trinch.server.http.errors import Problem

HEAD_SECONDS = 15.0
"""How long a connection may take until a whole request head is in; also how long it may stay idle between two."""

WRITE_SECONDS = 20.0
"""How long a reader may leave a full buffer (64 kB here, more in the kernel) unread."""

CONNECTIONS = 2000
"""Connections open at once."""


class Bounded(H11Protocol):
    """One connection."""

    most: ClassVar[int] = CONNECTIONS
    """Fewer where the system allows fewer open files."""
    evicted: ClassVar[int] = 0
    _open: ClassVar[int] = 0
    _silent: ClassVar[dict["Bounded", None]] = {}  # in the order in which they fell silent

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head: asyncio.TimerHandle | None = None
        self._write: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        Bounded._open += 1
        self._wait_for_head()
        if len(self.connections) > Bounded.most:
            next(iter(Bounded._silent), self)._silence()

    def connection_lost(self, exc: Exception | None) -> None:
        Bounded._open -= 1
        self._heard()
        self._written()
        super().connection_lost(exc)

    @classmethod
    def count(cls) -> int:
        """Connections open now."""
        return cls._open

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self._answering():
            self._heard()

    def send_400_response(self, msg: str) -> None:
        """Not HTTP, or a head beyond 64 kB. What still comes is dropped for a while rather than answered with a
        reset, which would take our answer away from the client."""
        self._refused = True
        if self._answering():  # what came behind a request that is being answered: that answer is the last
            self.cycle.keep_alive = False
            return
        body = Problem(400, "this is not HTTP, or its head is longer than 64 kB", code="bad_request").body
        text = msgspec.json.encode(body)
        head = (
            f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        )
        self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + text)
        self.transport.write_eof()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._answering() and not self.transport.is_closing():
            self._wait_for_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._written()
        self._write = self.loop.call_later(WRITE_SECONDS, self._evict)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._written()

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait_for_head(self) -> None:
        self._heard()
        self._head = self.loop.call_later(HEAD_SECONDS, self._silence)
        Bounded._silent[self] = None

    def _heard(self) -> None:
        Bounded._silent.pop(self, None)
        if self._head:
            self._head.cancel()
            self._head = None

    def _written(self) -> None:
        if self._write:
            self._write.cancel()
            self._write = None

    def _silence(self) -> None:
        """Nothing is being answered, so nothing waits to be written."""
        self._heard()
        Bounded.evicted += 1
        self.transport.close()

    def _evict(self) -> None:
        """What is unread is thrown away, in the kernel as well."""
        Bounded.evicted += 1
        at_once = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        self.transport.abort()
