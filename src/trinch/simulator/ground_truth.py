"""Ground truth of a simulated network, kept apart from its posts.

A side table that `network.stream` fills: which posts belong to which incident, which number was official from
when, which posts are copies, rumours or injections, and what was deleted or hidden when. The events themselves
carry none of it, so tests can compare what the store returns with this table.
"""

import msgspec


class Label(msgspec.Struct, frozen=True):
    """What one post is, if it belongs to an incident or is hostile. Posts of the background chatter have none."""

    incident: str = ""
    role: str = ""
    """`eyewitness`, `first`, `count`, `correction`, `news`, `rumour`, `denial`, `reaction`, or apart from any
    incident `bot`, `injection`."""
    value: int | None = None
    """The number this post states, if it states one."""


class Fact(msgspec.Struct, frozen=True):
    """From `at` on, officials say `value`; the post `source` said so first."""

    incident: str
    value: int
    at: int
    source: str


class IncidentRecord(msgspec.Struct, frozen=True):
    id: str
    kind: str
    place: str
    began: int
    ends: int


class GroundTruth(msgspec.Struct):
    """All times in microseconds since 1970; all ids are post ids unless the name says otherwise."""

    incidents: dict[str, IncidentRecord] = msgspec.field(default_factory=dict)
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

    def value_at(self, incident: str, at: int) -> int | None:
        """The official number at that time, or None before the first."""
        known = [fact for fact in self.facts if fact.incident == incident and fact.at <= at]
        return known[-1].value if known else None

    def posts_of(self, incident: str) -> list[str]:
        return [post_id for post_id, label in self.labels.items() if label.incident == incident]
