"""A live source for Trinch: `trinch listen ticker:NAME` posts what time it is, every tenth of a second."""

import asyncio
from contextlib import asynccontextmanager

from trinch.posts import times
from trinch.posts.schema import Created, Post
from trinch.sources.live import Item
from trinch.sources.registry import SourceKind


class Ticker:
    def __init__(self, address):
        self.name = f"ticker:{address or 'clock'}"

    @asynccontextmanager
    async def connect(self, cursor):
        yield self.ticks(int(cursor or 0))

    async def ticks(self, n):
        while True:
            await asyncio.sleep(0.1)
            n, at = n + 1, times.now()
            post = Post(
                network="ticker", id=f"{self.name}/{n}", created_at=at, text=f"Tick {n} at {times.iso(at)}"
            )
            yield Item([Created(at=at, network="ticker", post=post)], str(n))


TICKER = SourceKind("ticker", "The time, every tenth of a second", Ticker)
