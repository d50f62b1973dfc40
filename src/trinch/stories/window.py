"""The different texts of a window of time, their terms, and which of these are used more than before."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trinch.posts.schema import Post
from trinch.store.log import Log
from trinch.stories import packed
from trinch.stories.baseline import DAY, DayCounts, count
from trinch.stories.bursts import DAYS, PARTS, UNEVEN, Burst, bursts, uneven
from trinch.stories.term_index import ANY, Only, TermIndex, Texts
from trinch.stories.words import marks, topical

MOST_POSTS = 24_000
"""Posts of a window that are read; of a busier one, an even sample."""


class Window(NamedTuple):
    """Posts of a time, grouped by text: reposts and exact copies of one text count once."""

    since: int
    as_of: int
    posts: Texts
    carriers: list[list[int]]
    """For each text the places of its posts in `posts`, earliest first."""
    first: NDArray[np.int64]
    """The first of these."""
    terms: packed.Terms
    before: list[DayCounts]
    """The days before, or parts of the window in their place."""
    is_whole: bool
    """Whether `before` is made of parts of the window."""
    usual: DayCounts

    @property
    def times(self) -> NDArray[np.int64]:
        """When each text was first posted."""
        return self.posts.at[self.first]


def read(index: TermIndex, as_of: int, window: int, only: Only = ANY) -> Window:
    """The texts of the last `window` microseconds before `as_of`."""
    since = as_of - window + 1
    posts = index.texts(since, as_of, MOST_POSTS, as_of, only)
    grouped: defaultdict[int, list[int]] = defaultdict(list)
    for place, opening in enumerate(packed.openings(posts.words).tolist()):
        grouped[opening].append(place)
    carriers = list(grouped.values())
    terms = packed.unpack([posts.words[places[0]] for places in carriers])
    before = index.days(since // DAY - DAYS, since // DAY, only) if carriers else []
    first = np.array([places[0] for places in carriers], dtype=np.int64)
    whole = Window(since, as_of, posts, carriers, first, terms, before, False, index.usual())
    if sum(day.texts for day in before) >= len(carriers):
        return whole
    return whole._replace(before=_parts(whole), is_whole=True, usual=count(0, terms.hash[:0]))


def _part_of(window: Window) -> NDArray[np.int64]:
    """The part of the window, 0 to PARTS - 1, in which each text was first posted."""
    return (window.times - window.since) * PARTS // (window.as_of - window.since + 1)


def _parts(window: Window) -> list[DayCounts]:
    """Parts of the window as days."""
    part, mark = _part_of(window), _marks(window)
    places = np.concatenate([part[window.terms.text], part[mark.text]])
    hashes = np.concatenate([window.terms.hash, mark.hash])
    return [count(int((part == n).sum()), hashes[places == n]) for n in range(PARTS)]


def _marks(window: Window) -> packed.Terms:
    """The tags and links of the texts, in the shape of terms."""
    blobs = [window.posts.marks[places[0]] for places in window.carriers]
    hashes = np.frombuffer(b"".join(blobs), dtype=np.uint32)
    return packed.Terms(
        np.repeat(np.arange(len(blobs)), [len(b) // 4 for b in blobs]), hashes, hashes, hashes
    )


class Bursting(NamedTuple):
    """The terms of a window that burst."""

    bursts: dict[str, Burst]
    """Strongest first."""
    holders: dict[str, list[int]]
    """The texts that hold each."""


def bursting(log: Log, window: Window) -> Bursting:
    """The bursting words and pairs of words."""
    return _named(log, window, window.terms, lambda post: topical(post.text, post.lang), packed.term_hash)


def bursting_marks(log: Log, window: Window) -> Bursting:
    """The bursting tags and links."""
    return _named(log, window, _marks(window), marks, packed.mark_hash)


def _named(
    log: Log,
    window: Window,
    terms: packed.Terms,
    read: Callable[[Post], Iterable[str]],
    hash_of: Callable[[str], int],
) -> Bursting:
    """The bursts among some terms by name; those of which no visible post is left are dropped."""
    found = bursts(terms, len(window.carriers), window.before, window.usual)
    kept = np.isin(terms.hash, np.fromiter(found, dtype=np.uint32, count=len(found)))
    holders: defaultdict[int, list[int]] = defaultdict(list)
    for text, hash in zip(terms.text[kept].tolist(), terms.hash[kept].tolist(), strict=True):
        holders[hash].append(text)
    if window.is_whole:
        part = _part_of(window)
        found = {hash: burst for hash, burst in found.items() if uneven(holders[hash], part) >= UNEVEN}
    names: dict[int, str] = {}
    for attempt in range(2):  # the post looked at first may have been deleted a moment ago
        for post in _covering(log, window, found.keys() - names.keys(), holders, attempt):
            names |= {hash: term for term in read(post) if (hash := hash_of(term)) in found}
    named = {names[hash]: burst for hash, burst in found.items() if hash in names}
    return Bursting(named, {names[hash]: holders[hash] for hash in found if hash in names})


def _covering(
    log: Log, window: Window, hashes: Collection[int], holders: Mapping[int, Sequence[int]], skip: int
) -> list[Post]:
    """Posts that hold all of some terms together; of each text its first, or with `skip` another one."""
    of_text: defaultdict[int, list[int]] = defaultdict(list)
    for hash in hashes:
        for text in holders[hash]:
            of_text[text].append(hash)
    left, seqs = set(hashes), list[int]()
    for text in sorted(of_text, key=lambda text: (-len(of_text[text]), text))[skip:]:
        if not left.isdisjoint(of_text[text]):
            left.difference_update(of_text[text])
            seqs.append(int(window.posts.seq[window.carriers[text][0]]))
    return [version.post for version in log.visible(seqs, window.as_of).values()]
