"""The durable log: every acknowledged event, and the state derived from it.

One SQLite file (write-ahead log, synchronous commits). `append` returns once the events are on disk: that return
is the acknowledgement. The same transaction updates the state tables of `schema.sql` (see `apply_events.py`), so
a post is hidden or erased at the instant its event is acknowledged, whatever the indexes still hold.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import msgspec

from trinch.posts.places import NOWHERE
from trinch.posts.schema import AccountGone, Created, Deleted, Edited, Event, Post
from trinch.posts.times import now
from trinch.store import bodies, database, families, tallies
from trinch.store.apply_events import EventApplier, key_of
from trinch.store.counts import COUNTS
from trinch.store.known_posts import KnownPosts
from trinch.store.query_eval import number_of
from trinch.store.reactions import Reaction, ReactionTable
from trinch.store.sql import select_in


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: each event is accepted, a duplicate, or ignored."""

    accepted: int
    duplicates: int
    ignored: int
    """Reactions to unknown posts, late copies of posts of a gone account: counted, not stored."""
    deleted: int
    """Posts and accounts removed; a part of `accepted`."""
    last_seq: int


class Entry(NamedTuple):
    """One event of the log."""

    seq: int
    at: int
    event: Event | None
    """None if erased since, and for a removal by retention."""
    refs: tuple[int, ...]
    """Positions of the posts that it erased or whose counts it changed; its own where counts were known before. Of an
    entry without event: its own, or those of posts that retention removed."""


class Version(NamedTuple):
    """One visible version of a post."""

    seq: int
    at: int
    post: Post


