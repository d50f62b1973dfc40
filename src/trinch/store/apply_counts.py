"""Apply changed counts, likes and reposts: many at once, since they come in floods.

They change the state tables alone. `recounted` collects the posts with a count that crossed a power of two, which is
what indexes store.
"""

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from trinch.posts.schema import CountsChanged, Reacted, Unreacted
from trinch.store import families
from trinch.store.known_posts import KnownPosts
from trinch.store.reactions import Reaction, ReactionTable, Record, records_of

Counting: TypeAlias = CountsChanged | Reacted | Unreacted

_Found: TypeAlias = tuple[tuple[int, Counting], Record]
"""An event with the newest version of its post (0: not named) and the record of its reaction."""

_Reaction: TypeAlias = tuple[int, Reacted, Record]

_NONE: Record = (0, 0)
"""In place of the record of an event that is no reaction."""


class CountsApplier:
    """Collects events and applies them together, once the posts that they are about are known."""

    def __init__(self, db: sqlite3.Connection, known: KnownPosts, clock: int) -> None:
        self._db = db
        self._known = known
        self._counts = known.counts
        self._clock = clock
        self._reactions = ReactionTable(db)
        self._pending: list[tuple[str, Counting]] = []
        self.pending_keys: set[str] = set()
        """Keys of the posts that the collected events are about."""
        self.recounted: set[int] = set()
        """Positions of newest versions."""

    def collect(self, key: str, event: Counting) -> None:
        """Keep an event, about the post with a key ("" for `Unreacted`), until `apply`."""
        self._pending.append((key, event))
        self.pending_keys.add(key)

    def apply(self) -> Counter[str]:
        """Apply what was collected, in order; what became of it."""
        if not self._pending:
            self._counts.flush()  # a new version of a post took over those of the one before
            return Counter()
        newest_of = self._known.newest
        found = [
            (newest, event)
            for key, event in self._pending
            if (newest := newest_of(key) if key else 0) is not None
        ]
        outcomes = Counter({"ignored": len(self._pending) - len(found)})
        self._pending.clear()
        self.pending_keys.clear()
        records = self._load(found)
        reacted, others = self._split(list(zip(found, records, strict=True)))
        self._react_all(reacted)
        outcomes["accepted"] += len(reacted)
        for (newest, event), record in others:
            if isinstance(event, Reacted):
                outcome = self._reacted(event, newest, record)
            elif isinstance(event, Unreacted):
                outcome = self._unreacted(event, record)
            else:
                outcome = self._counts_changed(event, newest)
            outcomes[outcome] += 1
        self._reactions.flush()
        self._counts.flush()
        return outcomes

    def _split(self, found: list[_Found]) -> tuple[list[_Reaction], list[_Found]]:
        """The reactions, and the other events, where all reactions are new and the others are about other posts: then
        their order does not matter, as in nearly all batches of a flood. Else none, and all events."""
        reacted = [(seq, event, record) for (seq, event), record in found if isinstance(event, Reacted)]
        rows = self._reactions.rows
        new = {record for *_, record in reacted}
        if len(new) < len(reacted) or not rows.keys().isdisjoint(new):
            return [], found
        if len(reacted) == len(found):
            return reacted, []
        others = [one for one in found if not isinstance(one[0][1], Reacted)]
        posts = {
            newest or self._newest(rows[record][2])
            for (newest, _), record in others
            if newest or record in rows
        }
        is_apart = posts.isdisjoint([newest for newest, *_ in reacted])
        is_apart &= new.isdisjoint([record for _, record in others])
        return (reacted, others) if is_apart else ([], found)

    def _react_all(self, reacted: Sequence[_Reaction]) -> None:
        """Count new reactions, post by post."""
        likes = Counter([newest for newest, event, _ in reacted if event.what == "like"])
        reposts = Counter([newest for newest, event, _ in reacted if event.what != "like"])
        latest: dict[int, int] = {}
        for newest, event, _ in reacted:
            if event.at > latest.get(newest, 0):
                latest[newest] = event.at
        for newest, at in latest.items():
            counts = self._counts.get(newest)
            before = (counts.likes or 0).bit_length() + (counts.reposts or 0).bit_length()
            if newest in likes:
                counts.likes = (counts.likes or 0) + likes[newest]
            if newest in reposts:
                counts.reposts = (counts.reposts or 0) + reposts[newest]
            if (counts.likes or 0).bit_length() + (counts.reposts or 0).bit_length() > before:
                self.recounted.add(newest)
            counts.at = max(counts.at, min(at, self._clock))
            self._counts.set(newest, counts)
        self._reactions.add(
            [(*record, newest, event.what != "like", False) for newest, event, record in reacted]
        )

    def _load(self, found: Sequence[tuple[int, Counting]]) -> list[Record]:
        """Read the reactions, and the counts of the posts, all at once. Returns the record of each event."""
        named = [
            f"{event.network}:{event.record}" for _, event in found if not isinstance(event, CountsChanged)
        ]
        records = records_of(named)
        self._reactions.load(records)
        if len(records) < len(found):
            following = iter(records)
            records = [_NONE if isinstance(event, CountsChanged) else next(following) for _, event in found]
        rows = self._reactions.rows
        seqs = {
            newest or rows[record][2]
            for (newest, _), record in zip(found, records, strict=True)
            if newest or record in rows
        }
        self._counts.load(seqs, self._known.without_counts)
        return records

    def _counts_changed(self, event: CountsChanged, newest: int) -> str:
        before = self._counts.get(newest)
        after = before.updated(event, before.at)
        if after == before or before.at > event.at:
            return "duplicates"
        if after.levels != before.levels:
            self.recounted.add(newest)
        after.at = min(event.at, self._clock)
        self._counts.set(newest, after)
        return "accepted"

    def _reacted(self, event: Reacted, newest: int, record: Record) -> str:
        if record in self._reactions.rows:
            return "duplicates"
        is_repost = event.what != "like"
        self._reactions.rows[record] = (*record, newest, is_repost, False)
        self._reactions.changed.add(record)
        return self._count(newest, is_repost, 1, event.at)

    def _unreacted(self, event: Unreacted, record: Record) -> str:
        row = self._reactions.rows.get(record)
        newest = self._newest(row[2]) if row else None
        if row is None or newest is None:
            return "ignored"
        reaction = Reaction(*row)
        if reaction.is_undone:
            return "duplicates"
        self._reactions.rows[record] = reaction._replace(is_undone=True)
        self._reactions.changed.add(record)
        return self._count(newest, reaction.is_repost, -1, event.at)

    def _newest(self, seq: int) -> int | None:
        """Position of the newest version of a post by that of a version that was reacted to; None if it is gone."""
        # Most often it is the newest itself, and its counts are changed; then there is nothing to look up.
        return seq if self._counts.is_changed(seq) else families.newest_of(self._db, seq)

    def _count(self, newest: int, is_repost: bool, step: int, at: int) -> str:
        counts = self._counts.get(newest)
        before = (counts.reposts if is_repost else counts.likes) or 0
        after = before + step if before + step > 0 else 0
        if is_repost:
            counts.reposts = after
        else:
            counts.likes = after
        counts.at = max(counts.at, min(at, self._clock))
        self._counts.set(newest, counts)
        if before.bit_length() != after.bit_length():
            self.recounted.add(newest)
        return "accepted"
