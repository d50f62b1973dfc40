"""The stories of a window of time: what is posted about more than before, grouped by happening, most newsworthy first.

Computed when asked for, from the posts that are visible at that instant, so a deleted or hidden post is in no story,
and a story as of a time depends on nothing later, but for how common its words are in the whole store. Only counts of
terms on earlier days are cached (`baseline.py`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np

from trinch.answers.claims import Picked
from trinch.store.query import Node, normalized, parse
from trinch.store.query_eval import Candidate, matches
from trinch.store.store import Store
from trinch.stories import quotes
from trinch.stories.baseline import DAY, Baseline, DayCounts, count
from trinch.stories.bursts import DAYS, FEWEST, PARTS, RATIO, UNEVEN, Burst, bursts, uneven
from trinch.stories.clusters import Cluster, group
from trinch.stories.ranking import Rank, rank
from trinch.stories.texts import Text, distinct
from trinch.stories.types import Status, Story
from trinch.stories.words import surface

MOST_POSTS = 24_000
"""Posts of a window that are read; of a busier one, an even sample."""
MOST_STORIES = 50
"""Up to here a list holds leading stories only; a longer one, all."""
ABOUT = 0.25
"""Share of its texts that must match for a story to be about a query."""
LISTED = 8
"""Most tags, names, links and terms of a story."""
WRITTEN = 20
"""Texts looked at for how a term is written."""
RECENT = 8
"""The last part of a window by which a story is new and its rate is measured: this fraction of the window."""
LEADING, NAMED = 5, 3
"""A sentence must not name one of so many leading stories, each known by so many terms."""
NAMING = 0.5
"""Share of the texts of the most frequent word of a story that the word in its id must have."""
SHARED = 2
"""Terms that related stories have in common."""
VOLUME = 24
"""Parts of the window in which the posts of a story are counted."""
RISING, FADING = 1.5, 0.5
HOUR = 3_600_000_000
QUARTER = HOUR // 4

Progress = Callable[[int, int], None]


class Found(NamedTuple):
    """The clusters of a window, best first, with what they were made of."""

    texts: list[Text]
    holders: dict[str, list[int]]
    bursts: dict[str, Burst]
    ranked: list[tuple[Rank, Cluster]]
    before: list[DayCounts]
    """The counts of the days before."""
    baseline: Baseline
    since: int
    as_of: int


def detect(store: Store, as_of: int, window: int, progress: Progress | None = None) -> Found:
    """Find the clusters of the posts of the last `window` microseconds before `as_of`."""
    since = as_of - window + 1
    texts = distinct(store.versions(since, as_of, as_of, MOST_POSTS))
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(texts):
        for term in text.terms:
            holders[term].append(place)
    baseline = Baseline(store)
    before = baseline.days(since // DAY - DAYS, since // DAY, progress) if texts else []
    if sum(day.texts for day in before) >= len(texts):
        size = max(1, store.num_posts)
        found = bursts(holders, len(texts), before, lambda word: store.doc_freq(word) / size)
    else:
        before, found = _within(texts, holders, since, window)
    clusters = group([text.terms for text in texts], found, holders) if found else []
    ranked = [(rank(cluster, texts, found), cluster) for cluster in clusters]
    ranked.sort(key=lambda pair: (-pair[0].score, pair[1].root))
    return Found(texts, dict(holders), found, ranked, before, baseline, since, as_of)


def _within(
    texts: list[Text], holders: Mapping[str, list[int]], since: int, window: int
) -> tuple[list[DayCounts], dict[str, Burst]]:
    """Parts of the window as days, and what bursts within it, for a window with nothing before it."""
    parts = np.array([(text.posts[0].at - since) * PARTS // window for text in texts], dtype=np.int64)
    days = [
        count([texts[place].terms + texts[place].marks for place in np.flatnonzero(parts == part)])
        for part in range(PARTS)
    ]
    found = bursts(holders, len(texts), days, lambda _: 0.0)
    return days, {term: burst for term, burst in found.items() if uneven(holders[term], parts) >= UNEVEN}


def stories(
    store: Store,
    as_of: int,
    window: int,
    *,
    limit: int = 10,
    about: str = "",
    progress: Progress | None = None,
) -> list[Story]:
    """The leading stories of a window, best first; of a long list (`limit` above MOST_STORIES), the small ones too.

    `about` is a query of search operators: only stories of which a quarter of the texts match it. Raises QueryError.
    """
    node = normalized(parse(about)) if about.strip() else None
    found = detect(store, as_of, window, progress)
    kept: list[Story] = []
    for ranked, cluster in found.ranked:
        if len(kept) == limit:
            break
        if (limit > MOST_STORIES or ranked.leads) and _is_about(node, cluster, found):
            story = describe(store, found, ranked, cluster)
            if story:
                kept.append(story)
    found.baseline.close()
    return _related(kept)


def headlines(store: Store, as_of: int, window: int, *, limit: int, about: str = "") -> list[Picked]:
    """The headlines of `stories`, as answers take them. Raises QueryError."""
    node = normalized(parse(about)) if about.strip() else None
    found = detect(store, as_of, window)
    picked: list[Picked] = []
    for ranked, cluster in found.ranked:
        if len(picked) < limit and ranked.leads and _is_about(node, cluster, found):
            texts = [found.texts[place] for place in cluster.texts]
            candidates = quotes.candidates(texts, cluster.weights, found.as_of, others(found, cluster))
            picked += quotes.picked(quotes.key_points(candidates, 0), candidates)
    found.baseline.close()
    return picked


def _is_about(node: Node | None, cluster: Cluster, found: Found) -> bool:
    if node is None:
        return True
    posts = [found.texts[place].posts[0] for place in cluster.texts]
    matching = sum(matches(node, Candidate(version.post, version.at), found.as_of) for version in posts)
    return matching >= max(1.0, ABOUT * len(posts))


def describe(store: Store, found: Found, ranked: Rank, cluster: Cluster) -> Story | None:
    """A cluster as a story; None where it holds no sentence fit to be quoted."""
    texts = [found.texts[place] for place in cluster.texts]
    candidates = quotes.candidates(texts, cluster.weights, found.as_of, others(found, cluster))
    chosen = quotes.key_points(candidates, quotes.POINTS)
    if not chosen:
        return None
    headline, *points = quotes.claims(chosen, candidates, store, found.as_of)
    posts = [version.post for text in texts for version in text.posts]
    times = sorted(version.at for text in texts for version in text.posts)
    status, rate, acceleration = pace(times, found.since, found.as_of)
    marks = Counter(mark for text in texts for mark in text.marks)
    return Story(
        id=story_id(name := name_of(store, found, cluster), onset(name, found)),
        headline=headline,
        summary=tuple(points),
        status=status,
        first_seen=times[0],
        last_seen=times[-1],
        posts=len(posts),
        authors=ranked.sources,
        rate=rate,
        acceleration=acceleration,
        languages=_counted(post.lang for post in posts),
        networks=_counted(post.network for post in posts),
        tags=_often(marks, "#"),
        names=_names(cluster, texts),
        links=_often(marks, "link:"),
        since=found.since,
        volume=volume(times, found.since, found.as_of),
        terms=cluster.terms[: 2 * LISTED],
        post_ids=tuple(post.id for post in posts),
        related=(),
        discounts=ranked.discounts,
        score=round(ranked.score, 2),
    )


def others(found: Found, cluster: Cluster) -> frozenset[str]:
    """The strongest terms of the other leading stories."""
    leading = (other for ranked, other in found.ranked[:LEADING] if ranked.leads and other is not cluster)
    return frozenset(term for other in leading for term in other.terms[:NAMED]) - cluster.weights.keys()


def pace(times: Sequence[int], since: int, as_of: int) -> tuple[Status, float, float]:
    """Status, posts an hour of late, and that rate divided by the one before, from the times of a story's posts."""
    part = max(QUARTER, (as_of - since) // RECENT)
    recent = sum(at > as_of - part for at in times)
    before = sum(as_of - 2 * part < at <= as_of - part for at in times)
    rate, acceleration = recent / part * HOUR, recent / max(before, 1)
    age = as_of - times[0]
    if age <= part:
        return "new", round(rate, 2), round(acceleration, 2)
    relative = recent / part * age / len(times)
    status: Status = "rising" if relative >= RISING else "fading" if relative <= FADING else "steady"
    return status, round(rate, 2), round(acceleration, 2)


def volume(times: Iterable[int], since: int, as_of: int) -> tuple[int, ...]:
    """Posts in each of VOLUME equal parts of a window, oldest first."""
    width = max(1, as_of - since)
    counts = Counter(min(max(0, (at - since) * VOLUME // width), VOLUME - 1) for at in times)
    return tuple(counts[part] for part in range(VOLUME))


def _names(cluster: Cluster, texts: Sequence[Text]) -> tuple[str, ...]:
    """The strongest pairs of words of a story, as its posts write them."""
    pairs = [term for term in cluster.terms if " " in term][:LISTED]
    return tuple(dict.fromkeys(as_written(pair, texts) for pair in pairs))


def as_written(term: str, texts: Sequence[Text]) -> str:
    """A term as most of the first texts that hold it write it."""
    holding = islice((text.posts[0].post for text in texts if term in text.terms), WRITTEN)
    return surface(term, [(post.text, post.lang) for post in holding])


def _counted(values: Iterable[str]) -> dict[str, int]:
    counts = Counter(values)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _often(marks: Counter[str], kind: str) -> tuple[str, ...]:
    """The marks of a kind that two texts or more hold, most frequent first, without the prefix of links."""
    kept = sorted((m for m in marks if m.startswith(kind) and marks[m] > 1), key=lambda m: (-marks[m], m))
    return tuple(mark.removeprefix("link:") for mark in kept[:LISTED])


def name_of(store: Store, found: Found, cluster: Cluster) -> str:
    """The term that names a story: of its most frequent words the one that fewest posts of the store hold.

    The strongest term changes as a story grows; this one seldom does."""
    words = [term for term in cluster.terms if " " not in term] or [cluster.root]
    most = max(found.bursts[word].found for word in words)
    frequent = [word for word in words if found.bursts[word].found >= NAMING * most]
    return min(frequent, key=lambda word: (store.doc_freq(word), word))


def onset(root: str, found: Found) -> int:
    """The day (from 1970) on which a term began to burst: the first day of the window with FEWEST texts of it, or an
    earlier one if it burst on each day between."""
    days = Counter(found.texts[place].posts[0].at // DAY for place in found.holders[root])
    enough = [day for day in sorted(days) if days[day] >= FEWEST]
    day = enough[0] if enough else min(days)
    burst, size = found.bursts[root], max(1, len(found.texts))
    while day > found.since // DAY - DAYS and is_burst(root, day - 1, burst.quiet / size, found.baseline):
        day -= 1
    return day


def is_burst(term: str, day: int, share: float, baseline: Baseline) -> bool:
    """Whether a term burst on a whole day, where `share` of the texts of ordinary days hold it."""
    counts = baseline.day(day)
    held = counts.held(term)
    return held >= FEWEST and held >= RATIO * share * counts.texts


def story_id(root: str, day: int) -> str:
    """The id of a story."""
    date = datetime.fromtimestamp(day * DAY // 1_000_000, UTC).date().isoformat()
    return f"{slug(root)}-{date}"


def slug(term: str) -> str:
    """A term as it is in an id."""
    return re.sub(r"[^\w]+", "-", term).strip("-")


def _related(found: list[Story]) -> list[Story]:
    """The stories, each with the ids of those of which it holds SHARED terms."""
    terms = {story.id: frozenset(word for term in story.terms for word in term.split(" ")) for story in found}
    return [
        msgspec.structs.replace(
            story,
            related=tuple(
                other
                for other in terms
                if other != story.id and len(terms[other] & terms[story.id]) >= SHARED
            ),
        )
        for story in found
    ]
