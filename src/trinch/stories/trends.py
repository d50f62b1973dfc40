"""Trends: tags, words, names and links that are used more than on ordinary days, each with the story behind it."""

from collections import Counter
from collections.abc import Iterator

import msgspec

from trinch.store.store import Store
from trinch.stories.bursts import Burst
from trinch.stories.detect import MOST_STORIES, WRITTEN, Found, as_written, describe, detect
from trinch.stories.ranking import factor
from trinch.stories.term_index import ANY, Only
from trinch.stories.types import Kind, Story, Trend
from trinch.stories.window import bursting_marks

BEHIND = 0.4
"""Share of the texts of a trend that must belong to a story for that to be the story behind it."""


def trends(
    store: Store, as_of: int, window: int, *, limit: int = 20, kind: Kind | None = None, only: Only = ANY
) -> list[Trend]:
    """What rose most in the last `window` microseconds before `as_of`; of each story, the strongest of each kind.

    What no happening is behind (no story, or a discounted one) ranks lower."""
    with detect(store, as_of, window, only) as found:
        story_of = {place: n for n, (_, cluster) in enumerate(found.ranked) for place in cluster.texts}
        ranked: list[tuple[float, Trend, int]] = []
        for trend, texts in _candidates(found, kind):
            behind = Counter(story_of[place] for place in texts if place in story_of).most_common(1)
            number = behind[0][0] if behind and behind[0][1] >= BEHIND * len(texts) else -1
            leads = number >= 0 and found.ranked[number][0].leads
            reasons = found.ranked[number][0].discounts if number >= 0 else ()
            worth = trend.score * factor(reasons) * (1.0 if leads else UNEXPLAINED)
            shown = msgspec.structs.replace(trend, score=round(worth, 2), discounts=reasons)
            ranked.append((worth, shown, number))
        ranked.sort(key=lambda row: (-row[0], row[1].kind, row[1].text))
        return _shown(found, ranked, limit)


UNEXPLAINED = 0.2
"""What a trend counts for that no leading story is behind."""


def _candidates(found: Found, kind: Kind | None) -> Iterator[tuple[Trend, list[int]]]:
    """Everything that bursts, with the texts that hold it. The text of words is that of the index yet."""
    for term, burst in found.terms.bursts.items():
        of: Kind = "name" if " " in term else "word"
        if kind in (None, of):
            yield _trend(of, term, burst), found.terms.holders[term]
    if kind in (None, "tag", "link"):
        marked = bursting_marks(found.store.log, found.window)
        for mark, burst in marked.bursts.items():
            of = "tag" if mark[0] == "#" else "link"
            if kind in (None, of) and not mark.endswith("…"):  # as copied by hand or cut off in a repost
                yield _trend(of, mark.removeprefix("link:"), burst), marked.holders[mark]


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


def _shown(found: Found, ranked: list[tuple[float, Trend, int]], limit: int) -> list[Trend]:
    """The first `limit`, at most one of a kind for each story, as people write them, with their stories. A word is not
    shown beside a name that holds it."""
    stories: dict[int, Story | None] = {-1: None}
    taken: set[tuple[int, str]] = set()
    names: dict[int, list[str]] = {}
    for _, trend, number in ranked:
        if trend.kind == "name":
            names.setdefault(number, trend.text.split())
    shown: list[Trend] = []
    for _, trend, number in ranked:
        if len(shown) == limit:
            break
        if number >= 0 and ((number, trend.kind) in taken or trend.text in names.get(number, ())):
            continue
        taken.add((number, trend.kind))
        if number not in stories and len(stories) <= MOST_STORIES:
            of, cluster = found.ranked[number]
            stories[number] = describe(found, of, cluster, found.read(cluster.texts))
        story = stories.get(number)
        text = trend.text
        if trend.kind in ("word", "name"):
            text = as_written(text, found.read(found.terms.holders[text][:WRITTEN]))
        behind = {"story": story.id, "headline": story.headline.text} if story else {}
        shown.append(msgspec.structs.replace(trend, text=text, **behind))
    return shown
