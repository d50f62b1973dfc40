"""What the posts about a question look like together: how many voices, since when, how many over time.

Owns the buckets. The evidence is the same that answers are made of (`answers/retrieval.py`). Knows nothing of HTTP.
"""

import time
from typing import Any

from trinch.answers.evidence import PostGroup, authors
from trinch.answers.question import understand
from trinch.answers.retrieval import gather
from trinch.posts.times import iso
from trinch.service.ask import AskRequest, FilteredStore
from trinch.service.serialize import post_json
from trinch.store.store import Store

BUCKETS = 48
"""Buckets at most."""

_SECOND = 1_000_000
_WIDTHS = [
    n * _SECOND for n in (1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)
]


def evidence_json(store: Store, asked: AskRequest) -> dict[str, Any]:
    """The posts that speak of what is asked, counted (native shape, docs/api.md)."""
    sources = _gathered(store, asked)
    times = sorted(hit.at for source in sources for hit in source.hits)
    width, volume = count_buckets(times)
    return {
        "asked": asked.question,
        "posts": len(times),
        "authors": authors(sources),
        "first_seen": iso(times[0]) if times else None,
        "last_seen": iso(times[-1]) if times else None,
        "bucket_seconds": width // _SECOND,
        "volume": [{"start": iso(start), "posts": count} for start, count in volume],
    }


def retrieved_posts(store: Store, asked: AskRequest, most: int) -> list[dict[str, Any]]:
    """The posts that an answer is chosen from, each as by `post_json`, copies left out."""
    return [post_json(source.best) for source in _gathered(store, asked)[:most]]


def _gathered(store: Store, asked: AskRequest) -> tuple[PostGroup, ...]:
    sea = FilteredStore(store, asked.where) if asked.where else store
    moment = time.time_ns() // 1000 if asked.as_of is None else asked.as_of
    gathered = gather(understand(asked.question, moment, sea), sea, moment)
    return gathered.sources if gathered.enough else ()


def count_buckets(times: list[int]) -> tuple[int, list[tuple[int, int]]]:
    """Sorted times counted in buckets of the narrowest round width that needs at most BUCKETS; empty ones too."""
    if not times:
        return 0, []
    span = times[-1] - times[0]
    width = next((w for w in _WIDTHS if span // w + 2 <= BUCKETS), 0)
    while not width or span // width + 2 > BUCKETS:
        width = max(width * 2, 365 * 86400 * _SECOND)
    start = times[0] // width * width
    counts = [0] * ((times[-1] - start) // width + 1)
    for at in times:
        counts[(at - start) // width] += 1
    return width, [(start + i * width, count) for i, count in enumerate(counts)]
