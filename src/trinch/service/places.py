"""The places where the posts of a search were written, with the number of posts of each."""

import math
from typing import Any

from trinch.posts.schema import Post
from trinch.posts.times import iso
from trinch.service.limits import answer_budget
from trinch.store.budget import Budget
from trinch.store.pages import scan
from trinch.store.query import joined
from trinch.store.store import Store

LIMIT = 300
"""Places that are returned."""

CELL = 0.1
"""Degrees of a cell in which posts with coordinates and without a named place are counted together."""

Key = tuple[str, str, int, int]
"""Name, country and cell of a place; a name means one place within a few degrees."""

_NAMED_CELL = 2.0


class _Place:
    """What is counted of one place."""

    def __init__(self, post: Post) -> None:
        self.name, self.country = post.place, post.country
        self.posts = 0
        self.north = self.east = 0.0

    def add(self, post: Post) -> None:
        self.posts += 1
        self.north += post.latitude or 0.0
        self.east += post.longitude or 0.0


def places_json(
    store: Store,
    query: str = "",
    where: str = "",
    as_of: int | None = None,
    limit: int = LIMIT,
    limited: bool = False,
) -> dict[str, Any]:
    """Where the posts that match a query were written, most posts first (the shape of /v1/places, docs/api.md).

    Only posts with coordinates count. `limited` bounds the CPU time. Raises QueryError."""
    found: dict[Key, _Place] = {}
    with store.within(answer_budget() if limited else Budget()) as budget:
        for hit in scan(store, joined(query, where, "has:geo"), as_of):
            post = hit.post
            if (key := _key(post)) is not None:
                found.setdefault(key, _Place(post)).add(post)
    ranked = sorted(found.items(), key=lambda item: (-item[1].posts, item[0]))
    return {
        "query": query,
        "as_of": iso(as_of),
        "places": [_shown(place) for _, place in ranked[:limit]],
        "left_out": max(0, len(ranked) - limit),
        "total": {"posts": sum(place.posts for place in found.values()), "exact": not budget.is_used_up},
    }


def _key(post: Post) -> Key | None:
    if post.latitude is None or post.longitude is None:
        return None
    cell = _NAMED_CELL if post.place else CELL
    return post.place, post.country, math.floor(post.latitude / cell), math.floor(post.longitude / cell)


def _shown(place: _Place) -> dict[str, Any]:
    return {
        "name": place.name or None,
        "country": place.country or None,
        "latitude": round(place.north / place.posts, 4),
        "longitude": round(place.east / place.posts, 4),
        "posts": place.posts,
    }
