"""What is really so in the world, kept apart from what its posts say.

Owns the side table filled while a stream plays: which posts belong to which happening, which fact was true
from when, which posts are copies, rumours, injections, and what was deleted or hidden when. Nothing of this
is in the events themselves: a test compares what the store found with what is written here.
"""

import msgspec


class Label(msgspec.Struct, frozen=True):
    """One post's place in the truth. Posts of the background chatter have none."""

    happening: str = ""
    role: str = ""
    """`eyewitness`, `first`, `count`, `correction`, `news`, `rumour`, `denial`, `reaction`, or apart from any
    happening `bot`, `injection`."""
    value: int | None = None
    """The number this post states, if it states one."""


class Fact(msgspec.Struct, frozen=True):
    """From `at` on, officials say `value`; the post `source` said so first."""

    happening: str
    value: int
    at: int
    source: str


class Happened(msgspec.Struct, frozen=True):
    id: str
    kind: str
    place: str
    began: int
    ends: int


class Truth(msgspec.Struct):
    """All times in microseconds since 1970; all ids are post ids unless the name says otherwise."""

    happenings: dict[str, Happened] = msgspec.field(default_factory=dict)
    labels: dict[str, Label] = msgspec.field(default_factory=dict)
    facts: list[Fact] = msgspec.field(default_factory=list)
    copies: dict[str, str] = msgspec.field(default_factory=dict)
    """Repost or near-copy → the post it repeats (which may itself be a copy)."""
    versions: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """Any id of an edited post → all its ids, oldest first (one id where an edit keeps it)."""
    deleted: dict[str, int] = msgspec.field(default_factory=dict)
    accounts_gone: dict[str, int] = msgspec.field(default_factory=dict)

    def original(self, post_id: str) -> str:
        """The first in the chain of copies."""
        while post_id in self.copies:
            post_id = self.copies[post_id]
        return post_id

    def value_at(self, happening: str, at: int) -> int | None:
        """The number officials stood by at that time, or None before the first."""
        known = [fact for fact in self.facts if fact.happening == happening and fact.at <= at]
        return known[-1].value if known else None

    def posts_of(self, happening: str) -> list[str]:
        return [post_id for post_id, label in self.labels.items() if label.happening == happening]
