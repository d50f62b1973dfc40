"""A topic in plain words as a query of search operators, so that a user sees what it matches and can change it.

Every name, number, tag and handle of the topic must be in a post (a name is a word with a capital that does not begin
the topic), and at least half of its other content words. Where there are no names, all of up to two words must be
there, and two of more.
"""

import re
from itertools import combinations

from trinch.posts.text import FUNCTION_WORDS, tokens
from trinch.store.query import joined

MOST_WORDS = 6
"""Content words of a topic, names not counted; more would be too many combinations."""

_EDGES = re.compile(r"^[^\w#@$]+|[^\w+#]+$")
_INSIDE = re.compile(r"[^\w#@$.'’&-]+")


def topic_query(topic: str, query: str = "") -> str:
    """The query of a topic, joined with a query that must match too. Raises ValueError for a topic without content."""
    if not topic.strip():
        return query.strip()
    names, words = _split(topic)
    if not names and not words:
        raise ValueError('says nothing to look for: write what it is about, such as "flooding in Port Esker"')
    if len(words) > MOST_WORDS:
        raise ValueError(f"has more than {MOST_WORDS} content words: leave out what a post need not say")
    needed = min(len(words), max(1, (len(words) + 1) // 2) if names else 2)
    parts = names + _at_least(needed, words)
    found = " ".join(parts)
    return joined(found, query)


def _split(topic: str) -> tuple[list[str], list[str]]:
    """The names and the other content words of a topic."""
    names: list[str] = []
    words: list[str] = []
    for place, chunk in enumerate(re.split(r"[\s/:;,!?()\[\]{}\"“”„«»]+", topic)):
        word = _INSIDE.sub("", _EDGES.sub("", chunk))
        found = tokens(word)
        if not found or all(token in FUNCTION_WORDS for token in found):
            continue
        is_name = (
            word[0] in "#@$" or word[0].isdigit() or (place > 0 and word[0].isupper()) or word[1:2].isupper()
        )
        kept = names if is_name else words
        if word not in kept:
            kept.append(word)
    return names, words


def _at_least(needed: int, words: list[str]) -> list[str]:
    """Operators for `needed` of the words."""
    if needed == len(words):
        return words
    if needed == 1:
        return [f"({' OR '.join(words)})"]
    return [f"({' OR '.join('(' + ' '.join(some) + ')' for some in combinations(words, needed))})"]
