"""How likely the posts of a cluster are about a happening, and not talk: chatter, games, memes, series, goods for sale.

A logistic function of eight measures. Its weights are in `happening.toml`, fitted by `benchmarks/happenings.py` to
clusters of other days, labelled by hand.
"""

import math
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import urlsplit

from trinch.answers import lexicon
from trinch.answers.candidates import manner
from trinch.posts.schema import Post
from trinch.posts.text import fold, tokens
from trinch.stories.vectors import likeness
from trinch.stories.words import LENGTH, links

READ = 40
"""Posts of a cluster that are read."""
OPENING = 200
"""Characters by whose wording a post counts as a report."""

_TABLE = tomllib.loads(files("trinch.stories").joinpath("happening.toml").read_text("utf-8"))
_FIRST_PERSON = frozenset(_TABLE["first_person"].split())
_MEDIA = tuple(_TABLE["media"].split())
_WEIGHTS: dict[str, float] = _TABLE["weights"]


class Evidence(NamedTuple):
    """What a cluster shows."""

    score: float
    """Logarithm of its score (ranking.py)."""
    growth: float
    """Logarithm of the growth of its root over the quiet days."""
    terms: float
    """Logarithm of one more than its terms."""
    manner: float
    """How like a report its posts are put, on average (answers)."""
    reports: float
    """Share of its posts with a word of reports: confirmed, dead, announced (answers)."""
    first_person: float
    """Share of its posts that speak of their writer."""
    likeness: float
    """Mean cosine of the word vectors of two of its posts."""
    links: float
    """Share of its posts that link to a page, less that share in all leading clusters."""


def wording(posts: Sequence[Post]) -> tuple[float, float, float, float]:
    """`manner`, `reports`, `first_person` and `likeness` of some posts, at least one."""
    words = [frozenset(tokens(fold(post.text[:LENGTH]))) for post in posts]
    return (
        sum(manner(post.text[:OPENING].split("\n")[0]) for post in posts) / len(posts),
        sum(not lexicon.REPORTING.isdisjoint(held) for held in words) / len(posts),
        sum(not _FIRST_PERSON.isdisjoint(held) for held in words) / len(posts),
        likeness([post.text[:LENGTH] for post in posts]),
    )


def linking(posts: Sequence[Post]) -> float:
    """The share of some posts, at least one, that link to a page which is no picture, video or shop."""
    return sum(any(map(_is_page, links(post))) for post in posts) / len(posts)


def _is_page(link: str) -> bool:
    try:
        host = urlsplit(link).hostname or ""
    except ValueError:
        return False
    return bool(host) and not any(host == name or host.endswith(f".{name}") for name in _MEDIA)


def chance(evidence: Evidence) -> float:
    """How likely these are posts about a happening, 0 to 1."""
    log_odds = _WEIGHTS["constant"] + sum(
        _WEIGHTS[name] * value for name, value in zip(evidence._fields, evidence, strict=True)
    )
    return 1 / (1 + math.exp(-log_odds))
