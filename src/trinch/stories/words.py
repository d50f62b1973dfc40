"""The words of a post that can belong to a story: its content words, and pairs of neighbouring ones."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from functools import lru_cache
from itertools import islice

from trinch.answers import lexicon
from trinch.posts.schema import Post
from trinch.posts.text import FUNCTION_WORDS, fold, query_terms, stem, terms, tokens

LENGTH = 300
"""Characters read of a post: what happened is said at its beginning."""

_MARKS = frozenset(["rt", "mt", "via", "cc", "ht", "amp", "http", "https"])
_EMPTY = frozenset(
    form
    for word in lexicon.ANY_STOPWORD
    | FUNCTION_WORDS
    | lexicon.PERSONAL
    | lexicon.POINTERS
    | lexicon.OPINION
    | _MARKS
    for form in (fold(word), *query_terms(fold(word)))
)
"""Words that say how something is put, what its writer feels or where to look, but not what happened."""


def topical(text: str, lang: str) -> tuple[str, ...]:
    """The distinct topical terms of a text: content words as stems, and pairs of neighbours joined by a space.

    Tags count as their words. Users, links, numbers, dates and the words of the stop lists are left out; characters of scripts
    without spaces count in pairs only."""
    return tuple(dict.fromkeys(_terms(terms(text[:LENGTH], lang))))


def _terms(found: Sequence[str]) -> Iterator[str]:
    before = ""
    for term in found:
        found_role = role(term)
        if found_role is Role.BREAK:
            before = ""
            continue
        if found_role is Role.WORD:
            yield term
        if before:
            yield f"{before} {term}"
        before = term


class Role(Enum):
    """What a term of a post can be in a story."""

    WORD = 1
    NAME_PART = 2
    """Too short to count on its own; it counts as part of a pair."""
    BREAK = 3
    """It says nothing of what happened, and no pair reaches over it."""


@lru_cache(maxsize=200_000)
def role(term: str) -> Role:
    """The role of a term of `posts.text.terms`."""
    if term[0] in "#@$" or term[0].isdigit() or term in _EMPTY:
        return Role.BREAK
    if not term.isalpha() and not any(map(str.isalpha, term)):
        return Role.BREAK
    return Role.WORD if len(term) >= (3 if term.isascii() else 2) else Role.NAME_PART


_SCHEME = re.compile(r"^https?://(?:www\.)?|[/?#]+$", re.IGNORECASE)
_LINK = re.compile(r"https?://[^\s\"'<>()]+", re.IGNORECASE)


def marks(post: Post) -> tuple[str, ...]:
    """The distinct tags of a post, with their sign, and its links without scheme, as `link:host/path`."""
    tags = (
        [token for token in tokens(post.text) if token[0] == "#" and len(token) > 2]
        if "#" in post.text
        else []
    )
    tags += [f"#{fold(tag)}" for tag in post.tags]
    return tuple(dict.fromkeys([*tags, *(f"link:{_SCHEME.sub('', link)}" for link in links(post))]))


def links(post: Post) -> tuple[str, ...]:
    """The links of a post: those that its source lists, else those in its text."""
    return post.urls or tuple(_LINK.findall(post.text))


def surface(term: str, texts: Iterable[tuple[str, str]]) -> str:
    """A term as most of some texts, each with its language, write it; the term itself where none holds it."""
    wanted = term.split(" ")
    found: Counter[str] = Counter()
    for text, lang in texts:
        words = [word for chunk in text.split() for word in tokens(chunk.replace("#", ""))]
        stems = [stem(word, lang) for word in words]
        places = (i for i in range(len(stems)) if stems[i : i + len(wanted)] == wanted)
        for i in islice(places, 1):
            found[_as_written(words[i : i + len(wanted)], text)] += 1
    return max(found, key=lambda form: (found[form], form)) if found else term


def _as_written(words: Sequence[str], text: str) -> str:
    """Folded neighbouring words with the letters of the text, where it holds them so."""
    match = re.search(r"\W+".join(map(re.escape, words)), text, re.IGNORECASE)
    return " ".join(match[0].split()) if match else " ".join(words)
