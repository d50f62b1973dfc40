"""Live client of a Mastodon server: its streaming API as server-sent events.

The server does not replay: what is posted while there is no connection is not delivered. A deletion names the server's
own number of a post, which is why each post is stored with that number as another id of its own.
"""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import httpx
import msgspec

from trinch.posts import mastodon, times
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Deleted, Edited, Event, Malformed
from trinch.sources import http_client
from trinch.sources.address import without_credentials
from trinch.sources.live import Disconnected, Item

TOKEN = "MASTODON_TOKEN"

SILENCE = 60.0
"""Seconds without a byte after which a stream is dead: Mastodon sends a comment every 15."""

_HOST = re.compile(r"[\w.-]+(?::\d+)?", re.ASCII).fullmatch


class _Numbered(msgspec.Struct):
    """The part of a Status that the server numbers it by."""

    id: str = ""
    uri: str = ""


_numbered = msgspec.json.Decoder(_Numbered).decode


class _Message(NamedTuple):
    """One server-sent event."""

    event: str
    data: bytes


class Mastodon:
    """A stream of a server: `mastodon.social`, `mastodon.social/public/local`, `mastodon.social/hashtag?tag=storm`, or the
    same with `https://` (or `http://`) before it."""

    def __init__(self, address: str, token: str = "") -> None:
        """Raises ValueError for what is no server."""
        parts = urlsplit(address if "://" in address else f"https://{address}")
        if parts.scheme not in ("http", "https") or not _HOST(parts.netloc):
            raise ValueError(f"{address!r} is no Mastodon server; write mastodon:mastodon.social")
        path = parts.path.rstrip("/") or "/public"
        if not path.startswith("/api/"):
            path = f"/api/v1/streaming{path}"
        self._address = urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
        self._host = parts.netloc
        self._token = token or os.environ.get(TOKEN, "")
        tag = f"?{parts.query}" if parts.query else ""
        self.name = f"mastodon:{urlsplit(without_credentials(self._address)).netloc}{path.removeprefix('/api/v1/streaming')}{tag}"

    @asynccontextmanager
    async def connect(self, cursor: str | None) -> AsyncIterator[AsyncIterator[Item]]:
        """One connection. The stored cursor, the time of the last event, is for statistics: nothing is replayed."""
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
