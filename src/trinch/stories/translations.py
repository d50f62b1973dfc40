"""Find the stories of a list that are about one happening in different languages.

Terms are stems and so depend on the language: `Chile` has another stem in Spanish than in English. Two stories in
different languages are one where names as written, tags or links that one of them often holds are in enough posts of
the other, both ways, and the word vectors of their posts (docs/reader.md) are near.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from trinch.answers.lexicon import PLACE_OF
from trinch.posts.schema import Post
from trinch.posts.text import fold, tokens
from trinch.reader.words import Floats
from trinch.stories.vectors import mean
from trinch.stories.words import LENGTH, marks

DIFFERENT = 0.5
"""Two stories are in different languages where they have less than this share of their posts in common, by language."""
OFTEN, TWICE = 0.1, 2
"""Share and number of the posts of a story that hold a name for it to be one of the story."""
NAMED = 0.2
"""Share of the posts of each story that hold a name of the other."""
NEAR = 0.4
"""Least cosine of the mean vectors."""

_WORD = re.compile(r"[^\W\d_][\w'’-]*")


class _Voice(NamedTuple):
    """What is compared of a story."""

    languages: dict[str, float]
    """Share of its posts in each."""
    held: list[frozenset[str]]
    """The names of each post."""
    names: frozenset[str]
    """Those of the story."""
    vector: Floats


def translations(posts: Mapping[str, Sequence[Post]]) -> dict[str, str]:
    """For each story that is about the happening of an earlier one, the first of these; posts of each are given in
    order of size, largest first."""
    shares = {story: _languages(some) for story, some in posts.items() if some}
    first: dict[str, str] = {story: story for story in shares}
    voices: dict[str, _Voice] = {}

    def voice(story: str) -> _Voice:
        if story not in voices:
            voices[story] = _voice(posts[story], shares[story])
        return voices[story]

    order = list(shares)
    for place, story in enumerate(order):
        for other in order[:place]:
            if _common(shares[story], shares[other]) < DIFFERENT and _is_one(voice(story), voice(other)):
                old, new = sorted((first[story], first[other]), key=order.index, reverse=True)
                first = {each: new if root == old else root for each, root in first.items()}
    return {story: root for story, root in first.items() if story != root}


def _languages(posts: Sequence[Post]) -> dict[str, float]:
    return {lang: n / len(posts) for lang, n in Counter(post.lang for post in posts).items()}


def _common(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    return sum(min(share, b.get(lang, 0.0)) for lang, share in a.items())


def _voice(posts: Sequence[Post], languages: dict[str, float]) -> _Voice:
    held = [_names(post) for post in posts]
    counts = Counter(name for names in held for name in names)
    often = frozenset(name for name, n in counts.items() if n >= max(TWICE, OFTEN * len(posts)))
    return _Voice(languages, held, often, mean([post.text[:LENGTH] for post in posts]))


def _names(post: Post) -> frozenset[str]:
    """The words with a capital, folded, of places one of their names; tags and links."""
    written = (match[0] for match in _WORD.finditer(post.text[:LENGTH]) if match[0][0].isupper())
    words = (word for name in written for word in tokens(fold(name)) if len(word) > 2)
    return frozenset({min(PLACE_OF.get(word, {word})) for word in words} | set(marks(post)))


def _is_one(a: _Voice, b: _Voice) -> bool:
    """Whether two stories in different languages are about one happening."""
    return (
        _holding(a, b.names) >= NAMED and _holding(b, a.names) >= NAMED and float(a.vector @ b.vector) >= NEAR
    )


def _holding(voice: _Voice, names: frozenset[str]) -> float:
    return sum(not names.isdisjoint(held) for held in voice.held) / len(voice.held)
