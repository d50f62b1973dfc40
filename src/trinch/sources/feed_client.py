"""Live client of a feed (RSS, Atom): asked again at polite intervals, with conditional requests (RFC 9110, 13).

The interval is what the server asks for (`Cache-Control: max-age`, `Retry-After`), at least `SHORTEST`. A host whose
robots.txt excludes us is not asked.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit
from urllib.robotparser import RobotFileParser

import httpx
import msgspec

from trinch.posts.notes import Notes
from trinch.posts.wire import MAX_LINE, UNREADABLE
from trinch.sources import feed_files, http_client
from trinch.sources.address import without_credentials
from trinch.sources.live import Disconnected, Item, Refused

SHORTEST, USUAL, LONGEST = 60.0, 300.0, 86_400.0
"""Seconds between two requests: at least, where the server does not say, and at most."""

SILENCE = 30.0
"""Seconds without a byte after which a request has failed."""

_AGE = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})", re.IGNORECASE).search


class _Seen(msgspec.Struct, omit_defaults=True):
    """What the last answer was recognised by."""

    etag: str = ""
    modified: str = ""


class Feed:
    """The feed at an `http://` or `https://` address."""

    def __init__(self, address: str) -> None:
        """Raises ValueError for another address."""
        if urlsplit(address).scheme not in ("http", "https"):
            raise ValueError(f"{address or 'nothing'} is no address of a feed; write feed:https://…")
        self._address = address
        self.name = f"feed:{without_credentials(address)}"
        self._next = 0.0

    @asynccontextmanager
    async def connect(self, cursor: str | None) -> AsyncIterator[AsyncIterator[Item]]:
        """Ask again and again. The cursor holds the ETag and Last-Modified of the last answer."""
        try:
            async with http_client.errors_as_disconnects(), self._client() as client:
                if not await self._is_allowed(client):
                    host = urlsplit(self._address).netloc
                    raise Refused(f"the robots.txt of {host} excludes us from this feed")
                yield self._polled(client, _seen(cursor))
        except Disconnected as error:
            raise Disconnected(str(error), max(SHORTEST, error.wait or 0.0)) from None

    def _client(self) -> httpx.AsyncClient:
        return http_client.client(self._address, SILENCE)

    async def _is_allowed(self, client: httpx.AsyncClient) -> bool:
        place = urlunsplit((*urlsplit(self._address)[:2], "/robots.txt", "", ""))
        response = await client.get(place)
        if response.status_code != 200:
            return True
        rules = RobotFileParser()
        rules.parse(response.text[:500_000].splitlines())
        return rules.can_fetch("Trinch", self._address)

    async def _polled(self, client: httpx.AsyncClient, seen: _Seen) -> AsyncIterator[Item]:
        async with http_client.errors_as_disconnects():
            while True:
                headers = {"If-None-Match": seen.etag, "If-Modified-Since": seen.modified}
                given = {name: value for name, value in headers.items() if value}
                async with client.stream("GET", self._address, headers=given) as response:
                    await http_client.check(response)
                    wait = _interval(response.headers)
                    if response.status_code != 304:
                        body = await _body(response)
                        seen = _Seen(
                            response.headers.get("etag", ""), response.headers.get("last-modified", "")
                        )
                        for item in self._items(body, seen):
                            yield item
                await asyncio.sleep(wait)

    def _items(self, body: bytes, seen: _Seen) -> list[Item]:
        """The entries, then the rejects; the cursor comes with the last of them."""
        notes, cursor = Notes(), msgspec.json.encode(seen).decode()
        try:
            events, reason = feed_files.entries(body, notes, self._address)
        except ImportError:
            raise Refused("feeds need feedparser: pip install 'trinch[feeds]'") from None
        found = [Item((), None, raw, why) for why, raw in notes.take_rejected()]
        if reason and not events:
            return [Item((), cursor, body[:MAX_LINE], reason)]
        return [*found, Item(events, cursor)]


async def _body(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > MAX_LINE:
            raise Disconnected(f"the feed is longer than {MAX_LINE >> 20} MiB", LONGEST)
    return bytes(body)


def _seen(cursor: str | None) -> _Seen:
    try:
        return msgspec.json.decode(cursor or "{}", type=_Seen)
    except UNREADABLE:
        return _Seen()


def _interval(headers: httpx.Headers) -> float:
    """Seconds until the next request."""
    asked = http_client.asked_wait(headers)
    if asked is None:
        age = _AGE(headers.get("cache-control", ""))
        asked = float(age[1]) if age else USUAL
    return min(max(asked, SHORTEST), LONGEST)
