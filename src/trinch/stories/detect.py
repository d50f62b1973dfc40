"""The stories of a window of time: what is posted about more than before, grouped by happening, most newsworthy first.

Computed when asked for, from the index of terms (`term_index.py`); the text of a post is read only where it may be
shown, and only if it is visible at that instant. So a deleted or hidden post is in no story, and a story as of a time
depends on nothing later, but for how common its words are in the whole store.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

import msgspec
import numpy as np

from trinch.answers.claims import Picked
from trinch.store.budget import Budget
from trinch.store.store import Store
from trinch.stories import quotes
from trinch.stories.about import about as about_of
from trinch.stories.baseline import DAY
from trinch.stories.bursts import DAYS, FEWEST, RATIO
from trinch.stories.clusters import Cluster, group
from trinch.stories.leading import ordered
from trinch.stories.packed import mark_hash
from trinch.stories.ranking import Rank
from trinch.stories.term_index import ANY, Only, TermIndex
from trinch.stories.texts import Text
from trinch.stories.types import Status, Story
from trinch.stories.window import Bursting, Window, bursting, read
from trinch.stories.words import marks, surface, topical

CATCH_UP_MS = 800.0
"""CPU time that a request gives to bringing the index of terms up to date; a server has a process for that."""
MOST_STORIES = 50
"""Up to here a list holds leading stories only; a longer one, all."""
VOLUME = 24
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
RISING, FADING = 1.5, 0.5
HOUR = 3_600_000_000
QUARTER = HOUR // 4


class Found(NamedTuple):
    """The clusters of a window, best first, with what they were made of."""

    store: Store
    term_index: TermIndex
    window: Window
    terms: Bursting
    ranked: list[tuple[Rank, Cluster]]

    def read(self, places: Iterable[int]) -> list[Text]:
        """Texts of the window with their visible posts; one without visible posts is left out."""
        rows = {place: self.window.carriers[place] for place in places}
        seqs = [int(self.window.posts.seq[row]) for several in rows.values() for row in several]
        visible = self.store.log.visible(seqs, self.window.as_of)
        texts = []
        for several in rows.values():
            posts = [visible[seq] for row in several if (seq := int(self.window.posts.seq[row])) in visible]
            if posts:
                first = posts[0].post
                texts.append(Text(topical(first.text, first.lang), marks(first), posts))
        return texts


@contextmanager
def detect(store: Store, as_of: int, window: int, only: Only = ANY) -> Iterator[Found]:
    """Find the clusters of the posts of the last `window` microseconds before `as_of`."""
    index = TermIndex(store.data, store.log)
    try:
        if not index.catch_up(Budget(CATCH_UP_MS)):
            store.budget.is_used_up = True  # the result is marked partial
        found = read(index, as_of, window, only)
        terms = bursting(store.log, found)
        clusters = group(len(found.carriers), terms.bursts, terms.holders)
        yield Found(store, index, found, terms, ordered(store.log, found, terms, clusters))
    finally:
        index.close()


def stories(
    store: Store, as_of: int, window: int, *, limit: int = 10, about: str = "", only: Only = ANY
) -> list[Story]:
    """The leading stories of a window, best first; of a long list (`limit` above MOST_STORIES), the small ones too.

    `about` is a query of search operators or a subject (about.py). Raises QueryError."""
    wanted = about_of(about)
    kept: list[Story] = []
    with detect(store, as_of, window, only) as found:
        for ranked, cluster in found.ranked:
            if len(kept) == limit:
                break
            if limit > MOST_STORIES or ranked.leads:
                texts = found.read(cluster.texts)
                if wanted.fits(texts, as_of) and (story := describe(found, ranked, cluster, texts)):
                    kept.append(story)
    return _related(kept)


def headlines(
    store: Store, as_of: int, window: int, *, limit: int, about: Sequence[str] = (), only: Only = ANY
) -> list[Picked]:
    """The headlines of `stories`, as answers take them; each must fit all of `about`. Raises QueryError."""
    wanted = [about_of(text) for text in about]
    picked: list[Picked] = []
    with detect(store, as_of, window, only) as found:
        for ranked, cluster in found.ranked:
            if len(picked) == limit or not ranked.leads:
                break
            texts = found.read(cluster.texts)
            if all(one.fits(texts, as_of) for one in wanted):
                candidates = quotes.candidates(texts, cluster.weights, as_of, others(found, cluster))
                picked += quotes.picked(quotes.key_points(candidates, 0), candidates)
    return picked


def describe(
    found: Found, ranked: Rank, cluster: Cluster, texts: Sequence[Text], id: str = ""
) -> Story | None:
    """A cluster as a story, of its visible texts; None where they hold no sentence fit to be quoted. `id`: where it is
    known from another window."""
    as_of = found.window.as_of
    candidates = quotes.candidates(texts, cluster.weights, as_of, others(found, cluster))
    chosen = quotes.key_points(candidates, quotes.POINTS)
    if not chosen:
        return None
    headline, *points = quotes.claims(chosen, candidates, found.store, as_of)
    posts = [version.post for text in texts for version in text.posts]
    times = sorted(version.at for text in texts for version in text.posts)
    status, rate, acceleration = pace(times, found.window.since, as_of)
    own = _own_marks(found, cluster, texts)
    return Story(
        id=id or id_of(found, cluster),
        headline=headline,
        summary=tuple(points),
        status=status,
        first_seen=times[0],
        last_seen=times[-1],
        posts=len(posts),
        authors=len({text.source for text in texts}),
        volume=volume(times, found.window.since, as_of),
        rate=rate,
        acceleration=acceleration,
        languages=_counted(post.lang for post in posts),
        networks=_counted(post.network for post in posts),
        tags=_often(own, "#"),
        names=_names(cluster, texts),
        links=_often(own, "link:"),
        since=found.window.since,
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


def _own_marks(found: Found, cluster: Cluster, texts: Sequence[Text]) -> Counter[str]:
    """How many texts of a story hold each tag and link, without those of which another leading story holds a larger
    share."""
    elsewhere: Counter[int] = Counter()
    for ranked, other in found.ranked[:LEADING]:
        if ranked.leads and other is not cluster:
            held = (found.window.posts.marks[found.window.first[place]] for place in other.texts)
            counts = Counter(np.frombuffer(b"".join(held), dtype=np.uint32).tolist())
            elsewhere |= Counter({mark: n / len(other.texts) for mark, n in counts.items()})
    counted = Counter(mark for text in texts for mark in text.marks)
    return Counter({mark: n for mark, n in counted.items() if n / len(texts) >= elsewhere[mark_hash(mark)]})


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


def volume(times: Sequence[int], since: int, as_of: int) -> tuple[int, ...]:
    """How many of some times are in each of VOLUME equal parts from `since` to `as_of`."""
    counts = Counter((at - since) * VOLUME // (as_of - since + 1) for at in times)
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


def name_of(found: Found, cluster: Cluster) -> str:
    """The term that names a story: of its most frequent words the one that fewest posts of the store hold.

    The strongest term changes as a story grows; this one seldom does."""
    bursts = found.terms.bursts
    words = [term for term in cluster.terms if " " not in term] or [cluster.root]
    most = max(bursts[word].found for word in words)
    frequent = [word for word in words if bursts[word].found >= NAMING * most]
    return min(frequent, key=lambda word: (found.store.doc_freq(word), word))


def onset(root: str, found: Found) -> int:
    """The day (from 1970) on which a term began to burst: the first day of the window with FEWEST texts of it, or an
    earlier one if it burst on each day between."""
    window, burst = found.window, found.terms.bursts[root]
    days = Counter((window.times[found.terms.holders[root]] // DAY).tolist())
    enough = [day for day in sorted(days) if days[day] >= FEWEST]
    day, size = enough[0] if enough else min(days), max(1, len(window.carriers))
    while day > window.since // DAY - DAYS and is_burst(root, day - 1, burst.quiet / size, found.term_index):
        day -= 1
    return int(day)


def is_burst(term: str, day: int, share: float, index: TermIndex) -> bool:
    """Whether a term burst on a whole day, where `share` of the texts of ordinary days hold it."""
    counts = index.day(day)
    held = counts.held(term)
    return held >= FEWEST and held >= RATIO * share * counts.texts


def id_of(found: Found, cluster: Cluster) -> str:
    """The id of a cluster of a window."""
    name = name_of(found, cluster)
    return story_id(name, onset(name, found))


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
