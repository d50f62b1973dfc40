"""Count the posts about a question: authors, first and last, number over time."""

from typing import Any

from trinch.answers.evidence import PostGroup, authors
from trinch.answers.question import understand
from trinch.answers.retrieval import gather
from trinch.posts.times import iso, now
from trinch.service.ask import AskRequest, filtered
from trinch.service.limits import answer_budget
from trinch.service.serialize import post_json
from trinch.store.store import Store

BUCKETS = 48
"""Most buckets of a volume chart."""

_SECOND = 1_000_000
_WIDTHS = [
    n * _SECOND for n in (1, 5, 15, 60, 300, 900, 3600, 3 * 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)
]


def evidence_json(store: Store, request: AskRequest) -> dict[str, Any]:
    """Counts of the posts that are evidence for a question (the shape of /v1/evidence, docs/api.md)."""
    with store.within(answer_budget()) as budget:
        sources = _gathered(store, request)
    times = sorted(hit.at for source in sources for hit in source.hits)
    width, volume = count_buckets(times)
    return {
        "asked": request.question,
        "partial": budget.is_used_up,
        "posts": len(times),
        "authors": authors(sources),
        "first_seen": iso(times[0]) if times else None,
        "last_seen": iso(times[-1]) if times else None,
        "bucket_seconds": width // _SECOND,
        "volume": [{"start": iso(start), "posts": count} for start, count in volume],
    }


def retrieved_posts(store: Store, request: AskRequest, most: int) -> list[dict[str, Any]]:
    """The posts from which an answer is chosen, best first, without copies, each as by `post_json`."""
    with store.within(answer_budget()):
        return [post_json(source.best) for source in _gathered(store, request)[:most]]


def _gathered(store: Store, request: AskRequest) -> tuple[PostGroup, ...]:
    part = filtered(store, request.where)
    moment = now() if request.as_of is None else request.as_of
    gathered = gather(understand(request.question, moment, part), part, moment)
    return gathered.sources if gathered.enough else ()


def count_buckets(times: list[int]) -> tuple[int, list[tuple[int, int]]]:
    """(width, [(start, count)]) of sorted times, in microseconds: the narrowest round width that needs at most
    BUCKETS buckets, empty ones included."""
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
