"""What each kind of event does to the log and to the state tables beside it.

Owns the meaning of the events of `posts/schema.py`, written as SQL inside the transaction of one append.
Knows nothing of durability (see `log.py`) or of reading.

New posts are by far the most frequent: they are collected and written in bulk. Every other kind changes the
tables directly, after what was collected is written if it speaks of one of those posts.
"""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import msgspec

from trinch.posts import schema as ev

COUNTS = ("likes", "reposts", "replies", "quotes")
Counts: TypeAlias = dict[str, int | None]
"""By the names of COUNTS, in that order."""

_CHUNK = 500
"""Parameters in one SQL statement; the oldest limit of SQLite is 999."""


class _PostCounts(msgspec.Struct):
    likes: int | None = None
    reposts: int | None = None
    replies: int | None = None
    quotes: int | None = None


class _Counted(msgspec.Struct):
    """As much of a stored post as its counts need."""

    post: _PostCounts


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ev.Created | ev.Edited).decode
_decode_counts = msgspec.json.Decoder(_Counted).decode


def _own_counts(post: ev.Post | _PostCounts) -> Counts:
    return {name: getattr(post, name) for name in COUNTS}


def key_of(network: str, id: str) -> str:
    """The name of a post or an account across networks."""
    return f"{network}:{id}"


