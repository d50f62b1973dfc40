"""Posts that match a search as they arrive: what was ingested since a position of the log."""

from typing import Any

from trinch.service.limits import search_budget
from trinch.service.search import combined
from trinch.service.serialize import post_json
from trinch.store import pages
from trinch.store.query import parse_with_hints
from trinch.store.store import Store
from trinch.store.text_index import INDEX, read_position


def end_of_index(store: Store) -> int:
    """The position of the log up to which posts are searchable."""
    return read_position(store.data / INDEX)


def query_hints(store: Store, query: str, where: str = "") -> list[str]:
    """What of a query was taken for words. Raises QueryError."""
    return parse_with_hints(combined(query, (), where))[1]


def new_matches(store: Store, query: str, where: str, after: int, limit: int) -> dict[str, Any]:
    """The newest `limit` visible posts that match, of those that became searchable after a position, oldest first.

    `{position, matched, skipped, partial, hits}`: go on from `position`; `skipped` matched but are beyond `limit`;
    `partial`: the CPU budget of a search ended it. Raises QueryError."""
    position = max(after, end_of_index(store))
    with store.within(search_budget(limit)) as budget:
        found = list(pages.scan(store, combined(query, (), where), after=after, through=position))
    kept = found[-limit:]
    return {
        "position": position,
        "matched": len(found),
        "skipped": len(found) - len(kept),
        "partial": budget.is_used_up,
        "hits": [post_json(hit) for hit in kept],
    }
