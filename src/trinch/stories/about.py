"""Whether a story is about what a user names: a search query, or a subject such as `tech` or `sports`.

A subject is recognised by the vectors of words (docs/reader.md), in which words of six languages that mean the same lie
close together: the mean of the story's texts must be nearer to the subject's words than NEAR, and not much nearer to
those of another subject.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from trinch.answers.story_requests import SUBJECT_WORDS, SUBJECTS
from trinch.posts.text import fold, tokens
from trinch.reader.model import DATA, WORDS
from trinch.reader.words import Floats, WordTable, load_table
from trinch.store.query import Node, normalized, parse
from trinch.store.query_eval import Candidate, matches
from trinch.stories.texts import Text

ABOUT = 0.25
"""Share of its texts that must match for a story to be about a query."""
NEAR = 0.25
"""Least cosine between a story and a subject."""
OTHER = 0.1
"""So much nearer may another subject be."""
READ = 30
"""Texts of a story that its mean is made of."""


class About(NamedTuple):
    """What stories are to be about."""

    node: Node | None
    subject: str = ""

    def fits(self, texts: Sequence[Text], as_of: int) -> bool:
        """Whether the story of these texts is about it."""
        if self.node is None:
            return True
        posts = [text.posts[0] for text in texts]
        matching = sum(matches(self.node, Candidate(version.post, version.at), as_of) for version in posts)
        if posts and matching >= max(1.0, ABOUT * len(posts)):
            return True
        return bool(self.subject and posts) and _is_of(self.subject, [version.post.text for version in posts])


def about(text: str) -> About:
    """A query of search operators, or the name of a subject; empty: every story fits. Raises QueryError."""
    if not text.strip():
        return About(None)
    return About(normalized(parse(text)), SUBJECTS.get(fold(text.strip()), ""))


def _is_of(subject: str, texts: Sequence[str]) -> bool:
    table, subjects = _subjects()
    near = dict(zip(SUBJECT_WORDS, (subjects @ _mean(table, texts[:READ])).tolist(), strict=True))
    return near[subject] >= max(NEAR, max(near.values()) - OTHER)


@cache
def _subjects() -> tuple[WordTable, Floats]:
    """The table of vectors, and a unit vector for each subject."""
    table = load_table(DATA / WORDS)
    return table, np.stack([_mean(table, [words]) for words in SUBJECT_WORDS.values()])


def _mean(table: WordTable, texts: Sequence[str]) -> Floats:
    """The direction of the weighted mean of the words of some texts."""
    rows = table.rows([word for text in texts for word in tokens(fold(text))])
    mean = (table.vectors(rows) * table.weights(rows)[:, None]).sum(axis=0)
    length = float(np.linalg.norm(mean))
    unit: Floats = mean / length if length else mean
    return unit
