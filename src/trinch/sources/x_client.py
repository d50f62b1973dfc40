"""Live client of X's API v2: filtered and sampled stream, compliance streams, and recent search by polling.

Back-off as X documents it for streams ("Handling disconnections"): after a failed connection 250 ms more each time, up
to 16 s; after an HTTP error 5 s, doubling to 320 s; after 429 until the time in `x-rate-limit-reset`, or one minute,
doubling. A stream sends an empty line every 20 seconds; one that does not is dead.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode

import httpx
import msgspec

from trinch.posts import times, x
from trinch.posts.notes import Notes
from trinch.posts.schema import Malformed
from trinch.posts.wire import UNREADABLE
from trinch.sources import http_client
from trinch.sources.live import Disconnected, Item, Refused

TOKEN = "X_BEARER_TOKEN"
BASE = "https://api.x.com"
BASE_VARIABLE = "TRINCH_X_URL"
"""Environment variable with another address of the API: that of a proxy, or of a test."""

SILENCE = 25.0
"""Seconds without a byte after which a stream is dead: X sends a keep-alive every 20."""

EVERY = 60.0
"""Seconds between two polls of recent search."""

TAG = "trinch"
"""Tag of the rules that Trinch sets; rules with other tags are left alone."""

_FIELDS = {
    "tweet.fields": "attachments,author_id,conversation_id,created_at,edit_history_tweet_ids,entities,"
    "in_reply_to_user_id,lang,note_tweet,possibly_sensitive,public_metrics,referenced_tweets,withheld",
    "expansions": "author_id,attachments.media_keys,attachments.poll_ids,referenced_tweets.id,"
    "referenced_tweets.id.author_id,in_reply_to_user_id,entities.mentions.username",
    "user.fields": "name,username,public_metrics,verified,withheld",
    "media.fields": "alt_text,type",
    "poll.fields": "options",
}
_STREAMS = {
    "filter": "/2/tweets/search/stream",
    "sample": "/2/tweets/sample/stream",
    "compliance/posts": "/2/tweets/compliance/stream",
    "compliance/users": "/2/users/compliance/stream",
}
_PARAMETERS = {
    "filter": {"rule", "backfill_minutes"},
    "sample": {"backfill_minutes"},
    "compliance/posts": {"backfill_minutes", "partition"},
    "compliance/users": {"backfill_minutes", "partition"},
    "search": {"query", "every"},
}


class Backoff:
    """The seconds to wait after failures in a row."""

    def __init__(self) -> None:
        self._failures = {"network": 0, "http": 0, "limit": 0}

    def reset(self) -> None:
        """A connection brought something."""
        self._failures = dict.fromkeys(self._failures, 0)

    def after(self, kind: str) -> float:
        """The wait after one more failure: of the `network`, of `http`, or for the rate `limit`."""
        n = self._failures[kind]
        self._failures[kind] += 1
        if kind == "network":
            return min(0.25 * (n + 1), 16.0)
        first, most = (5.0, 320.0) if kind == "http" else (60.0, 960.0)
        return min(first * float(2 ** min(n, 10)), most)


class X:
    """One stream or search: `filter`, `sample`, `compliance/posts`, `compliance/users` or `search`, then `?` and its
    parameters: `rule` (repeatable), `query`, `every` (seconds), `backfill_minutes` (1 to 5), `partition` (1 to 4)."""

    def __init__(self, address: str = "", token: str = "", base: str = "") -> None:
        """Raises ValueError for an address or a parameter that there is not, or without a token."""
        endpoint, _, query = address.partition("?")
        self.endpoint = endpoint or "filter"
        if self.endpoint not in _PARAMETERS:
            raise ValueError(f"no such stream of X: {endpoint!r}; there are {', '.join(_PARAMETERS)}")
        self._given = parse_qs(query, keep_blank_values=True)
        if unknown := self._given.keys() - _PARAMETERS[self.endpoint]:
            raise ValueError(f"x:{self.endpoint} has no parameter {min(unknown)!r}")
        self._backfill = self._number("backfill_minutes", 0, 5)
        self._partition = self._number("partition", 1, 4)
        self._every = float(self._number("every", round(EVERY), 86_400))
        if self.endpoint == "search" and not self._value("query"):
            raise ValueError("x:search needs a query: x:search?query=storm+lang:en")
        self._token = token or os.environ.get(TOKEN, "")
        if not self._token:
            raise ValueError(f"X needs a bearer token: put it into the environment variable {TOKEN}")
        self._base = (base or os.environ.get(BASE_VARIABLE, "") or BASE).rstrip("/")
        named = {"query": self._value("query"), "partition": self._value("partition")}
        kept = urlencode({name: value for name, value in named.items() if value})
        self.name = f"x:{self.endpoint}" + (f"?{kept}" if kept else "")
        self._backoff = Backoff()
        self._notes = Notes()

    def _value(self, name: str) -> str:
        return self._given.get(name, [""])[-1]

    def _number(self, name: str, default: int, most: int) -> int:
        text = self._value(name)
        if not text:
            return default if name in _PARAMETERS[self.endpoint] else 0
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= most):
            raise ValueError(f"{name}: write a whole number from 1 to {most}, not {text!r}")
        return int(text)

    @asynccontextmanager
    async def connect(self, cursor: str | None) -> AsyncIterator[AsyncIterator[Item]]:
        """One connection. The cursor of a stream is the time of its last line, that of a search the newest id."""
        try:
            async with http_client.errors_as_disconnects(), self._client() as client:
                if self.endpoint == "search":
                    yield self._polled(client, cursor)
                    return
                if self.endpoint == "filter":
                    await self._set_rules(client)
                async with client.stream(
                    "GET", _STREAMS[self.endpoint], params=self._query(cursor)
                ) as response:
                    await http_client.check(response)
                    yield self._streamed(response)
        except Disconnected as error:
            raise self._with_wait(error) from None

    def _client(self) -> httpx.AsyncClient:
        client = http_client.client(self._base, SILENCE, self._token)
        client.base_url = httpx.URL(self._base)
        return client

    def _with_wait(self, error: Disconnected) -> Disconnected:
        """The error with the wait that X documents for its kind."""
        text = str(error)
        kind = "limit" if text.startswith("HTTP 429") else "http" if text.startswith("HTTP ") else "network"
        wait = self._backoff.after(kind)
        return Disconnected(
            text, wait if error.wait is None else max(wait if kind == "http" else 0.0, error.wait)
        )

    def _query(self, cursor: str | None) -> Mapping[str, str | int]:
        query: dict[str, str | int] = {} if self.endpoint.startswith("compliance") else dict(_FIELDS)
        if self._partition:
            query["partition"] = self._partition
        if self._backfill and cursor:
            missed = math.ceil((times.now() - int(cursor)) / 60_000_000)
            query["backfill_minutes"] = max(1, min(self._backfill, missed))
        return query

    async def _streamed(self, response: httpx.Response) -> AsyncIterator[Item]:
        async with http_client.errors_as_disconnects():
            async for line in http_client.lines(response):
                if not line:
                    continue  # a keep-alive
                self._backoff.reset()
                yield self._item(line, str(times.now()))

    def _item(self, line: bytes, cursor: str | None) -> Item:
        """The events of a line or page. Raises Disconnected where X says that it ends the stream."""
        if b"disconnect" in line[:2000] and (said := _disconnect(line)):
            raise Disconnected(f"X ended the stream: {said}")
        try:
            return Item(x.parse(line, self._notes), cursor, line)
        except Malformed as error:
            return Item((), cursor, line, str(error))
        finally:
            self._notes = Notes()

    # ------------------------------------------------------------------ rules of the filtered stream

    async def _set_rules(self, client: httpx.AsyncClient) -> None:
        """Make the account's rules of our tag those that were asked for; without any, those of the account are used."""
        wanted = {rule for rule in self._given.get("rule", []) if rule.strip()}
        if not wanted:
            return
        path = f"{_STREAMS['filter']}/rules"
        answer = await self._json(await client.get(path))
        ours = {rule["value"]: rule["id"] for rule in answer.get("data") or [] if rule.get("tag") == TAG}
        if old := [id for value, id in ours.items() if value not in wanted]:
            await self._json(await client.post(path, json={"delete": {"ids": old}}))
        if new := sorted(wanted - ours.keys()):
            added = await self._json(
                await client.post(path, json={"add": [{"value": value, "tag": TAG} for value in new]})
            )
            if errors := added.get("errors"):
                raise Refused(
                    f"X does not take a rule: {errors[0].get('title')}: {errors[0].get('details') or ''}"
                )

    async def _json(self, response: httpx.Response) -> dict[str, Any]:
        await http_client.check(response)
        try:
            found: dict[str, Any] = msgspec.json.decode(response.content, type=dict[str, Any])
        except UNREADABLE:
            raise Disconnected(f"HTTP {response.status_code}, but no JSON object") from None
        return found

    # ------------------------------------------------------------------ recent search

    async def _polled(self, client: httpx.AsyncClient, cursor: str | None) -> AsyncIterator[Item]:
        """Poll after poll, each all pages of what is newer; the newest id is the cursor once all of them are stored."""
        async with http_client.errors_as_disconnects():
            while True:
                newest, token = cursor, ""
                while True:
                    response = await client.get("/2/tweets/search/recent", params=self._page(cursor, token))
                    if response.status_code == 400 and cursor and b"since_id" in response.content:
                        cursor = None  # older than the week that recent search reaches back
                        continue
                    await http_client.check(response)
                    self._backoff.reset()
                    meta = msgspec.json.decode(response.content, type=_Answer).meta
                    newest = max(newest or "", meta.newest_id or "", key=lambda id: (len(id), id)) or None
                    token = meta.next_token or ""
                    yield self._item(response.content, None if token else newest)
                    if not token:
                        break
                cursor = newest
                await asyncio.sleep(self._every)

    def _page(self, cursor: str | None, token: str) -> Mapping[str, str | int]:
        query: dict[str, str | int] = {**_FIELDS, "query": self._value("query"), "max_results": 100}
        return query | ({"since_id": cursor} if cursor else {}) | ({"next_token": token} if token else {})


class _Meta(msgspec.Struct):
    newest_id: str | None = None
    next_token: str | None = None


class _Answer(msgspec.Struct):
    meta: _Meta = msgspec.field(default_factory=_Meta)


class _Problem(msgspec.Struct):
    title: str = ""
    detail: str = ""
    disconnect_type: str = ""


class _Ending(msgspec.Struct):
    errors: list[_Problem] = []
    data: msgspec.Raw = msgspec.Raw(b"")


def _disconnect(line: bytes) -> str:
    """What X says where a line ends its stream, else ""."""
    try:
        found = msgspec.json.decode(line, type=_Ending)
    except UNREADABLE:
        return ""
    ends = [one for one in found.errors if one.disconnect_type or "disconnect" in one.title.lower()]
    return f"{ends[0].title} {ends[0].detail}".strip() if ends and not bytes(found.data) else ""
