"""Ingest a live stream over WebSocket: Bluesky's Jetstream, v1 and v2.

The cursor is stored in the same transaction as the events that it covers. A reconnect asks for a little more than
was missed, and the log drops the duplicates.

Back-off after a failure: 0.25 s, doubling to 30 s, with jitter; reset by the first frame.
"""

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from trinch.errors import TrinchError
from trinch.posts import jetstream
from trinch.posts.schema import Malformed
from trinch.store import indexer
from trinch.store.writer import Rejected, Totals, Writer

JETSTREAM = "wss://jetstream2.us-east.bsky.network/subscribe"
"""A public instance; docs/sources.md lists more."""

REWIND = 5_000_000
"""Microseconds asked for again on reconnecting to v1: its cursor is a time, and ordering is only approximate."""

LINGER = 0.1
"""Seconds for which frames are collected before they are acknowledged together."""

LARGEST = 4_000_000
"""Bytes of one frame; a larger one closes the connection."""


class Disconnected(TrinchError):
    """The stream ended or could not be opened; another attempt may succeed."""


class _Payload(msgspec.Struct):
    seq: int | None = None


class _Position(msgspec.Struct):
    """The position of a frame in its stream."""

    time_us: int | None = None
    payload: _Payload | None = None


_position = msgspec.json.Decoder(_Position).decode


def cursor_of(frame: bytes) -> str | None:
    """The cursor after a frame: microseconds on v1, a sequence number on v2."""
    try:
        place = _position(frame)
    except msgspec.DecodeError:
        return None
    number = place.time_us if place.time_us is not None else place.payload and place.payload.seq
    return None if number is None else str(number)


def address(url: str, cursor: str | None) -> str:
    """The URL to connect to: posts, likes and reposts only, from the cursor on (v1: REWIND earlier)."""
    parts = urlsplit(url)
    v2 = parts.path.startswith("/xrpc/")
    query = [
        pair for pair in parse_qsl(parts.query) if pair[0] not in ("cursor", "compress")
    ]  # frames stay text
    name = "collections" if v2 else "wantedCollections"
    if not any(key == name for key, _ in query):
        query += [(name, kind) for kind in (jetstream.POST, jetstream.LIKE, jetstream.REPOST)]
    if cursor:
        query.append(("cursor", cursor if v2 else str(max(0, int(cursor) - REWIND))))
    return urlunsplit(parts._replace(query=urlencode(query)))


def source_name(url: str) -> str:
    """The name under which the cursor is stored; per server, since sequence numbers of v2 belong to one server."""
    parts = urlsplit(url)
    return f"jetstream:{parts.netloc}{parts.path}"


async def listen(
    data: Path,
    url: str = JETSTREAM,
    *,
    stop: asyncio.Event,
    until: Callable[[Totals], bool] = lambda _: False,
    report: Callable[[Totals, str], None] = lambda _totals, _state: None,
) -> Totals:
    """Ingest a Jetstream until `stop` is set or `until` returns true. Calls `report` at every change of state."""
    writer = Writer(data)
    source = source_name(url)
    delay = 0.25
    while not stop.is_set() and not until(writer.totals):
        before = writer.totals.read
        try:
            socket = await _connected(address(url, writer.cursor(source)), stop)
            if socket is None:
                break
            async with socket:
                report(writer.totals, "connected")
                await _session(writer, socket, source, stop, until, report)
        except (OSError, TimeoutError, WebSocketException, Disconnected) as error:
            if writer.totals.read > before:
                delay = 0.25
            report(writer.totals, f"lost the connection ({_reason(error)}); next attempt in {delay:.1f} s")
            await _sleep(stop, delay * random.uniform(0.8, 1.2))
            delay = min(30.0, delay * 2)
    return writer.close()


async def _connected(url: str, stop: asyncio.Event) -> ClientConnection | None:
    """An open connection, or None if `stop` is set first. Raises OSError or WebSocketException on failure."""
    protocols = [Subprotocol("xrpc.v1.json")] if urlsplit(url).path.startswith("/xrpc/") else None

    async def open() -> ClientConnection:
        return await connect(url, max_size=LARGEST, subprotocols=protocols, close_timeout=1)

    opening, stopping = asyncio.create_task(open()), asyncio.create_task(stop.wait())
    await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if opening.done():
        return opening.result()
    opening.cancel()
    await asyncio.wait({opening})
    return None


async def _session(
    writer: Writer,
    socket: ClientConnection,
    source: str,
    stop: asyncio.Event,
    until: Callable[[Totals], bool],
    report: Callable[[Totals, str], None],
) -> None:
    """Read one connection until it breaks, `stop` is set or `until` returns true; acknowledge all that was read."""
    stopping = asyncio.create_task(stop.wait())
    oldest = 0.0
    waiting: asyncio.Task[str | bytes] | None = None
    try:
        while not stop.is_set() and not until(writer.totals):
            waiting = waiting or asyncio.create_task(socket.recv())
            await asyncio.wait({waiting, stopping}, timeout=LINGER, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                frame, waiting = waiting.result(), None
                _take(writer, source, frame if isinstance(frame, bytes) else frame.encode())
                oldest = oldest or time.monotonic()
            if oldest and time.monotonic() - oldest >= LINGER:
                writer.flush()
                report(writer.totals, "ingesting")
                oldest = 0.0
    finally:
        writer.flush()
        stopping.cancel()
        if waiting:
            waiting.cancel()


def _take(writer: Writer, source: str, frame: bytes) -> None:
    if frame.startswith(b'{"$type":"error"'):
        raise Disconnected(f"the server says {frame[:200].decode(errors='replace')}")
    cursor = cursor_of(frame)
    try:
        writer.take(jetstream.parse(frame), (source, cursor) if cursor else None)
    except Malformed as error:
        writer.reject(Rejected(source, writer.totals.read + 1, str(error), frame))


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def listen_until(
    data: Path,
    url: str,
    *,
    stop: asyncio.Event,
    seconds: float | None = None,
    posts: int | None = None,
    report: Callable[[Totals, str], None] = lambda _totals, _state: None,
) -> Totals:
    """Ingest and index a Jetstream until `stop` is set, or for so many seconds, or until so many events are in."""

    def enough(totals: Totals) -> bool:
        return posts is not None and totals.accepted >= posts

    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, stop.set)
    with indexer.running(data):
        return await listen(data, url, stop=stop, until=enough, report=report)
