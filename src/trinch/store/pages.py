"""Page through the posts that match a query, best or newest first, and go through all of them.

A cursor is text without meaning for the client. It holds where the page ended and what was fixed by the first page: the
time at which the query is evaluated and the last position of the log that is considered, so that posts which arrive
while a client pages do not shift its pages.
"""

import base64
from collections import Counter
from collections.abc import Iterator
from functools import singledispatch
from typing import NamedTuple
from zlib import crc32

import msgspec

from trinch.errors import TrinchError
from trinch.posts.schema import UNDATED
from trinch.posts.times import now
from trinch.store import scoring
from trinch.store.query import And, Has, Node, Not, normalized, parse, wanted_words
from trinch.store.query_compile import all_of
from trinch.store.store import MAX_CANDIDATES, Hit, Hits, Store, ranked

SLICE = 50_000
"""Positions of the log whose posts are looked up in the index at once by `scan`."""

CHUNK = 1000
"""Candidates of a slice that are read from the log at once."""


class CursorError(TrinchError, ValueError):
    """A cursor that was not made for this search."""


class Page(NamedTuple):
    """A part of the matches of a query."""

    hits: Hits
    """`partial`: the CPU budget (`Store.within`) ended before the page was full; `next` goes on from there."""
    next: str
    """The cursor of the next page; empty where no match is left."""


class _Position(msgspec.Struct, array_like=True, frozen=True):
    """What a cursor holds."""

    search: int
    """CRC-32 of the query and its options."""
    moment: int
    """Time of the first page."""
    last_seq: int
    block: int
    """Matches that are ranked against each other."""
    offset: int = 0
    """Candidates of the index, in its order, before the block of the next page."""
    passed: int = 0
    """Matches of that block that were returned."""
    at: int | None = None
    seq: int = 0
    """Newest first: time and position of the last match returned."""


@singledispatch
def page(
    store: Store,
    query: str,
    *,
    limit: int = 10,
    sort: str = "relevance",
    as_of: int | None = None,
    cursor: str = "",
) -> Page:
    """The next `limit` matches behind a cursor; empty is the beginning. Raises QueryError and CursorError.

    Ordered by relevance, matches are ranked in blocks of at least `scoring.WIDE`, block after block, as deep as
    `MAX_CANDIDATES`; newest first there is no such limit."""
    node = normalized(parse(query))
    check = crc32(repr((query, sort, as_of)).encode(errors="surrogatepass"))
    position = _read(cursor, check) if cursor else None
    if position is None:
        moment = now() if as_of is None else as_of
        position = _Position(check, moment, store.log.last_seq, max(limit, scoring.WIDE))
    with store.budget.measured():
        if sort == "latest":
            return _latest(store, node, limit, as_of, position)
        return _relevant(store, node, limit, as_of, position)


