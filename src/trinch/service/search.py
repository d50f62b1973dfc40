"""Search: a query in its conversation and with its filter, the posts that match it, and how long that took."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from trinch.posts.times import iso
from trinch.service.ask import interpret
from trinch.service.limits import search_budget
from trinch.service.serialize import post_json
from trinch.store.store import Hits, Store


class SearchResult(NamedTuple):
    """What one search found."""

    query: str
    """As the user typed it."""
    as_of: int | None
    """Microseconds since 1970; None is now."""
    hits: Hits
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
) -> SearchResult:
    """The best (`relevance`) or newest (`latest`) posts that match a query of X's operators and the filter `where`.

    With `earlier` queries, the query is completed from them as a question is (`conversation.follow_up`).
    Where the CPU budget ends the search (`limits.py`), the hits are `partial`. Raises QueryError.
    """
    started = time.perf_counter()
    with store.within(search_budget(limit)):
        hits = store.search(combined(query, earlier, where), limit=limit, sort=sort, as_of=as_of)
    return SearchResult(query, as_of, hits, round((time.perf_counter() - started) * 1000, 2))


def combined(query: str, earlier: Sequence[str] = (), where: str = "") -> str:
    """One query out of a query, the queries before it and a filter."""
    if earlier and query.strip():
        request = interpret(query, earlier=earlier, where=where)
        query, where = request.question, request.where
    parts = [part for part in (query.strip(), where.strip()) if part]
    return query if len(parts) < 2 and not where.strip() else " ".join(f"({part})" for part in parts)


def search_json(found: SearchResult) -> dict[str, Any]:
    """A search result as the JSON of docs/api.md."""
    return {
        "query": found.query,
        "as_of": iso(found.as_of),
        "took_ms": found.took_ms,
        "partial": found.hits.partial,
        "hits": [post_json(hit) for hit in found.hits],
    }
