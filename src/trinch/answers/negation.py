"""Words by which a text says that something is not so: denials ("no evidence of", "dément", "bulo") and negations."""

import re
from collections.abc import Sequence
from functools import lru_cache

from trinch.answers import lexicon
from trinch.posts.text import fold

REACH = 4
"""Words behind a negation that it may deny."""
CUE = re.compile(lexicon.DENIAL)
"""Finds the words of a denial in a folded text."""


@lru_cache(maxsize=4096)
def denies(text: str) -> bool:
    """Whether a text says that something is not so. A question does not."""
    return not text.rstrip("\"”'").endswith("?") and bool(CUE.search(fold(text)))


def negates_at(words: Sequence[str], place: int) -> bool:
    """Whether there is a negation up to `REACH` words in front of a place among folded words."""
    return not lexicon.NEGATING.isdisjoint(words[max(0, place - REACH) : place])
