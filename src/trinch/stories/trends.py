"""Trends: tags, words, names and links that are used more than on ordinary days, each with the story behind it."""

from collections import Counter, defaultdict
from collections.abc import Iterator

import msgspec

from trinch.store.store import Store
from trinch.stories.bursts import Burst, bursts
from trinch.stories.detect import MOST_STORIES, Found, as_written, describe, detect
from trinch.stories.ranking import factor
from trinch.stories.types import Kind, Story, Trend

BEHIND = 0.4
"""Share of the texts of a trend that must belong to a story for that to be the story behind it."""


def trends(
    store: Store, as_of: int, window: int, *, limit: int = 20, kind: Kind | None = None
) -> list[Trend]:
    """What rose most in the last `window` microseconds before `as_of`; of each story, the strongest of each kind.

    What no happening is behind (no story, or a discounted one) ranks lower."""
    found = detect(store, as_of, window)
    story_of = {place: number for number, (_, cluster) in enumerate(found.ranked) for place in cluster.texts}
    ranked: list[tuple[float, Trend, int]] = []
    for trend, texts in _candidates(store, found, kind):
        behind = Counter(story_of[place] for place in texts if place in story_of).most_common(1)
        number = behind[0][0] if behind and behind[0][1] >= BEHIND * len(texts) else -1
        leads = number >= 0 and found.ranked[number][0].leads
        reasons = found.ranked[number][0].discounts if number >= 0 else ()
        worth = trend.score * factor(reasons) * (1.0 if leads else UNEXPLAINED)
        ranked.append(
            (worth, msgspec.structs.replace(trend, score=round(worth, 2), discounts=reasons), number)
        )
    ranked.sort(key=lambda row: (-row[0], row[1].kind, row[1].text))
    shown = _shown(store, found, ranked, limit)
    found.baseline.close()
    return shown


UNEXPLAINED = 0.2
"""What a trend counts for that no leading story is behind."""


def _candidates(store: Store, found: Found, kind: Kind | None) -> Iterator[tuple[Trend, list[int]]]:
    """Everything that bursts, with the texts that hold it. The text of words is that of the index yet."""
    for term, burst in found.bursts.items():
        of: Kind = "name" if " " in term else "word"
        if kind in (None, of):
            yield _trend(of, term, burst), found.holders[term]
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(found.texts):
        for mark in text.marks:
            holders[mark].append(place)
    size = max(1, store.num_posts)
    marked = bursts(holders, len(found.texts), found.before, lambda mark: store.doc_freq(mark) / size)
    for mark, burst in marked.items():
        of = "tag" if mark[0] == "#" else "link"
        if kind in (None, of):
            yield _trend(of, mark.removeprefix("link:"), burst), holders[mark]


def _trend(kind: Kind, text: str, burst: Burst) -> Trend:
    return Trend(
        kind=kind,
        text=text,
        posts=burst.found,
        expected=round(burst.expected, 2),
        growth=round(burst.found / burst.expected, 2),
        score=burst.score,
        story="",
        headline="",
        discounts=(),
    )


def _shown(store: Store, found: Found, ranked: list[tuple[float, Trend, int]], limit: int) -> list[Trend]:
    """The first `limit`, at most one of a kind for each story, as people write them, with their stories."""
    stories: dict[int, Story | None] = {-1: None}
    taken: set[tuple[int, str]] = set()
    shown: list[Trend] = []
    for _, trend, number in ranked:
        if len(shown) == limit:
            break
        if (number, trend.kind) in taken and number >= 0:
            continue
        taken.add((number, trend.kind))
        if number not in stories and len(stories) <= MOST_STORIES:
            stories[number] = describe(store, found, *found.ranked[number])
        story = stories.get(number)
        text = as_written(trend.text, found.texts) if trend.kind in ("word", "name") else trend.text
        behind = {"story": story.id, "headline": story.headline.text} if story else {}
        shown.append(msgspec.structs.replace(trend, text=text, **behind))
    return shown
