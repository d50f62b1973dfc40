"""The different texts among posts: reposts and exact copies of one text count once."""

from collections.abc import Iterable
from typing import NamedTuple

from trinch.answers.spans import reposted_from
from trinch.store.log import Version
from trinch.stories.words import marks, topical

OPENING = 12
"""Terms of the beginning by which copies are recognised; a copy may be cut."""


class Text(NamedTuple):
    """One text, and the posts that carry it, earliest first."""

    terms: tuple[str, ...]
    marks: tuple[str, ...]
    posts: list[Version]

    @property
    def source(self) -> str:
        """Who says it: the author that it repeats, else the first to post it; the text itself where nobody is known."""
        post = self.posts[0].post
        return (
            reposted_from(post.text)
            or (post.author_id or post.author).lower()
            or " ".join(self.terms[:OPENING])
        )


def distinct(posts: Iterable[Version]) -> list[Text]:
    """The different texts with a topical term, in the order of their first posts."""
    found: dict[tuple[str, ...], Text] = {}
    for version in posts:
        terms = topical(version.post.text, version.post.lang)
        if terms:
            found.setdefault(terms[:OPENING], Text(terms, marks(version.post), [])).posts.append(version)
    return list(found.values())
