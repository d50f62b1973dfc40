"""Live client of a Mastodon server: its streaming API, as server-sent events or over WebSocket.

The server does not replay: what is posted while there is no connection is not delivered. A deletion names the server's
own number of a post, which is why each post is stored with that number as another id of its own.
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx
import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_socket
from websockets.exceptions import InvalidStatus, WebSocketException

from trinch.posts import mastodon, times
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Deleted, Edited, Event, Malformed
from trinch.sources import http_client
from trinch.sources.address import without_credentials
from trinch.sources.live import Disconnected, Item, Refused

TOKEN = "MASTODON_TOKEN"

_STREAMING = "/api/v1/streaming"

SILENCE = 60.0
"""Seconds without a byte after which a stream is dead: Mastodon sends a comment every 15."""

_HOST = re.compile(r"[\w.-]+(?::\d+)?", re.ASCII).fullmatch


class _Numbered(msgspec.Struct):
    """The part of a Status that the server numbers it by."""

    id: str = ""
    uri: str = ""


_numbered = msgspec.json.Decoder(_Numbered).decode


class _Framed(msgspec.Struct):
    """A frame of the WebSocket; its payload is JSON in a text, or the number of a deleted post."""

    event: str = ""
    payload: str = ""


_framed = msgspec.json.Decoder(_Framed).decode

MAX_FRAME = 4_000_000
"""Bytes of one frame of the WebSocket; a larger one closes the connection."""


class _Message(NamedTuple):
    """One event of the stream."""

    event: str
    data: bytes


class Mastodon:
    """A stream of a server: `mastodon.social`, `mastodon.social/public/local`, `mastodon.social/hashtag?tag=storm`, or the
    same with `https://` (or `http://`) before it; with `wss://` (or `ws://`) over WebSocket."""

    def __init__(self, address: str, token: str = "") -> None:
        """Raises ValueError for what is no server."""
        parts = urlsplit(address if "://" in address else f"https://{address}")
        if parts.scheme not in ("http", "https", "ws", "wss") or not _HOST(parts.netloc):
            raise ValueError(f"{address!r} is no Mastodon server; write mastodon:mastodon.social")
        path = parts.path.rstrip("/") or "/public"
        if not path.startswith("/api/"):
            path = f"{_STREAMING}{path}"
        self._is_socket = parts.scheme in ("ws", "wss")
        if self._is_socket:
            stream = path.removeprefix(_STREAMING).strip("/").replace("/", ":")
            query = urlencode([("stream", stream), *parse_qsl(parts.query)])
            self._address = urlunsplit((parts.scheme, parts.netloc, _STREAMING, query, ""))
        else:
            self._address = urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
        self._host = parts.netloc
        self._token = token or os.environ.get(TOKEN, "")
        tag = f"?{parts.query}" if parts.query else ""
        self.name = f"mastodon:{urlsplit(without_credentials(self._address)).netloc}{path.removeprefix(_STREAMING)}{tag}"

    @asynccontextmanager
    async def connect(self, cursor: str | None) -> AsyncIterator[AsyncIterator[Item]]:
        """One connection. The stored cursor, the time of the last event, is for statistics: nothing is replayed."""
        if self._is_socket:
            async with self._socket() as socket:
                yield self._frames(socket)
            return
        headers = {"Accept": "text/event-stream"}
        async with (
            http_client.errors_as_disconnects(),
            http_client.client(self._address, SILENCE, self._token) as client,
            client.stream("GET", self._address, headers=headers) as response,
        ):
            await http_client.check(response)
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise Disconnected(
                    f"no event stream, but {response.headers.get('content-type', 'nothing')[:60]}"
                )
            yield self._items(response)

    @asynccontextmanager
    async def _socket(self) -> AsyncIterator[ClientConnection]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        try:
            async with connect_socket(
                self._address,
                additional_headers=headers,
                user_agent_header=http_client.USER_AGENT,
                max_size=MAX_FRAME,
                close_timeout=1,
            ) as socket:
                yield socket
        except InvalidStatus as error:
            said = f"HTTP {error.response.status_code}: {error.response.body.decode(errors='replace')[:300]}"
            if error.response.status_code in http_client.FOR_GOOD:
                raise Refused(said.rstrip(": ")) from None
            raise Disconnected(said.rstrip(": ")) from None
        except WebSocketException as error:
            raise Disconnected(str(error) or type(error).__name__) from None

    async def _frames(self, socket: ClientConnection) -> AsyncIterator[Item]:
        """The frames as items; the library sends pings, so that a dead connection ends."""
        while True:
            frame = await socket.recv(decode=False)
            try:
                found = _framed(frame)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                yield Item((), None, frame, f"no frame of the stream: {error}")
                continue
            yield self._item(_Message(found.event, found.payload.encode("utf-8", "replace")))

    async def _items(self, response: httpx.Response) -> AsyncIterator[Item]:
        async with http_client.errors_as_disconnects():
            async for message in _messages(response):
                yield self._item(message)

    def _item(self, message: _Message) -> Item:
        cursor, notes = str(times.now()), Notes()
        try:
            if message.event == "delete":
                id = self._number(message.data.decode(errors="replace").strip())
                return Item([Deleted(at=times.now(), network="mastodon", id=id)], cursor, message.data)
            if message.event in ("update", "status.update"):
                return Item(self._named(mastodon.parse(message.data, notes), message), cursor, message.data)
        except Malformed as error:
            return Item((), cursor, message.data, str(error))
        return Item((), cursor, message.data)  # filters_changed, announcement …

    def _named(self, events: list[Event], message: _Message) -> list[Event]:
        """The events, the new post of an `update` with the server's number as an older id."""
        status = _numbered(message.data)
        if message.event != "update" or not status.id:
            return events
        return [
            Edited(at=one.at, network=one.network, post=one.post, replaces=(self._number(status.id),))
            if isinstance(one, Created) and one.post.id == status.uri
            else one
            for one in events
        ]

    def _number(self, id: str) -> str:
        return f"{self._host}/{id}"


async def _messages(response: httpx.Response) -> AsyncIterator[_Message]:
    """Server-sent events (WHATWG HTML, 9.2); comments are left out."""
    event, data = "", list[bytes]()
    async for line in http_client.lines(response):
        if not line:
            if data:
                yield _Message(event or "message", b"\n".join(data))
            event, data = "", []
            continue
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"event":
            event = value.decode(errors="replace")
        elif name == b"data":
            data.append(value)
