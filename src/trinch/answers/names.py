"""Names in a request typed in lower case, as posts write them.

"why did angelina jolie have surgery" names somebody, though no letter says so. The posts that hold its words do: in
running text they write a name with a capital and a common word without.
"""

import re
from collections import Counter
from collections.abc import Iterable

from trinch.answers import lexicon
from trinch.answers.types import Hit
from trinch.posts.text import fold, tokens
from trinch.reader import load

FEWEST = 3
"""Posts that must write a word with a capital inside a sentence."""
MOSTLY = 0.45
"""Share of the posts that hold a word inside a sentence from which on its capital makes it a name."""
HEADLINE = 0.6
"""Share of capitalised words from which on a text is a headline, whose capitals say nothing."""

_WORD = re.compile(r"[^\W\d_][\w'’-]*")
_INSIDE = re.compile(r"(?<=[\w,;'’\"”] )[^\W\d_][\w'’-]*")


def is_lower(text: str) -> bool:
    """Whether a request is typed without capitals, but for its first letter."""
    return text[1:] == text[1:].lower()


def recased(text: str, hits: Iterable[Hit]) -> str:
    """`text` with a capital for each word that the posts of a search write as a name."""
    wanted = {word for word in tokens(fold(text)) if len(word) > 2 and word not in _COMMON}
    named, held = Counter[str](), Counter[str]()
    for hit in hits:
        if wanted.isdisjoint(tokens(fold(hit.post.text))) or _is_headline(hit.post.text):
            continue
        inside = {fold(found[0]): found[0] for found in _INSIDE.finditer(hit.post.text)}
        for word in wanted.intersection(inside):
            held[word] += 1
            named[word] += inside[word][0].isupper()
    names = {word for word in wanted if named[word] >= FEWEST and named[word] >= MOSTLY * held[word]}
    written = {word for word in wanted if named[word] and named[word] >= MOSTLY * held[word]}
    names |= _beside(text, names) & written
    return " ".join(
        _capital(word) if names.intersection(tokens(fold(word))) else word for word in text.split()
    )


def _beside(text: str, names: set[str]) -> set[str]:
    """The words next to a name that are no frequent words of a language: the other half of it, which few posts hold."""
    words = [tokens(fold(word)) for word in text.split()]
    known = load()
    return {
        word
        for n, parts in enumerate(words)
        for word in parts
        if not names.isdisjoint([*words[max(0, n - 1)], *words[min(len(words) - 1, n + 1)]])
        and len(word) > 3
        and word.isalpha()
        and word not in _COMMON
        and not known.knows(word)
    }


_COMMON = lexicon.ANY_STOPWORD | lexicon.ANY_CONCEPT | frozenset().union(*lexicon.MEASURES.values())


def _is_headline(text: str) -> bool:
    words = [word for word in _WORD.findall(text) if len(word) > 3]
    return not words or sum(word[0].isupper() for word in words) >= HEADLINE * len(words)


def _capital(word: str) -> str:
    """A word with its first letter as a capital; signs in front of it stay."""
    return re.sub(r"[^\W\d_]", lambda letter: letter[0].upper(), word, count=1)
