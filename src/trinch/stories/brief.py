"""A brief: the leading stories since a time, which of them are new since then, and how the others went on."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from trinch.answers.claims import Picked
from trinch.store.store import Store
from trinch.stories import quotes
from trinch.stories.about import about
from trinch.stories.clusters import Cluster
from trinch.stories.detect import Found, describe, detect, id_of, others
from trinch.stories.packed import term_hash
from trinch.stories.ranking import Rank
from trinch.stories.texts import Text
from trinch.stories.timeline import developments
from trinch.stories.types import Development, Story
from trinch.stories.window import Window

LINES = 4
"""Most developments of a story."""
WORDS = 8
"""Strongest words by which a story is recognised in another time."""
TOGETHER = 3
"""So many of them a text must hold to be about the story; 2 where it has fewer than five."""
FEWEST = 4
"""Such texts that make a story of another time, too."""
OVERLAP = 0.5
"""Share of the texts about a story that other stories may hold for it to be shown beside them."""
ENDED = 3
"""Most stories shown that led before and are posted about no more."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One story of a brief."""

    story: Story
    is_new: bool
    """Whether hardly anything was posted about it in a time as long before."""
    developments: tuple[Development, ...]
    """What was said since, in order of time, one sentence that says something new for each part of the time."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """The stories about one topic."""

    topic: str
    """As it was asked for; empty for all."""
    entries: tuple[Entry, ...]


class Brief(msgspec.Struct, frozen=True, kw_only=True):
    """What happened."""

    sections: tuple[Section, ...]
    ended: tuple[Story, ...]
    """Stories that led in a time as long before and are posted about no more; none where topics were asked for."""


def brief(store: Store, as_of: int, since: int, topics: Sequence[str] = (), limit: int = 8) -> Brief:
    """What happened from `since` to `as_of` (microseconds): of each topic at most `limit` stories, best first.

    A topic is a search query or a subject (about.py). Each story is in the section of the first topic that fits. Raises
    QueryError.
    """
    wanted = [(topic, about(topic)) for topic in topics] or [("", about(""))]
    with detect(store, since, as_of - since) as before, detect(store, as_of, as_of - since) as now:
        entries: dict[str, list[Entry]] = {topic: [] for topic, _ in wanted}
        for one in _happenings(before, now):
            if all(len(found) == limit for found in entries.values()):
                break
            texts = now.read(one.cluster.texts)
            topic = next((name for name, asked in wanted if asked.fits(texts, as_of)), None)
            if topic is not None and len(entries[topic]) < limit:
                entries[topic] += _entry(now, one, texts)
        sections = tuple(Section(topic=topic, entries=tuple(found)) for topic, found in entries.items())
        return Brief(sections=sections, ended=() if topics else tuple(_ended(before, now)))


def picked_brief(
    store: Store, as_of: int, since: int, about_all: Sequence[str], most: int, names: tuple[str, str]
) -> list[Picked]:
    """The headlines of the stories that fit all of some topics, each with one development, as answers take them.
    `names` label those that are new and those that went on. Raises QueryError."""
    wanted = [about(topic) for topic in about_all]
    picked: list[Picked] = []
    shown = 0
    with detect(store, since, as_of - since) as before, detect(store, as_of, as_of - since) as now:
        for one in _happenings(before, now):
            texts = now.read(one.cluster.texts)
            if shown < most and all(asked.fits(texts, as_of) for asked in wanted):
                shown += 1
                weights = one.cluster.weights
                candidates = quotes.candidates(texts, weights, as_of, others(now, one.cluster))
                chosen = quotes.picked(quotes.key_points(candidates, 1), candidates)
                picked += [quote._replace(label=names[not one.is_new]) for quote in chosen]
    return picked


class _Happening(NamedTuple):
    """A story of the time after; `id` where it is known by that of the time before."""

    ranked: Rank
    cluster: Cluster
    is_new: bool
    id: str = ""


def _happenings(before: Found, now: Found) -> Iterator[_Happening]:
    """The leading stories of the time after, then those that led before and are posted about as ever: they do not burst."""
    shown_texts = set[int]()
    for ranked, cluster in now.ranked:
        if ranked.leads:
            shown_texts.update(cluster.texts)
            yield _Happening(ranked, cluster, len(mentions(cluster, before.window)) < FEWEST)
    for ranked, cluster in before.ranked:
        texts = mentions(cluster, now.window)
        if (
            ranked.leads
            and len(texts) >= FEWEST
            and len(shown_texts.intersection(texts)) < OVERLAP * len(texts)
        ):
            shown_texts.update(texts)
            yield _Happening(ranked, cluster._replace(texts=texts), False, id_of(before, cluster))


def _entry(found: Found, one: _Happening, texts: Sequence[Text]) -> Iterable[Entry]:
    story = describe(found, one.ranked, one.cluster, texts, one.id)
    if story:
        quoted = {claim.text for claim in (story.headline, *story.summary)}
        lines = developments(found, one.cluster, texts, LINES)
        fresh = tuple(line for line in lines if line.claim.text not in quoted)
        yield Entry(story=story, is_new=one.is_new, developments=fresh)


def mentions(cluster: Cluster, window: Window) -> list[int]:
    """The texts of a window that hold enough of the strongest words of a story of another time."""
    words = list(dict.fromkeys(word for term in cluster.terms for word in term.split(" ")))[:WORDS]
    hashes = np.array([term_hash(word) for word in words], dtype=np.uint32)
    held = np.bincount(window.terms.text[np.isin(window.terms.hash, hashes)], minlength=1)
    needed = min(len(words), TOGETHER if len(words) >= 2 * TOGETHER - 1 else 2)
    enough: list[int] = np.flatnonzero(held >= needed).tolist()
    return enough


def _ended(before: Found, now: Found) -> list[Story]:
    """The first leading stories of the time before that hardly any text of the time after is about."""
    ended: list[Story] = []
    for ranked, cluster in before.ranked:
        if len(ended) == ENDED or not ranked.leads:
            break
        if len(mentions(cluster, now.window)) < FEWEST:
            story = describe(before, ranked, cluster, before.read(cluster.texts))
            ended += [story] if story else []
    return ended
