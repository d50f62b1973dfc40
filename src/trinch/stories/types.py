"""The data types of stories and trends. Times are UTC, integer microseconds since 1970."""

from typing import Literal

import msgspec

from trinch.answers.types import Claim

Status = Literal["new", "rising", "steady", "fading"]
Kind = Literal["tag", "word", "name", "link"]


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """Posts about one happening, as they were at one time."""

    id: str
    """A rare word of it and the day on which that began to burst: `skagit-2013-05-24`."""
    headline: Claim
    """The quote that says most of it."""
    summary: tuple[Claim, ...]
    """Further key points; of a number that moves, the newest state."""
    status: Status
    first_seen: int
    last_seen: int
    posts: int
    """Posts in the window, reposts and copies included."""
    authors: int
    """Independent sources: different known authors, and different texts by unknown ones."""
    volume: tuple[int, ...]
    """Posts in each of 24 equal parts of the window, oldest first."""
    rate: float
    """Posts an hour of late."""
    acceleration: float
    """That rate divided by the one just before."""
    languages: dict[str, int]
    networks: dict[str, int]
    tags: tuple[str, ...]
    names: tuple[str, ...]
    links: tuple[str, ...]
    since: int
    """Start of the window that it was found in."""
    terms: tuple[str, ...]
    """Its bursting terms as stems, strongest first; any of them may stand in the id."""
    post_ids: tuple[str, ...]
    related: tuple[str, ...]
    """Ids of other stories of the same list with which it shares words."""
    discounts: tuple[str, ...]
    """Why it is ranked lower than its numbers say: keys of `discounts.toml`."""
    score: float


class Development(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the timeline of a story."""

    at: int
    posts: int
    """Posts of the story from this line to the next."""
    claim: Claim


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is used more than on ordinary days."""

    kind: Kind
    text: str
    posts: int
    """Different texts of the window that hold it."""
    expected: float
    """Texts that would on ordinary days."""
    growth: float
    score: float
    story: str
    """Id of the story behind it; empty for none."""
    headline: str
    """That story's headline."""
    discounts: tuple[str, ...]
