"""A text, and the posts that carry it: reposts and exact copies of one text count once."""

from typing import NamedTuple

from trinch.answers.spans import reposted_from
from trinch.store.log import Version


class Text(NamedTuple):
    """One text, and the posts that carry it, earliest first."""

    terms: tuple[str, ...]
    marks: tuple[str, ...]
    posts: list[Version]

    @property
    def source(self) -> str:
        """Who says it: the author that it repeats, else the first to post it; the text itself where nobody is known."""
        post = self.posts[0].post
        return reposted_from(post.text) or (post.author_id or post.author).lower() or " ".join(self.terms)
