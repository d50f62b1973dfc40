"""Search: a query in its conversation and with its filter, a page of the posts that match it, and how many there are."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from trinch.posts.times import iso
from trinch.service.ask import interpret
from trinch.service.limits import answer_budget, search_budget
from trinch.service.serialize import post_json
from trinch.store import pages
from trinch.store.query import joined, parse_with_hints
from trinch.store.store import Hit, Hits, Store

_DAY = 86_400_000_000


class Count(NamedTuple):
    """How many posts match a query."""

    posts: int
    exact: bool
    """False where the CPU budget ended first: then there are at least so many."""


class SearchResult(NamedTuple):
    """One page of a search."""

    query: str
    """As the user typed it."""
    as_of: int | None
    """Microseconds since 1970; None is now."""
    hits: Hits
    """`partial`: the CPU budget ended before the page was full."""
    next: str
    """The cursor of the next page; empty at the end."""
    total: Count | None
    """All matches; None where they were not asked for."""
    hints: list[str]
    """What was taken for words although it looks like an operator or a phrase; which nodes of a cluster do not answer."""
    took_ms: float


def search(
    store: Store,
    query: str,
    *,
    earlier: Sequence[str] = (),
    where: str = "",
    limit: int = 10,
    sort: str = "relevance",
    as_of: int | None = None,
    cursor: str = "",
    total: bool = False,
) -> SearchResult:
    """The best (`relevance`) or newest (`latest`) posts that match a query of X's operators and the filter `where`, a
    page at a time; `total` counts all of them.

    With `earlier` queries, the query is completed from them as a question is (`conversation.follow_up`). The page has
    a CPU budget and so has the count (`limits.py`). Raises QueryError and CursorError.
    """
    started = time.perf_counter()
    whole = combined(query, earlier, where)
    _, hints = parse_with_hints(whole)
    with store.within(search_budget(limit)):
        found = pages.page(store, whole, limit=limit, sort=sort, as_of=as_of, cursor=cursor)
    counted = count(store, whole, as_of) if total else None
    took = round((time.perf_counter() - started) * 1000, 2)
    return SearchResult(query, as_of, found.hits, found.next, counted, [*hints, *store.missing()], took)


def count(store: Store, query: str, as_of: int | None = None) -> Count:
    """How many posts match a query, as far as the CPU budget of an answer goes. Raises QueryError."""
    with store.within(answer_budget()) as budget:
        counted, undated = pages.tally(store, query, _DAY, as_of)
    return Count(counted.total() + undated, not budget.is_used_up)


def matches(
    store: Store, query: str, *, earlier: Sequence[str] = (), where: str = "", as_of: int | None = None
) -> Iterator[Hit]:
    """All posts that match, in the order of ingestion, without ranking and in bounded memory. Raises QueryError."""
    return pages.scan(store, combined(query, earlier, where), as_of)


def combined(query: str, earlier: Sequence[str] = (), where: str = "") -> str:
    """One query out of a query, the queries before it and a filter. Raises QueryError."""
    if earlier and query.strip():
        request = interpret(query, earlier=earlier, where=where)
        query, where = request.question, request.where
    return joined(query, where)


def search_json(found: SearchResult) -> dict[str, Any]:
    """A search result as the JSON of docs/api.md."""
    return {
        "query": found.query,
        "as_of": iso(found.as_of),
        "took_ms": found.took_ms,
        "partial": found.hits.partial,
        "hits": [post_json(hit) for hit in found.hits],
        "next": found.next or None,
        "total": found.total and {"posts": found.total.posts, "exact": found.total.exact},
        "hints": found.hints,
    }


def searched_json(store: Store, /, query: str, **options: Any) -> dict[str, Any]:
    """`search` as JSON; for worker processes."""
    return search_json(search(store, query, **options))