def lookup(db: sqlite3.Connection, select: str, keys: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Rows of `select … IN` for any number of keys."""
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        rows += db.execute(f"{select} IN ({','.join('?' * len(chunk))})", chunk)
    return rows


class Fold:
    """Applies a batch of events, in order, to an open transaction."""

    def __init__(self, db: sqlite3.Connection, next_seq: int, clock: int) -> None:
        self._db = db
        self._clock = clock
        self.next_seq = next_seq
        self.accepted = self.duplicates = self.deleted = self.ignored = 0
        self._known: dict[str, int | None] = {}
        self._new_events: list[tuple[int, int, bytes, str | None]] = []
        self._new_posts: dict[str, int] = {}
        self._alias: dict[str, str] = {}
        self._fresh: dict[str, ev.Post] = {}
        self._tallies: dict[str, tuple[Counts, int]] = {}
        self._changed: set[str] = set()
        self._gone: dict[str, int] = {}
        self._handlers: dict[type, Callable[[Any], str]] = {
            ev.Edited: self._edited,
            ev.Deleted: self._deleted,
            ev.Hidden: self._hidden,
            ev.Restored: self._restored,
            ev.AccountGone: self._account_gone,
            ev.AccountHidden: self._account_hidden,
            ev.AccountRestored: self._account_restored,
            ev.AccountRenamed: self._account_renamed,
            ev.CountsChanged: self._counts_changed,
            ev.Reacted: self._reacted,
            ev.Unreacted: self._unreacted,
        }

    def apply(self, events: Sequence[ev.Event]) -> None:
        """Write the events that say something new; count the rest."""
        self._look_up(events)
        known = self._known
        for event in events:
            if type(event) is ev.Created:
                key = key_of(event.network, event.post.id)
                if key in known and not self._sent_again(event, known[key]):
                    self.duplicates += 1
                    continue
                if self._gone and self._erased_before(event):
                    self.ignored += 1
                    continue
                known[key] = self._new_posts[key] = self.next_seq
                self._fresh[key] = event.post
                self._write(event)
                self.accepted += 1
            else:
                outcome = self._handlers[type(event)](event)
                setattr(self, outcome, getattr(self, outcome) + 1)
        self._flush()

    def _look_up(self, events: Sequence[ev.Event]) -> None:
        """What the frequent kinds need to know, asked once for the whole batch."""
        keys = [key_of(e.network, e.post.id) for e in events if type(e) is ev.Created]
        counted = [key_of(e.network, e.id) for e in events if type(e) is ev.CountsChanged]
        self._known = dict(lookup(self._db, "SELECT key, seq FROM posts WHERE key", [*keys, *counted]))
        for alias, root in lookup(self._db, "SELECT key, root FROM aliases WHERE key", [*keys, *counted]):
            self._alias[alias] = root
            self._known[alias] = self._known[root] = self._newest(root)
        rows = lookup(
            self._db, "SELECT key, at, likes, reposts, replies, quotes FROM counts WHERE key", counted
        )
        for key, at, *counts in rows:
            self._tallies[key] = dict(zip(COUNTS, counts, strict=True)), at
        plain = {
            self._known[key]: key for key in counted if self._known.get(key) and key not in self._tallies
        }
        for seq, body in lookup(self._db, "SELECT seq, body FROM events WHERE seq", list(plain)):
            self._tallies[plain[seq]] = _own_counts(_decode_counts(body).post), 0
        if self._db.execute("SELECT 1 FROM accounts_gone LIMIT 1").fetchone():
            written = (e for e in events if isinstance(e, ev.Created | ev.Edited))
            authors = list({key_of(e.network, e.post.author_id) for e in written})
            sql = "SELECT key, at FROM accounts_gone WHERE NOT diverged AND key"
            self._gone = dict(lookup(self._db, sql, authors))

    # ---------------------------------------------------------------- shared steps

    def _flush(self) -> None:
        """Put what was collected into the tables."""
        db = self._db
        db.executemany("INSERT OR REPLACE INTO posts VALUES (?, ?)", self._new_posts.items())
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?)", self._new_events)
        rows = [(key, self._tallies[key][1], *self._tallies[key][0].values()) for key in self._changed]
        db.executemany("INSERT OR REPLACE INTO counts VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._new_posts.clear()
        self._new_events.clear()
        self._changed.clear()

    def _write(self, event: ev.Event, refs: Sequence[int] = ()) -> int:
        seq, at = self.next_seq, min(event.at, self._clock)
        self._new_events.append((seq, at, _encode(event), _encode(refs).decode() if refs else None))
        self.next_seq += 1
        return seq

    def _root(self, network: str, id: str) -> str:
        """The key under which a post of this id is kept; what was collected of it is written first."""
        key = key_of(network, id)
        if key in self._new_posts:
            self._flush()
        row = self._db.execute("SELECT root FROM aliases WHERE key = ?", (key,)).fetchone()
        return row[0] if row else key

    def _newest(self, root: str) -> int | None:
        """Position of the newest version; None when never seen or barred."""
        row = self._db.execute("SELECT seq FROM posts WHERE key = ?", (root,)).fetchone()
        return row[0] if row else None

    def _barred(self, root: str) -> bool:
        row = self._db.execute("SELECT seq FROM posts WHERE key = ?", (root,)).fetchone()
        return row is not None and row[0] is None

    def _sent_again(self, event: ev.Created, seq: int | None) -> bool:
        """Is this known post one of a diverged account, which the source now sends anew?"""
        account = key_of(event.network, event.post.author_id)
        row = self._db.execute(
            "SELECT seq FROM accounts_gone WHERE key = ? AND diverged", (account,)
        ).fetchone()
        return row is not None and seq is not None and seq < row[0]

    def _erased_before(self, event: ev.Created | ev.Edited) -> bool:
        """Is this a late copy of what an account had posted before it was gone?"""
        return event.at < self._gone.get(key_of(event.network, event.post.author_id), event.at)

    # ---------------------------------------------------------------- one method a kind

    def _edited(self, event: ev.Edited) -> str:
        network, post = event.network, event.post
        root = self._root(network, event.replaces[0] if event.replaces else post.id)
        own = key_of(network, post.id)
        self._flush()
        at = min(event.at, self._clock)
        versions = self._db.execute(
            "SELECT at, seq, body FROM events WHERE seq IN (SELECT seq FROM superseded WHERE key = ?1 UNION"
            " SELECT seq FROM posts WHERE key = ?1 AND seq IS NOT NULL)",
            (root,),
        ).fetchall()
        if own == root:  # the same id again: a version is known by its time and words
            seen = any(at == then and _decode(body).post == post for then, _, body in versions)
        else:
            seen = own in self._known_aliases(root)
        if seen or self._barred(root):
            return "duplicates"
        if self._gone and self._erased_before(event):
            return "ignored"
        seq = self._write(event, [self.next_seq] if self._counted_anew(root, post, at) else ())
        line = sorted([*(version[:2] for version in versions), (at, seq)])
        self._db.executemany(
            "INSERT OR REPLACE INTO superseded VALUES (?, ?, ?)",
            [(older[1], newer[0], root) for older, newer in pairwise(line)],
        )
        self._db.execute("INSERT OR REPLACE INTO posts VALUES (?, ?)", (root, line[-1][1]))
        names = {key_of(network, id) for id in (*event.replaces, post.id)} - {root}
        self._db.executemany("INSERT OR REPLACE INTO aliases VALUES (?, ?)", [(n, root) for n in names])
        if names:  # what an earlier word hid as edited is replaced now
            self._db.execute("DELETE FROM hidden WHERE key = ? AND reason = 'edited'", (root,))
        self._known |= dict.fromkeys((root, *names), line[-1][1])
        self._alias |= dict.fromkeys(names, root)
        self._flush()
        return "accepted"

    def _counted_anew(self, root: str, post: ev.Post, at: int) -> bool:
        """Let the counts of a newer version count; whether the index must look up any that it does not say."""
        self._fresh.pop(root, None)
        self._tallies.pop(root, None)
        row = self._db.execute("SELECT at FROM counts WHERE key = ?", (root,)).fetchone()
        if row and row[0] <= at:
            sets = ", ".join(f"{name} = coalesce(?, {name})" for name in COUNTS)
            self._db.execute(
                f"UPDATE counts SET at = ?, {sets} WHERE key = ?", (at, *_own_counts(post).values(), root)
            )
        return row is not None

    def _known_aliases(self, root: str) -> set[str]:
        return {row[0] for row in self._db.execute("SELECT key FROM aliases WHERE root = ?", (root,))}

    def _deleted(self, event: ev.Deleted) -> str:
        root = self._root(event.network, event.id)
        if self._barred(root):
            return "duplicates"
        self._flush()
        seqs = [row[0] for row in self._db.execute("SELECT seq FROM superseded WHERE key = ?", (root,))]
        newest = self._newest(root)
        seqs += [newest] if newest is not None else []
        self._db.executemany("UPDATE events SET body = NULL WHERE seq = ?", [(seq,) for seq in seqs])
        self._db.execute("DELETE FROM superseded WHERE key = ?", (root,))
        self._db.execute("DELETE FROM counts WHERE key = ?", (root,))
        self._tallies.pop(root, None)
        self._changed.discard(root)
        self._fresh.pop(root, None)
        self._db.execute("INSERT OR REPLACE INTO posts VALUES (?, NULL)", (root,))
        self._known |= dict.fromkeys((root, *self._known_aliases(root)), None)
        self._write(event, seqs)
        self.deleted += 1
        return "accepted"

    def _once(self, event: ev.Event, sql: str, values: tuple[object, ...]) -> str:
        """Run a statement; the event is new only if that changed something."""
        if self._db.execute(sql, values).rowcount == 0:
            return "duplicates"
        self._write(event)
        return "accepted"

    def _hidden(self, event: ev.Hidden) -> str:
        root = self._root(event.network, event.id)
        if event.reason == "edited" and self._replaced(root, event):
            return "duplicates"
        return self._word(event, "hidden", root, event.reason, 1)

    def _replaced(self, root: str, event: ev.Hidden) -> bool:
        """Is this version replaced by a newer one already? Then the word that it was edited says nothing new."""
        newest = self._newest(root)
        if newest is None:
            return False
        self._flush()
        body = self._db.execute("SELECT body FROM events WHERE seq = ?", (newest,)).fetchone()[0]
        return body is not None and _decode(body).post.id != event.id

    def _restored(self, event: ev.Restored) -> str:
        return self._word(event, "hidden", self._root(event.network, event.id), event.reason, 0)

    def _account_hidden(self, event: ev.AccountHidden) -> str:
        account = key_of(event.network, event.author_id)
        return self._word(event, "accounts_hidden", account, event.reason, 1)

    def _account_restored(self, event: ev.AccountRestored) -> str:
        account = key_of(event.network, event.author_id)
        return self._word(event, "accounts_hidden", account, event.reason, 0)

    def _word(self, event: ev.Event, table: str, key: str, reason: str, hide: int) -> str:
        """The latest word on hiding counts; what says nothing new is a duplicate."""
        sql = (
            f"INSERT INTO {table} VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET at = ?3, hide = ?4"
            " WHERE at < ?3 OR (at = ?3 AND hide != ?4)"
        )
        return self._once(event, sql, (key, reason, min(event.at, self._clock), hide))

    def _account_gone(self, event: ev.AccountGone) -> str:
        account, at = key_of(event.network, event.author_id), min(event.at, self._clock)
        sql = (
            "INSERT INTO accounts_gone VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE"
            " SET seq = ?2, at = ?3, diverged = ?4 WHERE at < ?3"
        )
        outcome = self._once(event, sql, (account, self.next_seq, at, event.diverged))
        if outcome == "accepted":
            self.deleted += 1
            if not event.diverged:
                self._gone[account] = at
        return outcome

    def _account_renamed(self, event: ev.AccountRenamed) -> str:
        account = key_of(event.network, event.author_id)
        sql = (
            "INSERT INTO handles VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET handle = ?2, at = ?3"
            " WHERE at <= ?3 AND handle != ?2"
        )
        return self._once(event, sql, (account, event.author, min(event.at, self._clock)))

    def _counts(self, root: str, newest: int) -> tuple[Counts, int]:
        """The counts of a post as last seen, and when: changed since, else as it was read."""
        if root in self._tallies:
            return self._tallies[root]
        if root in self._fresh:
            return _own_counts(self._fresh[root]), 0
        sql = "SELECT likes, reposts, replies, quotes, at FROM counts WHERE key = ?"
        row = self._db.execute(sql, (root,)).fetchone()
        if row:
            return dict(zip(COUNTS, row[:4], strict=True)), row[4]
        body = self._db.execute("SELECT body FROM events WHERE seq = ?", (newest,)).fetchone()[0]
        return _own_counts(_decode_counts(body).post), 0

    def _set_counts(self, event: ev.Event, root: str, newest: int, before: Counts, after: Counts) -> str:
        self._tallies[root] = after, min(event.at, self._clock)
        self._changed.add(root)
        # Indexes know counts by powers of two: they hear of a change only when one is crossed.
        crossed = any((before[n] or 0).bit_length() != (after[n] or 0).bit_length() for n in COUNTS)
        self._write(event, [newest] if crossed else ())
        return "accepted"

    def _counts_changed(self, event: ev.CountsChanged) -> str:
        key = key_of(event.network, event.id)
        root = self._alias.get(key, key)
        newest = self._known.get(root)
        if newest is None:
            return "ignored"
        before, seen = self._counts(root, newest)
        after = before | {n: getattr(event, n) for n in COUNTS if getattr(event, n) is not None}
        if after == before or seen > event.at:
            return "duplicates"
        return self._set_counts(event, root, newest, before, after)

    def _reacted(self, event: ev.Reacted) -> str:
        root = self._root(event.network, event.id)
        newest = self._newest(root)
        if newest is None:
            return "ignored"
        sql = "INSERT OR IGNORE INTO reactions (record, key, what) VALUES (?, ?, ?)"
        if self._db.execute(sql, (key_of(event.network, event.record), root, event.what)).rowcount == 0:
            return "duplicates"
        return self._react(event, root, newest, event.what, 1)

    def _unreacted(self, event: ev.Unreacted) -> str:
        record = key_of(event.network, event.record)
        row = self._db.execute(
            "SELECT key, what, undone FROM reactions WHERE record = ?", (record,)
        ).fetchone()
        newest = self._newest(row[0]) if row else None
        if newest is None:
            return "ignored"
        if row[2]:
            return "duplicates"
        self._db.execute("UPDATE reactions SET undone = 1 WHERE record = ?", (record,))
        return self._react(event, row[0], newest, row[1], -1)

    def _react(self, event: ev.Event, root: str, newest: int, what: str, step: int) -> str:
        before, _ = self._counts(root, newest)
        name = "likes" if what == "like" else "reposts"
        return self._set_counts(
            event, root, newest, before, before | {name: max(0, (before[name] or 0) + step)}
        )
