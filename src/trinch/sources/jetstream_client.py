"""Live client of Bluesky's Jetstream over WebSocket, v1 and v2.

A v1 cursor is a time and the stream is only roughly ordered, so a reconnect asks for `REWIND` more than was
missed; the store ignores duplicates. Frames stay JSON text: compression is not asked for.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from trinch.posts import jetstream
from trinch.posts.schema import Malformed
from trinch.posts.wire import UNREADABLE
from trinch.sources.address import without_credentials
from trinch.sources.live import Disconnected, Item

JETSTREAM = "wss://jetstream2.us-east.bsky.network/subscribe"
"""A public instance; docs/sources.md lists more."""

REWIND = 5_000_000
"""Microseconds."""

MAX_FRAME = 4_000_000
"""Bytes of one frame; a larger one closes the connection."""


class Jetstream:
    """A Jetstream instance at a `ws://` or `wss://` address. A path under `/xrpc/` speaks v2."""

    def __init__(self, url: str = JETSTREAM) -> None:
        if urlsplit(url).scheme not in ("ws", "wss"):
            raise ValueError(f"{url} is no WebSocket address; write wss://…")
        self.url = url
        self.name = source_name(url)

    @asynccontextmanager
    async def connect(self, cursor: str | None) -> AsyncIterator[AsyncIterator[Item]]:
        """One connection, behind `cursor`."""
        protocols = [Subprotocol("xrpc.v1.json")] if urlsplit(self.url).path.startswith("/xrpc/") else None
        url = address(self.url, cursor)
        try:
            async with connect(url, max_size=MAX_FRAME, subprotocols=protocols, close_timeout=1) as socket:
                yield _items(socket)
        except WebSocketException as error:
            raise Disconnected(str(error) or type(error).__name__) from error


async def _items(socket: ClientConnection) -> AsyncIterator[Item]:
    while True:
        frame = await socket.recv()
        yield _item(frame if isinstance(frame, bytes) else frame.encode())


def _item(frame: bytes) -> Item:
    if frame.startswith(b'{"$type":"error"'):
        raise Disconnected(f"the server says {frame[:200].decode(errors='replace')}")
    cursor = cursor_of(frame)
    try:
        return Item(jetstream.parse(frame), cursor, frame)
    except Malformed as error:
        return Item((), cursor, frame, str(error))


class _Payload(msgspec.Struct):
    seq: int | None = None


class _Position(msgspec.Struct):
    """The part of a frame that says where in the stream it is."""

    time_us: int | None = None
    payload: _Payload | None = None


_position = msgspec.json.Decoder(_Position).decode


def cursor_of(frame: bytes) -> str | None:
    """The cursor behind a frame: microseconds on v1, a sequence number on v2; None where it has none."""
    try:
        place = _position(frame)
    except UNREADABLE:
        return None
    number = place.time_us if place.time_us is not None else place.payload and place.payload.seq
    return None if number is None else str(number)


def address(url: str, cursor: str | None) -> str:
    """The URL to connect to: only posts, likes and reposts, from the cursor on (v1: a little earlier)."""
    parts = urlsplit(url)
    v2 = parts.path.startswith("/xrpc/")
    query = [pair for pair in parse_qsl(parts.query) if pair[0] not in ("cursor", "compress")]
    name = "collections" if v2 else "wantedCollections"
    if not any(key == name for key, _ in query):
        query += [(name, kind) for kind in (jetstream.POST, jetstream.LIKE, jetstream.REPOST)]
    if cursor:
        query.append(("cursor", cursor if v2 else str(max(0, int(cursor) - REWIND))))
    return urlunsplit(parts._replace(query=urlencode(query)))


def source_name(url: str) -> str:
    """The name of the stored cursor, without credentials. Sequence numbers of v2 belong to one server."""
    parts = urlsplit(without_credentials(url))
    return f"jetstream:{parts.netloc}{parts.path}"
