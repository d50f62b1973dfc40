"""Count posts over time: those about a question, and those that match a query."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from trinch.answers import request as requests
from trinch.answers.evidence import PostGroup, authors
from trinch.answers.question import understand
from trinch.answers.retrieval import gather
from trinch.posts.schema import UNDATED
from trinch.posts.times import iso, now
from trinch.service.ask import AskRequest, filtered
from trinch.service.limits import answer_budget
from trinch.service.search import combined
from trinch.service.serialize import post_json
from trinch.store.budget import Budget
from trinch.store.pages import tally
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
    found = [hit for source in sources for hit in source.hits]
    times = sorted(hit.at for hit in found if hit.at != UNDATED)
    width, volume = count_buckets(times)
    moment = now() if request.as_of is None else request.as_of
    return {
        "asked": request.question,
        "topic": requests.interpret(request.question, moment, store).topic,
        "partial": budget.is_used_up,
        "posts": len(found),
        "undated": len(found) - len(times),
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


Unit = Literal["minute", "hour", "day"]
UNITS: tuple[Unit, ...] = get_args(Unit)
_LENGTHS = {"minute": 60 * _SECOND, "hour": 3600 * _SECOND, "day": 86400 * _SECOND}


def counts_json(
    store: Store,
    query: str,
    by: Unit = "day",
    *,
    earlier: Sequence[str] = (),
    where: str = "",
    as_of: int | None = None,
    limited: bool = False,
) -> dict[str, Any]:
    """How many posts match a query in each minute, hour or day, UTC (the shape of /v1/counts, docs/api.md).

    `limited` bounds the CPU time. Raises QueryError."""
    with store.within(answer_budget() if limited else Budget()) as budget:
        counted, undated = tally(store, combined(query, earlier, where), _LENGTHS[by], as_of)
    return {
        "query": query,
        "as_of": iso(as_of),
        "by": by,
        "total": {"posts": counted.total() + undated, "exact": not budget.is_used_up},
        "undated": undated,
        "counts": [{"start": iso(start), "posts": counted[start]} for start in sorted(counted)],
    }


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