@singledispatch
def tally(store: Store, query: str, width: int, as_of: int | None = None) -> tuple[Counter[int], int]:
    """Number of matches in each period of `width` microseconds, by its start, and number of undated ones; too low where
    the CPU budget is used up. Raises QueryError."""
    counted, undated = Counter[int](), 0
    for hit in scan(store, query, as_of):
        if hit.at == UNDATED:
            undated += 1
        else:
            counted[hit.at // width * width] += 1
    return counted, undated


@singledispatch
def scan(
    store: Store, query: str, as_of: int | None = None, *, after: int = -1, through: int | None = None
) -> Iterator[Hit]:
    """All visible matches in the order of the log, in bounded memory; ends early when the CPU budget is used up.
    Begins behind the position `after` and ends at `through`, by default the last.

    What is hidden or deleted meanwhile is left out from then on. Raises QueryError at the first match."""
    for _, hits in scan_parts(store, query, as_of, after, through):
        yield from hits


def scan_parts(
    store: Store, query: str, as_of: int | None = None, after: int = -1, through: int | None = None
) -> Iterator[tuple[int, list[Hit]]]:
    """`scan` in parts: (position in the log up to which it has looked, matches)."""
    node = normalized(parse(query))
    moment = now() if as_of is None else as_of
    queries = store.index.queries
    compiled = queries.compile(node, moment, store.log)
    last = store.log.last_seq if through is None else through
    for start in range(after + 1, last + 1, SLICE):
        part = queries.stored(start, min(start + SLICE - 1, last))
        found = store.index.search(all_of([part, compiled] if compiled else [part]) or part, SLICE)
        found.sort()
        for first in range(0, len(found), CHUNK):
            with store.budget.measured() as budget:
                hits = store.matching(node, found[first : first + CHUNK], as_of, moment)
            yield found[min(first + CHUNK, len(found)) - 1].seq, hits
            if budget.is_used_up:
                return
        yield start + SLICE - 1, []


def _latest(store: Store, node: Node, limit: int, as_of: int | None, position: _Position) -> Page:
    """Newest first, posts of one time by their position. Every candidate of the last time is looked at, because the
    index returns those of one time in no order."""
    node = And((node, Not(Has("is", "undated"))))
    queries = store.index.queries
    parts = [queries.compile(node, position.moment, store.log), queries.stored(0, position.last_seq)]
    latest = min(part for part in (as_of, position.at, 2**62) if part is not None)
    query = all_of([*(part for part in parts if part), queries.posted(None, latest)])
    assert query is not None
    depth, seen, hits = limit + limit // 2 + 1, set[int](), list[Hit]()
    while True:
        found = store.index.search(query, depth, latest=True)
        fresh = [candidate for candidate in found if candidate.seq not in seen]
        seen |= {candidate.seq for candidate in fresh}
        hits += store.matching(node, fresh, as_of, position.moment)
        hits.sort(key=lambda hit: (-hit.at, -hit.seq))
        if position.at is not None:
            hits = [hit for hit in hits if (hit.at, hit.seq) < (position.at, position.seq)]
        complete = len(hits) > limit and found[-1].at < hits[limit].at
        if complete or len(found) < depth or store.budget.check():
            break
        depth *= 4
    if store.budget.is_used_up and hits:  # of the last time there may be more
        hits = [hit for hit in hits if hit.at > hits[-1].at] or hits
    shown = hits[:limit]
    more = len(hits) > limit or store.budget.is_used_up
    if not more:
        return Page(Hits(shown, store.budget.is_used_up), "")
    last = (shown[-1].at, shown[-1].seq) if shown else (position.at, position.seq)
    following = msgspec.structs.replace(position, at=last[0], seq=last[1])
    return Page(Hits(shown, store.budget.is_used_up), _written(following))


def _relevant(store: Store, node: Node, limit: int, as_of: int | None, position: _Position) -> Page:
    """Best first. Each block is ranked as a whole, so a page within it begins by ranking it again."""
    shown: list[Hit] = []
    while True:
        block, end = _block(store, node, as_of, position)
        words = wanted_words(node)
        order = ranked(words, {}, block, store.doc_freq, store.num_posts, position.moment)
        here = order[position.passed : position.passed + limit - len(shown)]
        shown += here
        passed = position.passed + len(here)
        if passed < len(order):
            position = msgspec.structs.replace(position, passed=passed)
            return Page(Hits(shown, store.budget.is_used_up), _written(position))
        if end is None:
            return Page(Hits(shown, store.budget.is_used_up), "")
        position = msgspec.structs.replace(position, offset=end, passed=0)
        if len(shown) == limit or store.budget.is_used_up:
            return Page(Hits(shown, store.budget.is_used_up), _written(position))


def _block(store: Store, node: Node, as_of: int | None, position: _Position) -> tuple[list[Hit], int | None]:
    """The next `position.block` matches in the order of the index, and how many candidates are then done; None where
    none is left."""
    queries = store.index.queries
    parts = [queries.compile(node, position.moment, store.log), queries.stored(0, position.last_seq)]
    parts += [queries.posted(None, as_of)] if as_of is not None else []
    query = all_of([part for part in parts if part])
    assert query is not None
    by_time = not wanted_words(node)  # all match alike: then the newest first
    hits: list[Hit] = []
    done, depth = position.offset, position.offset + position.block * 3 // 2
    while done < MAX_CANDIDATES:
        found = store.index.search(query, depth, latest=by_time)
        for start in range(done, len(found), CHUNK // 10):
            chunk = found[start : start + CHUNK // 10]
            matched = store.matching(node, chunk, as_of, position.moment)
            room = position.block - len(hits)
            hits += matched[:room]
            if len(matched) >= room or store.budget.is_used_up:
                # Behind the last match: with a budget that is used up, no one knows how far beyond it was evaluated.
                places = [n for n, one in enumerate(chunk, start) if matched and one.seq == hits[-1].seq]
                return hits, places[0] + 1 if places else start
            done = start + len(chunk)
        if len(found) < depth:
            return hits, None
        depth *= 4
    return hits, None


def _written(position: _Position) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def _read(cursor: str, check: int) -> _Position:
    """Raises CursorError."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = msgspec.json.decode(raw, type=_Position)
    except (ValueError, msgspec.MsgspecError):
        raise CursorError("this cursor cannot be read: pass `next` of the page before as it is") from None
    within = (
        0 < position.block <= MAX_CANDIDATES
        and 0 <= position.offset <= MAX_CANDIDATES
        and position.passed >= 0
    )
    if position.search != check or not within:
        raise CursorError(
            "this cursor is of another search: query, filter, order and time must stay the same"
        )
    return position