class Log:
    """An open connection to the log. Cheap to open; one per thread. Appends of many processes take turns."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises StoreError."""
        self._db = database.connect(path)
        self._known: KnownPosts | None = None

    def close(self) -> None:
        """Close, with the write-ahead log merged into the file unless another connection is reading it."""
        with suppress(sqlite3.OperationalError):  # busy, or read-only
            self._db.execute("PRAGMA busy_timeout = 0")
            self.checkpoint()
        self._db.close()

    # ------------------------------------------------------------------ writing

    def append(self, events: Sequence[Event], cursors: Mapping[str, str] | None = None) -> Appended:
        """Make events durable, in order, all or none, with the cursors of their sources.

        What the log already holds (the same post, the same deletion, …) is recognised and not written again.
        A time in the future is replaced by the present.
        """
        with self._transaction():
            clock = now()
            first = self.last_seq + 1
            if not (self._known and self._known.is_current()):
                self._known = KnownPosts(self._db)
            applier = EventApplier(self._db, self._known, first, clock)
            applier.apply(events)
            self._db.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (cursors or {}).items())
            if applier.next_seq > first:
                self._db.execute("INSERT INTO commits VALUES (?, ?)", (applier.next_seq - 1, clock))
        return Appended(
            applier.accepted, applier.duplicates, applier.ignored, applier.deleted, applier.next_seq - 1
        )

    def stored_bodies(self, seqs: Sequence[int]) -> list[bytes]:
        """The bodies at some positions, byte for byte as they are in the file."""
        rows = select_in(self._db, "SELECT body FROM events WHERE body IS NOT NULL AND seq", seqs)
        return [body for (body,) in rows]

    def erase_posts_of(self, network: str, author_id: str, seqs: Sequence[int]) -> list[int]:
        """Erase the bodies at those of these positions that hold a post of an account.

        Returns the positions that are now empty."""
        empty: list[int] = []
        with self._counted_transaction() as counted:
            for seq, at, body in select_in(self._db, "SELECT seq, at, body FROM events WHERE seq", seqs):
                event = None if body is None else bodies.decode(body)
                if isinstance(event, Created | Edited):
                    if (event.network, event.post.author_id) != (network, author_id):
                        continue
                    counted.add(event.post, at, -1)
                    self._db.execute("UPDATE events SET body = NULL, crc = NULL WHERE seq = ?", (seq,))
                empty.append(seq)
        return empty

    def erase_places_of(self, network: str, author_id: str, seqs: Sequence[int], upto: str = "") -> list[int]:
        """Take the places out of those posts at these positions that are of an account, with an id up to a number.

        Returns the positions that changed."""
        changed: list[int] = []
        last = int(upto) if upto.isdecimal() else None
        with self._transaction():
            for seq, body in select_in(
                self._db, "SELECT seq, body FROM events WHERE body IS NOT NULL AND seq", seqs
            ):
                event = bodies.decode(body)
                if not isinstance(event, Created | Edited):
                    continue
                post, number = event.post, number_of(event.post)
                is_meant = (event.network, post.author_id) == (network, author_id)
                if not is_meant or not (last is None or number is None or number <= last):
                    continue
                without = bodies.encode(
                    msgspec.structs.replace(event, post=msgspec.structs.replace(post, **NOWHERE))
                )
                self._db.execute(
                    "UPDATE events SET body = ?, crc = ? WHERE seq = ?", (without, crc32(without), seq)
                )
                changed.append(seq)
        return changed

    def erase_handles(self, accounts: Iterable[str]) -> None:
        """Erase the changes of name of some accounts (keys)."""
        with self._transaction():
            for account in accounts:
                self._db.execute(
                    "UPDATE events SET body = NULL, crc = NULL WHERE seq IN (SELECT seq FROM handles WHERE key = ?)",
                    (account,),
                )
                self._db.execute("DELETE FROM handles WHERE key = ?", (account,))

    def drop(self, seqs: Sequence[int]) -> int:
        """Remove versions of posts at some positions from the log and the state tables, without barring their ids.

        An entry without an event that refers to them tells the consumers of the log. Returns how many there were."""
        with self._counted_transaction() as counted:
            self._known = None
            found = self._stored(seqs)
            for version in found.values():
                counted.add(version.post, version.at, -1)
            roots, _ = self._names(found)
            sql = "SELECT superseded.seq, posts.seq FROM superseded JOIN posts USING (key) WHERE posts.seq > 0 AND superseded.seq"
            ReactionTable(self._db).move(dict(select_in(self._db, sql, list(found))))
            for seq, root in roots.items():
                self._db.execute("DELETE FROM events WHERE seq = ?", (seq,))
                self._db.execute("DELETE FROM superseded WHERE seq = ?", (seq,))
                if self._db.execute("DELETE FROM posts WHERE key = ? AND seq = ?", (root, seq)).rowcount:
                    self._db.execute("DELETE FROM counts WHERE seq = ?", (seq,))
            if found:
                self._append_entry(sorted(found))
        return len(found)

    def _append_entry(self, refs: Sequence[int]) -> None:
        """Append an entry without an event."""
        seq, clock = self.last_seq + 1, now()
        row = (seq, clock, msgspec.json.encode(refs).decode())
        self._db.execute("INSERT INTO events (seq, at, refs) VALUES (?, ?, ?)", row)
        self._db.execute("INSERT INTO commits VALUES (?, ?)", (seq, clock))

    def add_reactions(self, reactions: Sequence[tuple[Reaction, str]]) -> None:
        """Add reactions of another log that are in its counts already, each to the post with a key."""
        with self._transaction():
            known = KnownPosts(self._db)
            known.look_up([key for _, key in reactions])
            found = [(one, seq) for one, key in reactions if (seq := known.newest(key))]
            ReactionTable(self._db).add([one._replace(seq=seq) for one, seq in found])

    def drop_counts(self, last: int) -> None:
        """Remove what changed counts, what was erased, and reactions to posts, up to a position; counts of later posts
        stay."""
        with self._transaction():
            kinds = [f'{{"kind":"{kind}"'.encode() for kind in ("counts_changed", "reacted", "unreacted")]
            same = " OR ".join("substr(body, 1, ?) = ?" for _ in kinds)
            values = [value for kind in kinds for value in (len(kind), kind)]
            end = min(last, self.last_seq - 1)  # the newest position must stay: it is never given again
            self._db.execute(
                f"DELETE FROM events WHERE seq <= ? AND (body IS NULL OR {same})", (end, *values)
            )
            self._db.execute("DELETE FROM reactions WHERE seq <= ?", (last,))

    def checkpoint(self) -> bool:
        """Merge the write-ahead log into the file and empty it; erased bytes are then in neither.

        False if another connection was in the way. Raises sqlite3.OperationalError if the file cannot be written."""
        busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; one writer at a time."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._known = None
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _counted_transaction(self) -> Iterator[tallies.Tallies]:
        """A transaction that erases posts, with the numbers that it changes."""
        with self._transaction():
            counted = tallies.Tallies(self._db)
            yield counted
            counted.flush()

    # ------------------------------------------------------------------ reading

    def num_posts_by(self, dimension: str) -> dict[str, int]:
        """Stored versions of posts by `network` or `lang`, most frequent first, or by `day`, in order (ISO 8601; "":
        undated)."""
        return tallies.read(self._db, dimension)

    @property
    def bytes_used(self) -> int:
        """Bytes of the file that hold something; what was freed is used again before the file grows."""
        pages, free, size = (
            self._db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)

    def last_seq_before(self, moment: int) -> int:
        """Position of the last event that was acknowledged before a time; 0 if there is none."""
        sql = "SELECT coalesce(max(last_seq), 0) FROM commits WHERE at < ?"
        return int(self._db.execute(sql, (moment,)).fetchone()[0])

    def posts_through(self, last: int) -> list[int]:
        """Positions of all stored versions of posts up to a position, in order."""
        rows = self._db.execute(
            "SELECT seq FROM posts WHERE seq <= ?1 UNION SELECT seq FROM superseded WHERE seq <= ?1 ORDER BY 1",
            (last,),
        )
        return [row[0] for row in rows]

    def hidden_through(self, last: int) -> tuple[list[int], list[tuple[str, str]]]:
        """What events up to a position hid and nothing showed since: positions of posts, and accounts as (network,
        author id). Posts that are hidden until their newer version arrives are not among them."""
        roots = [
            row[0]
            for row in self._db.execute(
                "SELECT DISTINCT root FROM hidden h WHERE hide AND reason <> 'edited' AND seq <= ? AND NOT EXISTS"
                " (SELECT 1 FROM hidden WHERE (root, key, reason) = (h.root, h.key, h.reason) AND seq > h.seq)",
                (last,),
            )
        ]
        accounts = self._db.execute(
            "SELECT DISTINCT key FROM accounts_hidden h WHERE hide AND seq <= ? AND NOT EXISTS"
            " (SELECT 1 FROM accounts_hidden WHERE (key, reason) = (h.key, h.reason) AND seq > h.seq)",
            (last,),
        )
        named = [
            (network, author_id) for (key,) in accounts for network, _, author_id in [key.partition(":")]
        ]
        return families.positions(self._db, roots), named

    def deleted_after(self, seq: int) -> set[str]:
        """Ids of the posts and of the accounts that were deleted behind a position."""
        kinds = [f'{{"kind":"{kind}"'.encode() for kind in ("deleted", "account_gone")]
        rows = self._db.execute(
            "SELECT body FROM events WHERE seq > ? AND (substr(body, 1, ?) = ? OR substr(body, 1, ?) = ?)",
            (seq, *(value for kind in kinds for value in (len(kind), kind))),
        )
        events = [bodies.decode(body) for (body,) in rows]
        return {e.id for e in events if isinstance(e, Deleted)} | {
            e.author_id for e in events if isinstance(e, AccountGone)
        }

    @property
    def last_seq(self) -> int:
        """Position of the newest acknowledged event; 0 if it is empty."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])

    def cursor(self, source: str) -> str | None:
        """How far a live source was read."""
        row = self._db.execute("SELECT cursor FROM cursors WHERE source = ?", (source,)).fetchone()
        return row[0] if row else None

    def cursors(self) -> dict[str, str]:
        """How far each live source was read."""
        return dict(self._db.execute("SELECT source, cursor FROM cursors ORDER BY source").fetchall())

    def read(
        self, after: int, limit: int = 5000, wanted: Callable[[int, int], bool] | None = None
    ) -> Iterator[Entry]:
        """The next entries behind a position, in order.

        `wanted` is given the position and the time of each new post; one that is not wanted comes without its event."""
        rows = self._db.execute(
            "SELECT seq, at, body, refs FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
        for seq, at, body, refs in rows:
            left_out = body is None or (wanted and not wanted(seq, at) and bodies.is_new_post(body))
            event = None if left_out else bodies.decode(body)
            yield Entry(seq, at, event, tuple(msgspec.json.decode(refs)) if refs else ())

    def networks(self) -> list[str]:
        """The networks of the stored posts."""
        names: list[str] = []
        start = ""
        while row := self._db.execute("SELECT key FROM posts WHERE key >= ? LIMIT 1", (start,)).fetchone():
            names.append(row[0].split(":", 1)[0])
            start = names[-1] + ";"  # the character behind the colon: the next network's first key
        return names

    def seqs_of(self, id: str) -> list[int]:
        """Positions of all versions of the post with this id, given bare or as `network:id`."""
        keys = [id, *(key_of(network, id) for network in self.networks())]
        return families.positions(self._db, list(set(self._roots(keys).values())))

    @property
    def identity(self) -> str:
        """The random name of the store that this log belongs to."""
        return database.identity(self._db)

    def accounts_named(self, handle: str) -> list[str]:
        """Ids of the accounts that took a handle, at any time; in any case."""
        rows = self._db.execute("SELECT key FROM handles WHERE handle = ? COLLATE NOCASE", (handle,))
        return list({row[0].split(":", 1)[1] for row in rows})

    def _roots(self, keys: Sequence[str]) -> dict[str, str]:
        roots = {key: key for key in keys}
        roots.update(select_in(self._db, "SELECT key, root FROM aliases WHERE key", keys))
        return roots

    def _read_at(self, seqs: Sequence[int]) -> dict[int, int]:
        """When the events at these positions were acknowledged."""
        when = "SELECT at FROM commits WHERE last_seq >= events.seq ORDER BY last_seq LIMIT 1"
        return dict(select_in(self._db, f"SELECT seq, ({when}) FROM events WHERE seq", seqs))

    def visible(self, seqs: Sequence[int], as_of: int | None = None) -> dict[int, Version]:
        """Those of these posts that are visible as of a time (None: now), by position.

        Not visible: erased, hidden, not yet posted, replaced by an edit, of a hidden or gone account. A deletion
        or a hiding counts from its acknowledgement on, for every `as_of`. Counts: as known then. Handles: the
        latest known.
        """
        horizon = now() if as_of is None else as_of
        replaced = dict(select_in(self._db, "SELECT seq, until FROM superseded WHERE seq", seqs))
        found = {
            seq: version
            for seq, version in self._stored(seqs).items()
            if version.at <= horizon < replaced.get(seq, horizon + 1)
        }
        roots, accounts = self._names(found)
        shown = self._shown(found, roots, accounts)
        return self._with_latest(shown, accounts, as_of)

    def shown(self, seqs: Sequence[int]) -> set[int]:
        """Those of these posts that are neither erased nor hidden, whenever they were valid."""
        found = self._stored(seqs)
        return set(self._shown(found, *self._names(found)))

    def replaced(self, first: int, last: int, as_of: int) -> list[int]:
        """Positions from `first` to `last` of versions that another one had replaced by a time."""
        rows = self._db.execute(
            "SELECT seq FROM superseded WHERE seq BETWEEN ? AND ? AND until <= ?", (first, last, as_of)
        )
        return [row[0] for row in rows]

    def _shown(
        self, found: Mapping[int, Version], roots: Mapping[int, str], accounts: Mapping[int, str]
    ) -> dict[int, Version]:
        """The versions that are not hidden, neither themselves nor with their account."""
        authors = list(set(accounts.values()))
        hidden, hidden_accounts = (
            self._hidden_roots(list(set(roots.values()))),
            self._hidden_accounts(authors),
        )
        gone: dict[str, int] = {}
        for key, seq in select_in(self._db, "SELECT key, seq FROM accounts_gone WHERE key", authors):
            gone[key] = max(seq, gone.get(key, 0))
        return {
            seq: version
            for seq, version in found.items()
            if roots[seq] not in hidden
            and accounts[seq] not in hidden_accounts
            and seq >= gone.get(accounts[seq], 0)
        }

    def _hidden_roots(self, roots: Sequence[str]) -> set[str]:
        """The posts hidden for some reason, under any of their ids; reason `edited`: only the newest id."""
        rows = select_in(self._db, "SELECT seq, hide, root, key, reason FROM hidden WHERE root", roots)
        return {
            root
            for root, key, reason in _in_force(rows)
            if reason != "edited" or self._newest_id(root) == key
        }

    def _hidden_accounts(self, accounts: Sequence[str]) -> set[str]:
        rows = select_in(self._db, "SELECT seq, hide, key, reason FROM accounts_hidden WHERE key", accounts)
        return {account for account, _ in _in_force(rows)}

    def _newest_id(self, root: str) -> str:
        """The key of the newest version of a post."""
        seq = families.newest(self._db, root)
        stored = self._stored([seq] if seq else [])
        return next((key_of(v.post.network, v.post.id) for v in stored.values()), root)

    def versions(self, seqs: Sequence[int]) -> dict[int, Version]:
        """Those of these posts that are not erased, hidden or not, with what is known of them now; for indexes."""
        found = self._stored(seqs)
        return self._with_latest(found, self._accounts(found), None)

    def _stored(self, seqs: Sequence[int]) -> dict[int, Version]:
        found: dict[int, Version] = {}
        for seq, at, body in select_in(self._db, "SELECT seq, at, body FROM events WHERE seq", seqs):
            event = None if body is None else bodies.decode(body)
            if isinstance(event, Created | Edited):
                found[seq] = Version(seq, at, event.post)
        return found

    def _names(self, found: Mapping[int, Version]) -> tuple[dict[int, str], dict[int, str]]:
        """By position, the key of the first version of the post, and of its author (who may be unknown)."""
        keys = {seq: key_of(v.post.network, v.post.id) for seq, v in found.items()}
        roots = self._roots(list(keys.values()))
        return {seq: roots[key] for seq, key in keys.items()}, self._accounts(found)

    def _accounts(self, found: Mapping[int, Version]) -> dict[int, str]:
        """By position, the key of the author."""
        return {seq: key_of(v.post.network, v.post.author_id) for seq, v in found.items()}

    def _changed_counts(self, seqs: Sequence[int]) -> dict[int, tuple[Any, ...]]:
        """By position of a version, what changed the counts of its post: (when it was seen, *COUNTS)."""
        sql = (
            "SELECT superseded.seq, posts.seq FROM superseded JOIN posts USING (key)"
            " WHERE posts.seq IS NOT NULL AND superseded.seq"
        )
        newest = {seq: seq for seq in seqs} | dict(select_in(self._db, sql, seqs))
        wanted = list(set(newest.values()))
        counts = {row[0]: row[1:] for row in select_in(self._db, "SELECT * FROM counts WHERE seq", wanted)}
        return {seq: counts[now_newest] for seq, now_newest in newest.items() if now_newest in counts}

    def _handles(self, accounts: Sequence[str]) -> dict[str, str]:
        """The handle each account took last, in the order of the log."""
        last: dict[str, tuple[int, str]] = {}
        for key, seq, handle in select_in(
            self._db, "SELECT key, seq, handle FROM handles WHERE key", accounts
        ):
            last[key] = max((seq, handle), last.get(key, (-1, "")))
        return {key: handle for key, (_, handle) in last.items()}

    def _with_latest(
        self, found: dict[int, Version], accounts: dict[int, str], as_of: int | None
    ) -> dict[int, Version]:
        """The versions with the handle of their author, and with the counts as known at a time."""
        handles = self._handles(list({accounts[seq] for seq in found}))
        counts = self._changed_counts(list(found))
        read = (
            {} if as_of is None else self._read_at([s for s, v in found.items() if v.post.likes is not None])
        )
        for seq, version in found.items():
            post, account = version.post, accounts[seq]
            changes: dict[str, object] = {}
            if handles.get(account, post.author) != post.author:
                changes["author"] = handles[account]
            if as_of is not None and read.get(seq, as_of) > as_of:
                changes |= dict.fromkeys(COUNTS)
            if seq in counts and (as_of is None or counts[seq][0] <= as_of):
                pairs = zip(COUNTS, counts[seq][1:], strict=True)
                changes |= {name: count for name, count in pairs if count is not None}
            if changes:
                found[seq] = version._replace(post=msgspec.structs.replace(post, **changes))
        return found


def _in_force(rows: Iterable[tuple[Any, ...]]) -> set[tuple[str, ...]]:
    """Of rows (seq, hide, *names): the names whose last event in the log hides them."""
    last: dict[tuple[str, ...], tuple[int, int]] = {}
    for seq, hide, *names in rows:
        last[tuple(names)] = max((seq, hide), last.get(tuple(names), (-1, 0)))
    return {names for names, (_, hide) in last.items() if hide}
