"""Apply events to the log and its state tables, inside the transaction of one append.

This is the meaning of the events of `posts/schema.py`, written as SQL. New posts are by far the most frequent:
they are collected and written in bulk. Every other kind changes the tables directly, after the collected posts
are written if it refers to one of them.

Counts and reactions change state tables alone. One entry behind the others of the batch, a `CountsChanged` without id,
refers to the posts whose counts crossed a power of two.

Events that take effect in turn (hide and restore, change of handle) apply in the order of the log, whatever
their times: a machine with a wrong clock must not outrank what came after it. An event that repeats one seen
before, time included, is a duplicate, so that replaying a part of the stream changes nothing.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import msgspec

from trinch.posts import schema as ev
from trinch.store import bodies, families
from trinch.store.counts import LIKES, REPOSTS, Counts, CountTable, counts_of, level_changed
from trinch.store.reactions import Reaction, ReactionTable, Record, record_of
from trinch.store.sql import select_in
from trinch.store.tallies import Tallies

_encode = msgspec.json.Encoder().encode
_VERSIONS = (ev.Created, ev.Edited)
_NO_COUNTS: list[int | None] = [None, None, None, None]


def key_of(network: str, id: str) -> str:
    """The key of a post, an account or a reaction: unique across networks."""
    return f"{network}:{id}"


class EventApplier:
    """Applies a batch of events, in order, to an open transaction."""

    def __init__(self, db: sqlite3.Connection, next_seq: int, clock: int) -> None:
        self._db = db
        self._clock = clock
        self.next_seq = next_seq
        self.accepted = self.duplicates = self.deleted = self.ignored = 0
        self._counts = CountTable(db)
        self._tallies = Tallies(db)
        self._known: dict[str, int | None] = {}
        """Keys of posts in the store → position of the newest version, None if deleted."""
        self._alias: dict[str, str] = {}
        self._new_events: list[tuple[int, int, bytes, str | None, int]] = []
        self._new_posts: dict[str, tuple[int, bool]] = {}
        """Root key → position, and whether the post itself holds counts."""
        self._reactions = ReactionTable(db)
        self._records: dict[tuple[str, str], Record] = {}
        """(network, id) of the records of this batch."""
        self._recounted: set[int] = set()
        """Positions of posts with a count that crossed a power of two."""
        self._gone: dict[str, int] = {}
        """Accounts that are gone → posts from before this time are refused."""
        self._handlers: dict[type, Callable[[Any], str]] = {
            ev.Created: self._created,
            ev.Edited: self._edited,
            ev.Deleted: self._deleted,
            ev.Hidden: self._hidden,
            ev.Restored: self._restored,
            ev.AccountGone: self._account_gone,
            ev.AccountHidden: self._account_hidden,
            ev.AccountRestored: self._account_restored,
            ev.AccountRenamed: self._account_renamed,
            ev.PlacesErased: self._places_erased,
            ev.CountsChanged: self._counts_changed,
            ev.Reacted: self._reacted,
            ev.Unreacted: self._unreacted,
        }

    def apply(self, events: Sequence[ev.Event]) -> None:
        """Write the events that change something; count the others."""
        self._preload(events)
        handlers = self._handlers
        outcomes = Counter([handlers[type(event)](event) for event in events])
        self.accepted += outcomes["accepted"]
        self.duplicates += outcomes["duplicates"]
        self.ignored += outcomes["ignored"]
        if self._recounted:
            self._write(ev.CountsChanged(at=self._clock, network="", id=""), sorted(self._recounted))
            self._recounted.clear()
        self._flush()
        self._tallies.flush()

    def _preload(self, events: Sequence[ev.Event]) -> None:
        """Read what the frequent kinds need, once for the whole batch."""
        keys = [key_of(e.network, e.post.id) for e in events if type(e) is ev.Created]
        counted = [key_of(e.network, e.id) for e in events if isinstance(e, ev.CountsChanged | ev.Reacted)]
        keys += sorted(set(counted))
        without = set()
        for key, seq, has_counts in select_in(self._db, "SELECT key, seq, has_counts FROM posts WHERE key", keys):
            self._known[key] = seq
            if has_counts == 0:
                without.add(seq)
        for alias, root in select_in(self._db, "SELECT key, root FROM aliases WHERE key", keys):
            self._alias[alias] = root
            self._known[alias] = self._known[root] = families.newest(self._db, root)
        wanted = {self._known.get(self._alias.get(key, key)) for key in counted}
        wanted |= self._preload_reactions(events)
        self._counts.load([seq for seq in wanted if seq], without)
        if self._db.execute("SELECT 1 FROM accounts_gone LIMIT 1").fetchone():
            posts = (e for e in events if isinstance(e, ev.Created | ev.Edited))
            authors = list({key_of(e.network, e.post.author_id) for e in posts})
            for key, at in select_in(
                self._db, "SELECT key, before FROM accounts_gone WHERE NOT diverged AND key", authors
            ):
                self._gone[key] = max(at, self._gone.get(key, at))

    def _preload_reactions(self, events: Sequence[ev.Event]) -> set[int | None]:
        """Read what the records of the batch are of, if they were seen before; those taken back: positions of posts."""
        new = {key_of(e.network, e.post.id) for e in events if type(e) is ev.Created}
        records = self._records
        for e in events:
            if type(e) is ev.Unreacted or (
                type(e) is ev.Reacted and ((key := key_of(e.network, e.id)) in self._known or key in new)
            ):
                records[e.network, e.record] = record_of(e.network, e.record)
        self._reactions.load(records.values())
        undone = [records[e.network, e.record] for e in events if type(e) is ev.Unreacted]
        return {one.seq for record in undone if (one := self._reactions.get(record))}

    # ---------------------------------------------------------------- shared steps

    def _flush(self) -> None:
        """Write what was collected to the tables."""
        self._db.executemany(
            "INSERT OR REPLACE INTO posts VALUES (?, ?, ?)",
            [(key, *place) for key, place in self._new_posts.items()],
        )
        self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", self._new_events)
        self._reactions.flush()
        self._counts.flush()
        self._new_posts.clear()
        self._new_events.clear()

    def _write(self, event: ev.Event, refs: Sequence[int] = ()) -> int:
        """Append an event to the log; a time in the future counts as now. Returns its position."""
        seq, at = self.next_seq, self._time(event)
        body = bodies.encode(event)
        if isinstance(event, _VERSIONS):
            self._tallies.add(event.post, at)
        self._new_events.append((seq, at, body, _encode(refs).decode() if refs else None, crc32(body)))
        self.next_seq += 1
        return seq

    def _time(self, event: ev.Event) -> int:
        return event.at if event.at < self._clock else self._clock

    def _root(self, network: str, id: str) -> str:
        """The root key of a post's family; posts collected under this id are written first."""
        key = key_of(network, id)
        if key in self._new_posts:
            self._flush()
        return families.root_of(self._db, key)

    def _gone_positions(self, event: ev.Created | ev.Edited) -> tuple[int, int]:
        """Positions of the last events that said this author's account is gone: for good, and diverged; 0: none."""
        account = key_of(event.network, event.post.author_id)
        sql = "SELECT diverged, max(seq) FROM accounts_gone WHERE key = ? GROUP BY diverged"
        found = dict(self._db.execute(sql, (account,)).fetchall())
        return found.get(0, 0), found.get(1, 0)

    def _is_repeated(self, event: ev.Created | ev.Edited, gone: Sequence[int]) -> bool:
        """Whether an event repeats a version that went with its account, rather than sending it anew."""
        rows = select_in(self._db, "SELECT at FROM events WHERE seq", gone)
        return bool(gone) and (event.at > self._clock or any(at == event.at for (at,) in rows))

    def _is_sent_again(self, event: ev.Created, root: str) -> bool:
        """Whether a known post went with its diverged account before, and the source now sends it anew."""
        for_good, diverged = self._gone_positions(event)
        if not diverged:
            return False
        self._flush()
        known = families.positions(self._db, [root])
        gone = bool(known) and for_good <= min(known) and max(known) < diverged
        return gone and not self._is_repeated(event, known)

    def _refused(self, event: ev.Created | ev.Edited) -> bool:
        """Whether this is a late copy of a post from before its account was gone."""
        return event.at < self._gone.get(key_of(event.network, event.post.author_id), event.at)

    # ---------------------------------------------------------------- posts

    def _created(self, event: ev.Created) -> str:
        key = key_of(event.network, event.post.id)
        root = self._alias.get(key, key)
        if key in self._known and not self._is_sent_again(event, root):
            return "duplicates"
        if self._gone and self._refused(event):
            return "ignored"
        seq, post = self.next_seq, event.post
        counts = self._retire(root) if key in self._known else None
        self._known[key] = self._known[root] = seq
        self._new_posts[root] = seq, counts_of(post) != _NO_COUNTS
        self._counts.add_post(seq, post)
        if counts:
            self._counts.set(seq, counts)
        self._write(event, [seq] if counts else ())
        return "accepted"

    def _retire(self, root: str) -> Counts | None:
        """Let a new version take the place of the newest, which went with its account. Returns its changed counts."""
        newest = families.newest(self._db, root)
        families.retire_newest(self._db, root)
        return self._counts.take([newest]) if newest else None

    def _edited(self, event: ev.Edited) -> str:
        network, post = event.network, event.post
        if self._gone and self._refused(event) and not (event.replaces or event.replaced_by):
            return "ignored"
        self._flush()
        ids = list(dict.fromkeys((*event.replaces, post.id, *event.replaced_by)))
        keys = [key_of(network, id) for id in ids]
        root = next((r for key in keys if families.newest(self._db, r := self._root_of(key))), None)
        root = root or self._root_of(keys[0])
        roots = list(dict.fromkeys(self._root_of(key) for key in keys))
        for_good, diverged = self._gone_positions(event)
        known = families.positions(self._db, roots)
        is_deleted = any(families.is_deleted(self._db, key) for key in roots)
        if is_deleted or self._refused(event) or any(seq < for_good for seq in known):
            return self._delete_family(event, root, keys)
        newest = [seq for key in roots if (seq := families.newest(self._db, key))]
        families.merge(self._db, root, keys)
        counts = self._counts.take(newest)
        held = [version for version in families.versions(self._db, root) if version.seq >= diverged]
        gone = [seq for seq in known if seq < diverged]
        is_known = self._is_known(event, held) or self._is_repeated(event, gone)
        if gone:
            families.retire_newest(self._db, root)
        if not is_known:
            at = self._time(event)
            if counts and counts.at <= at:
                counts = Counts(at, _later(counts.values, counts_of(post)))
            seq = self._write(event, [self.next_seq] if counts else [])
            held.append(families.StoredVersion(seq, at, event))
        if held:
            families.set_versions(self._db, root, held)
        now_newest = families.newest(self._db, root)
        if counts and now_newest:
            self._counts.set(now_newest, counts)
        self._remember(root, now_newest)
        self._flush()
        return "duplicates" if is_known else "accepted"

    def _root_of(self, key: str) -> str:
        return families.root_of(self._db, key)

    def _is_known(self, event: ev.Edited, held: Sequence[families.StoredVersion]) -> bool:
        """A version with an id of its own is known by that id, another one by its time and content."""
        if event.replaces or event.replaced_by:
            return any(version.post.id == event.post.id for version in held)
        return any((version.event.at, version.post) == (event.at, event.post) for version in held)

    def _remember(self, root: str, seq: int | None) -> None:
        """Bring the preloaded state of a family up to date."""
        names = families.members(self._db, root)
        self._known |= dict.fromkeys(names, seq)
        self._alias |= dict.fromkeys(names[1:], root)

    def _deleted(self, event: ev.Deleted) -> str:
        root = self._root(event.network, event.id)
        if families.is_deleted(self._db, root):
            return "duplicates"
        self._flush()
        return self._delete_family(event, root, [key_of(event.network, event.id)])

    def _delete_family(self, event: ev.Event, root: str, keys: Sequence[str]) -> str:
        """Erase all versions of a post and bar every id of its family.

        The log gets one `Deleted` for every id that was not barred before: the edits that made these ids a family
        are erased too, and whoever reads the log again must still know them all."""
        before = [key for key in keys if families.is_deleted(self._db, self._root_of(key))]
        already = {name for key in before for name in families.members(self._db, self._root_of(key))}
        families.merge(self._db, root, keys)
        seqs = families.positions(self._db, [root])
        self._counts.forget(seqs)
        for version in families.versions(self._db, root):
            self._tallies.add(version.post, version.at, -1)
        self._db.executemany(
            "UPDATE events SET body = NULL, crc = NULL WHERE seq = ?", [(seq,) for seq in seqs]
        )
        self._db.execute("DELETE FROM superseded WHERE key = ?", (root,))
        self._db.execute("INSERT OR REPLACE INTO posts (key) VALUES (?)", (root,))
        self._remember(root, None)
        barred = [name for name in families.members(self._db, root) if name not in already]
        if isinstance(event, ev.Deleted):  # the id that was named comes first
            barred.sort(key=lambda name: name != key_of(event.network, event.id))
        for name in barred:
            id = name.removeprefix(f"{event.network}:")
            self._write(ev.Deleted(at=event.at, network=event.network, id=id), seqs)
            seqs = []
        self.deleted += bool(barred)
        self._flush()
        return "accepted" if barred else "duplicates"

    # ---------------------------------------------------------------- hiding, accounts

    def _write_once(self, event: ev.Event, sql: str, values: tuple[object, ...]) -> str:
        """Run an INSERT OR IGNORE; the event is new only if that added a row."""
        if self._db.execute(sql, values).rowcount == 0:
            return "duplicates"
        self._write(event)
        return "accepted"

    def _hidden(self, event: ev.Hidden) -> str:
        return self._set_hidden(event, 1)

    def _restored(self, event: ev.Restored) -> str:
        return self._set_hidden(event, 0)

    def _set_hidden(self, event: ev.Hidden | ev.Restored, hide: int) -> str:
        root, key = self._root(event.network, event.id), key_of(event.network, event.id)
        values = (root, key, event.reason, event.at, hide, self.next_seq)
        return self._write_once(event, "INSERT OR IGNORE INTO hidden VALUES (?, ?, ?, ?, ?, ?)", values)

    def _account_hidden(self, event: ev.AccountHidden) -> str:
        return self._set_account_hidden(event, 1)

    def _account_restored(self, event: ev.AccountRestored) -> str:
        return self._set_account_hidden(event, 0)

    def _set_account_hidden(self, event: ev.AccountHidden | ev.AccountRestored, hide: int) -> str:
        account = key_of(event.network, event.author_id)
        values = (account, event.reason, event.at, hide, self.next_seq)
        return self._write_once(event, "INSERT OR IGNORE INTO accounts_hidden VALUES (?, ?, ?, ?, ?)", values)

    def _account_gone(self, event: ev.AccountGone) -> str:
        account, at = key_of(event.network, event.author_id), self._time(event)
        values = (account, event.at, event.diverged, at, self.next_seq)
        outcome = self._write_once(
            event, "INSERT OR IGNORE INTO accounts_gone VALUES (?, ?, ?, ?, ?)", values
        )
        if outcome == "accepted":
            self.deleted += 1
            if not event.diverged:
                self._gone[account] = max(at, self._gone.get(account, at))
        return outcome

    def _account_renamed(self, event: ev.AccountRenamed) -> str:
        values = (
            key_of(event.network, event.author_id),
            event.at,
            event.author,
            self.next_seq,
        )
        return self._write_once(event, "INSERT OR IGNORE INTO handles VALUES (?, ?, ?, ?)", values)

    def _places_erased(self, event: ev.PlacesErased) -> str:
        """The consumer that keeps the index finds the posts and erases their places, within a second. The event shows an
        account again for a reason for which it was never hidden: that is how a repetition is recognised."""
        account = key_of(event.network, event.author_id)
        values = (account, f"places_erased {event.upto}", event.at, 0, self.next_seq)
        return self._write_once(event, "INSERT OR IGNORE INTO accounts_hidden VALUES (?, ?, ?, ?, ?)", values)

    # ---------------------------------------------------------------- counts

    def _newest(self, network: str, id: str) -> int | None:
        """Position of the newest version of a post whose counts were preloaded; None if it is unknown or deleted."""
        key = key_of(network, id)
        return self._known.get(self._alias.get(key, key))

    def _counts_changed(self, event: ev.CountsChanged) -> str:
        newest = self._newest(event.network, event.id)
        if newest is None:
            return "ignored"
        before = self._counts.get(newest)
        after = _later(before.values, [event.likes, event.reposts, event.replies, event.quotes])
        if after == before.values or before.at > event.at:
            return "duplicates"
        if level_changed(before.values, after):
            self._recounted.add(newest)
        self._counts.set(newest, Counts(self._time(event), after))
        return "accepted"

    def _reacted(self, event: ev.Reacted) -> str:
        newest = self._newest(event.network, event.id)
        if newest is None:
            return "ignored"
        record = self._records.get((event.network, event.record))
        if record is None:  # the post came as an edit of this batch
            record = record_of(event.network, event.record)
            self._reactions.load([record])
        if self._reactions.get(record):
            return "duplicates"
        is_repost = event.what != "like"
        self._reactions.add(record, Reaction(newest, is_repost))
        return self._count(newest, is_repost, 1, event)

    def _unreacted(self, event: ev.Unreacted) -> str:
        record = self._records[event.network, event.record]
        reaction = self._reactions.get(record)
        newest = self._newest_of(reaction.seq) if reaction else None
        if reaction is None or newest is None:
            return "ignored"
        if reaction.is_undone:
            return "duplicates"
        self._reactions.add(record, Reaction(reaction.seq, reaction.is_repost, True))
        return self._count(newest, reaction.is_repost, -1, event)

    def _newest_of(self, seq: int) -> int | None:
        """Position of the newest version of the post with a version that was reacted to; None if it is gone."""
        if self._counts.is_changed(seq):  # as every post is that was reacted to, under its newest version
            return seq
        self._flush()
        return families.newest_after(self._db, seq)

    def _count(self, newest: int, is_repost: bool, step: int, event: ev.Event) -> str:
        if self._counts.add(newest, REPOSTS if is_repost else LIKES, step, self._time(event)):
            self._recounted.add(newest)
        return "accepted"


def _later(before: Sequence[int | None], after: Sequence[int | None]) -> list[int | None]:
    """Counts after some of them were seen anew; None: not seen."""
    return [old if new is None else new for old, new in zip(before, after, strict=True)]
