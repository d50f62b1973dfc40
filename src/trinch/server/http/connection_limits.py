"""The HTTP/1.1 protocol of one connection, with limits on time, memory and number, and strict parsing.

On top of uvicorn's protocol: a time limit for a whole request head, one for reading what was written, and a maximum
of open connections, beyond which the one that has been idle longest is closed. Requests that two parsers could read
differently (request smuggling) are refused: bare line feeds in the head, or both Content-Length and
Transfer-Encoding (RFC 9112, sections 2.2 and 6.1).
"""

import asyncio
import re
import socket
import struct
from typing import Any, ClassVar

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from trinch.server.http.errors import Problem

HEAD_SECONDS = 15.0
"""Time for a whole request head to arrive; also how long a connection may stay idle between two requests."""

WRITE_SECONDS = 20.0
"""How long a client may leave a full buffer (64 kB here, more in the kernel) unread."""

CONNECTIONS = 2000
"""Connections open at once."""

MAX_HEAD = 65_536
"""Bytes of a request head."""

_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")


class StrictConnection(h11.Connection):
    """h11's server side, without its leniency."""

    def __init__(self) -> None:
        super().__init__(h11.SERVER, MAX_HEAD)

    def next_event(self) -> Any:
        """As h11's. Raises h11.RemoteProtocolError also where the head is ambiguous."""
        if self.their_state is h11.IDLE:
            head, _, _ = self.trailing_data[0].partition(b"\r\n\r\n")
            if _BARE_LINE_FEED.search(head):
                raise h11.RemoteProtocolError("a line of the head ends without a carriage return")
        event = super().next_event()
        if isinstance(event, h11.Request):
            names = {name for name, _ in event.headers}
            if b"content-length" in names and b"transfer-encoding" in names:
                raise h11.RemoteProtocolError("both Content-Length and Transfer-Encoding")
        return event


class LimitedConnection(H11Protocol):
    """One connection."""

    max_open: ClassVar[int] = CONNECTIONS
    """Lower where the system allows fewer open files."""
    evicted: ClassVar[int] = 0
    """Connections closed by these limits since the start."""
    _open: ClassVar[int] = 0
    _idle: ClassVar[dict["LimitedConnection", None]] = {}  # the one idle longest first

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conn = StrictConnection()
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        LimitedConnection._open += 1
        self._start_head_timer()
        if len(self.connections) > LimitedConnection.max_open:
            next(iter(LimitedConnection._idle), self)._close_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        LimitedConnection._open -= 1
        self._stop_head_timer()
        self._stop_write_timer()
        super().connection_lost(exc)

    @classmethod
    def count(cls) -> int:
        """Connections open now."""
        return cls._open

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self._is_responding():
            self._stop_head_timer()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, is ambiguous, or has a head beyond 64 kB, and close the connection. What still
        arrives is dropped for a while: a reset would take the response away from the client."""
        self._refused = True
        if (
            self._is_responding()
        ):  # the bad bytes follow a request that is being served: its response is the last
            self.cycle.keep_alive = False
            return
        reason = "this is not HTTP, is ambiguous, or its head is longer than 64 kB"
        text = msgspec.json.encode(Problem(400, reason, code="bad_request").body)
        head = (
            f"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        )
        self.transport.write(head.encode() + b"Connection: close\r\n\r\n" + text)
        self.transport.write_eof()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._is_responding() and not self.transport.is_closing():
            self._start_head_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stop_write_timer()
        self._write_timer = self.loop.call_later(WRITE_SECONDS, self._reset)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_write_timer()

    def _is_responding(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start_head_timer(self) -> None:
        self._stop_head_timer()
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._close_idle)
        LimitedConnection._idle[self] = None

    def _stop_head_timer(self) -> None:
        LimitedConnection._idle.pop(self, None)
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_write_timer(self) -> None:
        if self._write_timer:
            self._write_timer.cancel()
            self._write_timer = None

    def _close_idle(self) -> None:
        """Close a connection on which no response is under way, so nothing waits to be written."""
        self._stop_head_timer()
        LimitedConnection.evicted += 1
        self.transport.close()

    def _reset(self) -> None:
        """Close at once and discard what is unread, in the kernel's buffer as well."""
        LimitedConnection.evicted += 1
        discard = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, discard)
        self.transport.abort()
