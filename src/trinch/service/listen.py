"""Ingest from a live source until stopped: write what it yields, store cursors, reconnect after a failure.

The cursor is stored in the same transaction as the events it covers. Back-off after a failure: 0.25 s, doubling
to 30 s, with jitter, or what the server asks for; reset by the first frame of a connection.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from trinch.posts.times import now
from trinch.sources.live import Disconnected, Item, LiveSource, Refused
from trinch.store import event_log
from trinch.store.event_log import EventLog
from trinch.store.source_state import SourceState, write_state
from trinch.store.writer import Rejected, Totals, Writer

LINGER = 0.1
"""Longest time in seconds that a frame waits to be acknowledged together with later ones."""

FIRST_DELAY, LAST_DELAY = 0.25, 30.0

T = TypeVar("T")


async def listen(
    data: Path,
    source: LiveSource,
    *,
    stop: asyncio.Event,
    until: Callable[[Totals], bool] = lambda _: False,
    report: Callable[[Totals, str], None] = lambda _totals, _state: None,
    log: EventLog | None = None,
) -> Totals:
    """Ingest until `stop` is set or `until` returns true; `report` is called on every change of state.

    `log` is where events go, by default that of `open_log`. Raises Refused where the server refuses this client for good;
    what came before is durable."""
    writer = Writer(data, log=log)
    reporter = _Reporter(data, source.name, report)
    delay = FIRST_DELAY
    try:
        while not stop.is_set() and not until(writer.totals):
            before = writer.totals.read
            try:
                await _session(writer, source, stop, until, reporter)
            except (OSError, Disconnected) as error:
                if writer.totals.read > before:
                    delay = FIRST_DELAY
                asked = getattr(error, "wait", None)
                wait = delay if asked is None else asked
                reason = str(error) or type(error).__name__
                reporter.reconnects += 1
                reporter(writer.totals, f"lost the connection ({reason}); again in {wait:.1f} s")
                await _sleep(stop, wait * random.uniform(0.8, 1.2) if asked is None else wait)
                delay = min(LAST_DELAY, delay * 2)
    except Refused as error:
        reporter.write(writer.totals, f"refused: {error}")
        raise
    finally:
        totals = writer.close()
    reporter.write(totals, "stopped")
    return totals


class _Reporter:
    """Passes every change of state on, and writes it beside the store for statistics."""

    def __init__(self, data: Path, name: str, report: Callable[[Totals, str], None]) -> None:
        self._data, self._report = data, report
        self._state = SourceState(name)
        self._written = self._accepted = 0.0
        self.reconnects = 0
        self.lag: float | None = None

    def __call__(self, totals: Totals, state: str) -> None:
        self._report(totals, state)
        self.write(totals, state)

    def write(self, totals: Totals, state: str) -> None:
        """Write the state for statistics, if it changed or the last writing is a second ago."""
        passed, changed = time.monotonic() - self._written, state != self._state.state
        if not changed and passed < 1.0:
            return
        held = self._state
        held.events_per_second = (
            round((totals.accepted - self._accepted) / passed, 1) if self._written else 0.0
        )
        self._written, self._accepted = time.monotonic(), totals.accepted
        held.state, held.reconnects, held.lag_seconds = state, self.reconnects, self.lag
        held.read, held.accepted = totals.read, totals.accepted
        held.duplicates, held.rejected = totals.duplicates, totals.rejected
        with suppress(OSError):  # statistics alone; a full disk is reported by the writer
            write_state(self._data, held)

    def received(self, item: Item) -> None:
        """Measure how late an item came."""
        newest = max((event.at for event in item.events), default=None)
        if newest is not None:
            self.lag = round(max(0, now() - newest) / 1e6, 1)


async def _session(
    writer: Writer,
    source: LiveSource,
    stop: asyncio.Event,
    until: Callable[[Totals], bool],
    report: _Reporter,
) -> None:
    """One connection until it breaks, or until enough is read; all it brought is acknowledged."""
    async with AsyncExitStack() as stack:
        opening = stack.enter_async_context(source.connect(writer.cursor(source.name)))
        items = await _unless_stopped(opening, stop)
        if items is None:
            return
        report(writer.totals, "connected")
        await _write(writer, source.name, items, stop, until, report)


async def _write(
    writer: Writer,
    source: str,
    items: AsyncIterator[Item],
    stop: asyncio.Event,
    until: Callable[[Totals], bool],
    report: _Reporter,
) -> None:
    stopping = asyncio.create_task(stop.wait())
    oldest = 0.0
    waiting: asyncio.Task[Item] | None = None
    try:
        while not stop.is_set() and not until(writer.totals):
            waiting = waiting or asyncio.create_task(_next(items))
            await asyncio.wait({waiting, stopping}, timeout=LINGER, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                item, waiting = waiting.result(), None
                _take(writer, source, item)
                report.received(item)
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
            await asyncio.wait({waiting})


async def _next(items: AsyncIterator[Item]) -> Item:
    try:
        return await anext(items)
    except StopAsyncIteration:
        raise Disconnected("the stream ended") from None


def _take(writer: Writer, source: str, item: Item) -> None:
    if item.reject:
        writer.reject(Rejected(source, writer.totals.read + 1, item.reject, item.raw))
    else:
        writer.take(item.events, (source, item.cursor) if item.cursor else None)


async def _unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """The result of `work`, or None where `stop` is set before there is one."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.wait({working})
    return None


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


class Listened(NamedTuple):
    """What became of one of several sources."""

    name: str
    totals: Totals
    refused: str = ""
    """Why the server refuses this client for good; empty where it does not."""


async def listen_all(
    data: Path,
    sources: Sequence[LiveSource],
    *,
    stop: asyncio.Event,
    seconds: float | None = None,
    posts: int | None = None,
    report: Callable[[str, Totals, str], None] = lambda _name, _totals, _state: None,
) -> list[Listened]:
    """Ingest several sources at once, and index, until `stop` is set, for `seconds`, or until `posts` events are accepted.

    A source that is refused ends; the others go on."""
    latest = {source.name: Totals() for source in sources}

    def enough(_: Totals) -> bool:
        return posts is not None and sum(totals.accepted for totals in latest.values()) >= posts

    async def one(source: LiveSource) -> Listened:
        def reported(totals: Totals, state: str) -> None:
            latest[source.name] = totals
            report(source.name, totals, state)
            if enough(totals):
                stop.set()

        try:
            totals = await listen(data, source, stop=stop, until=enough, report=reported)
        except Refused as error:
            return Listened(source.name, latest[source.name], str(error))
        return Listened(source.name, totals)

    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, stop.set)
    with event_log.indexing(data):
        return list(await asyncio.gather(*map(one, sources)))
