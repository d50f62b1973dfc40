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
from trinch.store.apply_counts import CountsApplier
from trinch.store.counts import Counts, has_counts
from trinch.store.known_posts import KnownPosts
from trinch.store.sql import select_in
from trinch.store.tallies import Tallies

_encode = msgspec.json.Encoder().encode
_VERSIONS = (ev.Created, ev.Edited)


def key_of(network: str, id: str) -> str:
    """The key of a post, an account or a reaction: unique across networks."""
    return f"{network}:{id}"


class EventApplier:
    """Applies a batch of events, in order, to an open transaction."""

    def __init__(self, db: sqlite3.Connection, known: KnownPosts, next_seq: int, clock: int) -> None:
        self._db = db
        self._clock = clock
        self.next_seq = next_seq
        self.accepted = self.duplicates = self.deleted = self.ignored = 0
        self._known = known
        self._counting = CountsApplier(db, known, clock)
        self._counts = known.counts
        self._tallies = Tallies(db)
        self._new_events: list[tuple[int, int, bytes, str | None, int]] = []
        self._new_posts: dict[str, tuple[int, bool]] = {}
        """Root key → position, and whether the post itself holds counts."""
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
            ev.CountsChanged: self._collect,
            ev.Reacted: self._collect,
            ev.Unreacted: self._unreacted,
        }

    def apply(self, events: Sequence[ev.Event]) -> None:
        """Write the events that change something; count the others."""
        self._preload(events)
        handlers = self._handlers
        self._note(Counter([handlers[type(event)](event) for event in events]))
        self._flush()
        if recounted := self._counting.recounted:
            self._write(ev.CountsChanged(at=self._clock, network="", id=""), sorted(recounted))
            recounted.clear()
            self._flush()
        self._tallies.flush()

    def _note(self, outcomes: Counter[str]) -> None:
        self.accepted += outcomes["accepted"]
        self.duplicates += outcomes["duplicates"]
        self.ignored += outcomes["ignored"]

    def _preload(self, events: Sequence[ev.Event]) -> None:
        """Read what the frequent kinds need, once for the whole batch."""
        keys = [key_of(e.network, e.post.id) for e in events if type(e) is ev.Created]
        keys += sorted(
            {key_of(e.network, e.id) for e in events if type(e) is ev.Reacted or type(e) is ev.CountsChanged}
        )
        self._known.look_up(keys)
        if self._db.execute("SELECT 1 FROM accounts_gone LIMIT 1").fetchone():
            posts = (e for e in events if isinstance(e, ev.Created | ev.Edited))
            authors = list({key_of(e.network, e.post.author_id) for e in posts})
            for key, at in select_in(
                self._db, "SELECT key, before FROM accounts_gone WHERE NOT diverged AND key", authors
            ):
                self._gone[key] = max(at, self._gone.get(key, at))

    # ---------------------------------------------------------------- shared steps

    def _flush(self) -> None:
        """Write what was collected to the tables; then apply the counts and reactions collected."""
        self._db.executemany(
            "INSERT OR REPLACE INTO posts VALUES (?, ?, ?)",
            [(key, *place) for key, place in self._new_posts.items()],
        )
        self._db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", self._new_events)
        self._new_posts.clear()
        self._new_events.clear()
        self._note(self._counting.apply())

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
        known = self._known
        key = key_of(event.network, event.post.id)
        root = known.roots.get(key, key)
        if key in known.seqs and not self._is_sent_again(event, root):
            return "duplicates"
        if key in self._counting.pending_keys:  # what came before the post is about an unknown one
            self._flush()
        if self._gone and self._refused(event):
            return "ignored"
        seq, post = self.next_seq, event.post
        counts = self._retire(root) if key in known.seqs else None
        known.seqs[key] = known.seqs[root] = seq
        self._new_posts[root] = seq, has_counts(post)
        if not has_counts(post):
            known.without_counts.add(seq)
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
                counts = counts.updated(post, at)
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
        self._known.seqs |= dict.fromkeys(names, seq)
        self._known.roots |= dict.fromkeys(names[1:], root)

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

    def _collect(self, event: ev.CountsChanged | ev.Reacted) -> str:
        self._counting.collect(key_of(event.network, event.id), event)
        return "collected"

    def _unreacted(self, event: ev.Unreacted) -> str:
        self._counting.collect("", event)
        return "collected"
