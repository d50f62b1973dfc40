"""One story by its id, with its developments in time."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from trinch.answers.candidates import QuoteCandidate
from trinch.store.store import Store
from trinch.stories import quotes
from trinch.stories.baseline import DAY
from trinch.stories.clusters import Cluster
from trinch.stories.detect import Found, describe, detect, others, slug
from trinch.stories.ranking import Rank
from trinch.stories.texts import Text
from trinch.stories.types import Development, Story

DAYS = 3
"""Days of a story that are read, from the one in its id."""
LINES = 12
"""Most lines of a timeline."""
SHORTEST = 15 * 60 * 1_000_000
"""Least time between two lines."""
READ = 300
"""Texts read for a timeline."""

_ID = re.compile(r"(.+)-(\d{4}-\d\d-\d\d)")


def story(store: Store, id: str, as_of: int) -> tuple[Story, list[Development]] | None:
    """The story with this id as of a time, from its first day on, with its timeline; None where there is none.

    An id is found by any of the story's strongest terms, so an older one goes on working as the story moves."""
    start = _start(id)
    if start is None or start > as_of:
        return None
    until = min(as_of, start + DAYS * DAY - 1)
    with detect(store, until, until - start + 1) as found:
        for ranked, cluster in _named(found, id[:-11]):
            texts = found.read(cluster.texts)
            if described := describe(found, ranked, cluster, texts):
                return msgspec.structs.replace(described, id=id), developments(found, cluster, texts)
    return None


def _start(id: str) -> int | None:
    """The first instant of the day in an id."""
    match = _ID.fullmatch(id)
    if match is None:
        return None
    try:
        return int(datetime.fromisoformat(match[2]).replace(tzinfo=UTC).timestamp()) * 1_000_000
    except ValueError:
        return None


def _named(found: Found, name: str) -> list[tuple[Rank, Cluster]]:
    """The clusters with a term of this name, those where it weighs most first."""
    named = [
        (max((weight for term, weight in pair[1].weights.items() if slug(term) == name), default=0.0), pair)
        for pair in found.ranked
    ]
    named.sort(key=lambda row: -row[0])
    return [pair for weight, pair in named if weight > 0]


def developments(
    found: Found, cluster: Cluster, texts: Sequence[Text], lines: int = LINES
) -> list[Development]:
    """In each of so many parts of the story's time the best sentence that says something new."""
    as_of = found.window.as_of
    candidates = quotes.candidates(texts, cluster.weights, as_of, others(found, cluster), READ)
    times = sorted(version.at for text in texts for version in text.posts)
    part = max(SHORTEST, (times[-1] - times[0]) // lines + 1)
    chosen: list[QuoteCandidate] = []
    for start in range(times[0], times[-1] + 1, part):
        inside = (c for c in candidates if start <= c.source.first < start + part)
        fresh = (c for c in inside if not any(quotes.repeats(c, other) for other in chosen))
        chosen += [best for best in [next(fresh, None)] if best]
    chosen.sort(key=lambda c: (c.source.first, c.source.best.post.id))
    starts = [candidate.source.first for candidate in chosen]
    return [
        Development(at=start, posts=_between(times, start, end), claim=claim)
        for start, end, claim in zip(
            starts,
            [*starts[1:], as_of + 1],
            quotes.claims(chosen, candidates, found.store, as_of),
            strict=True,
        )
    ]


def _between(times: Sequence[int], start: int, end: int) -> int:
    return bisect_left(times, end) - bisect_left(times, start)
