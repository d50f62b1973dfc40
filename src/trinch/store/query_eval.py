"""Whether a post matches a query: the exact semantics of every node of `query.py`.

The index only proposes candidates (it may propose too many, never too few); this decides.
"""

from collections.abc import Sequence
from functools import lru_cache

from trinch.posts.places import distance_km
from trinch.posts.schema import UNDATED, Post
from trinch.posts.text import phrase_terms, stem, terms, tokens
from trinch.store.facets import facets, url_terms, wanted_url_terms
from trinch.store.query import And, AtLeast, Between, Has, Ids, Near, Node, Not, Or, Phrase, Words

MAX_NUMBER = 2**63 - 1
"""Largest number that the index holds."""


class Candidate:
    """A post to be matched; its terms are computed once, when first needed."""

    def __init__(self, post: Post, at: int) -> None:
        """`at` is the time of its event."""
        self.post = post
        self.at = time_of(post, at)
        self._terms: list[str] | None = None
        self._words: list[str] | None = None
        self._attached: list[tuple[list[str], list[str]]] | None = None
        self._facets: frozenset[str] | None = None

    @property
    def terms(self) -> list[str]:
        """Stemmed, as indexed."""
        if self._terms is None:
            self._terms = _terms(self.post.text, self.post.lang)
        return self._terms

    @property
    def words(self) -> list[str]:
        """Folded but not stemmed."""
        if self._words is None:
            self._words = terms(self.post.text, "und")
        return self._words

    @property
    def attached(self) -> list[tuple[list[str], list[str]]]:
        """Of each attached text: its terms, stemmed and not."""
        if self._attached is None:
            texts = [one.text for one in self.post.attached]
            self._attached = [(_terms(text, self.post.lang), terms(text, "und")) for text in texts]
        return self._attached

    @property
    def facets(self) -> frozenset[str]:
        if self._facets is None:
            self._facets = frozenset(facets(self.post))
        return self._facets


def time_of(post: Post, at: int) -> int:
    """The time by which a post is found: that of its event, `UNDATED` where the post has none."""
    return UNDATED if post.created_at is None else at


def number_of(post: Post) -> int | None:
    """The id of a post that is a number, as on X; None for any other."""
    number = int(post.id) if post.id.isascii() and post.id.isdigit() and len(post.id) <= 19 else -1
    return number if 0 <= number <= MAX_NUMBER else None


@lru_cache(maxsize=4096)  # one request evaluates the same posts several times
def _terms(text: str, lang: str) -> list[str]:
    return terms(text, lang)


def matches(node: Node, it: Candidate, as_of: int) -> bool:
    """Whether the post satisfies the query, asked at `as_of` (microseconds)."""
    match node:
        case And(items):
            return all(matches(item, it, as_of) for item in items)
        case Or(items):
            return any(matches(item, it, as_of) for item in items)
        case Not(Between()) if it.at == UNDATED:
            return False  # neither within a period nor outside
        case Not(Ids()) if number_of(it.post) is None:
            return False
        case Not(item):
            return not matches(item, it, as_of)
        case _:
            return _leaf_matches(node, it, as_of)


def _leaf_matches(
    node: Words | Phrase | Has | AtLeast | Between | Ids | Near, it: Candidate, as_of: int
) -> bool:
    match node:
        case Words(text):
            return _words_match(text, it)
        case Phrase(text):
            wanted = terms(text, "und")
            return _contains(it.words, wanted) or any(_contains(words, wanted) for _, words in it.attached)
        case Between():
            start, end = bounds(node, as_of)
            return it.at != UNDATED and (start is None or it.at >= start) and (end is None or it.at < end)
        case Ids(after, upto):
            number = number_of(it.post)
            return (
                number is not None and (after is None or number > after) and (upto is None or number <= upto)
            )
        case AtLeast(count, n):
            return (getattr(it.post, count) or 0) >= n
        case Near():
            return _is_near(node, it.post)
        case Has("url", value):
            parts = set(wanted_url_terms(value))
            return any(parts <= url_terms(url) for url in it.post.urls)
        case Has("conversation", value) if it.post.id.lower() == value:
            return True  # the first post of the conversation
        case Has(field, value):
            return f"{field}:{value}" in it.facets


def _is_near(node: Near, post: Post) -> bool:
    if post.latitude is None or post.longitude is None:
        return False
    return distance_km(node.latitude, node.longitude, post.latitude, post.longitude) <= node.km


def _words_match(text: str, it: Candidate) -> bool:
    words, places = tokens(text), [it.terms, *(terms for terms, _ in it.attached)]
    if len(words) == 1:
        form = stem(words[0], it.post.lang)
        return any(form in place or f"#{words[0]}" in place for place in places)
    return any(_contains(place, sequence) for sequence in phrase_terms(text) for place in places)


def bounds(node: Between, as_of: int) -> tuple[int | None, int | None]:
    """Start (inclusive) and end (exclusive) in microseconds."""
    return (as_of - node.last if node.last is not None else node.start), node.end


def _contains(whole: Sequence[str], part: Sequence[str]) -> bool:
    """Whether `part` occurs in `whole` uninterrupted. An empty part (nothing but signs) occurs everywhere."""
    n = len(part)
    first = part[0] if part else None
    return n == 0 or any(
        whole[i] == first and list(whole[i : i + n]) == list(part) for i in range(len(whole) - n + 1)
    )
