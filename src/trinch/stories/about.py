"""Whether a story is about what a user names: a search query, or a subject such as `tech` or `sports`.

A subject is recognised by the vectors of words (docs/reader.md), in which words of six languages that mean the same lie
close together: the mean of the story's texts must be nearer to the subject's words than NEAR, and not much nearer to
those of another subject.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from trinch.answers.lexicon import ANY_STOPWORD
from trinch.answers.story_requests import SUBJECT_WORDS, SUBJECTS
from trinch.posts.text import fold
from trinch.reader.words import Floats
from trinch.store.log import Version
from trinch.store.query import Node, normalized, parse
from trinch.store.query_eval import Candidate, matches
from trinch.stories.texts import Text
from trinch.stories.vectors import mean

ABOUT = 0.25
"""Share of its texts that must match for a story to be about a query; of words, each of them."""
NEAR = 0.25
"""Least cosine between a story and a subject."""
OTHER = 0.05
"""So much nearer may another subject be."""
READ = 30
"""Texts of a story that its mean is made of."""


class About(NamedTuple):
    """What stories are to be about."""

    node: Node | None
    words: tuple[Node, ...] = ()
    """Of a query of words alone, each of them."""
    subject: str = ""

    def fits(self, texts: Sequence[Text], as_of: int) -> bool:
        """Whether the story of these texts is about it."""
        if self.node is None:
            return True
        posts = [text.posts[0] for text in texts]
        if _share(self.node, posts, as_of) >= ABOUT:
            return True
        if len(self.words) > 1 and all(_share(word, posts, as_of) >= ABOUT for word in self.words):
            return True
        return bool(self.subject) and _is_of(self.subject, [version.post.text for version in posts])


def _share(node: Node, posts: Sequence[Version], as_of: int) -> float:
    """The share of posts that match."""
    matching = sum(matches(node, Candidate(version.post, version.at), as_of) for version in posts)
    return matching / len(posts) if posts else 0.0


def about(text: str) -> About:
    """A query of search operators, or the name of a subject; empty: every story fits. Raises QueryError."""
    if not text.strip():
        return About(None)
    named = (
        text.split()
        if re.fullmatch(r"[\w\s'-]+", text) and not re.search(r"(?<!\S)(?:OR|-\S+)(?!\S)", text)
        else []
    )
    words = tuple(normalized(parse(word)) for word in named if fold(word) not in ANY_STOPWORD)
    return About(normalized(parse(text)), words, SUBJECTS.get(fold(text.strip()), ""))


def _is_of(subject: str, texts: Sequence[str]) -> bool:
    near = dict(zip(SUBJECT_WORDS, (_subjects() @ mean(texts[:READ])).tolist(), strict=True))
    return bool(near[subject] >= max(NEAR, max(near.values()) - OTHER))


@cache
def _subjects() -> Floats:
    """A unit vector for each subject [subjects, dimensions]."""
    return np.stack([mean([words]) for words in SUBJECT_WORDS.values()])
