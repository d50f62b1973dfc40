"""The durable log: the truth about everything drunk.

Owns one SQLite file (write-ahead log, synchronous commits). `append` returns once the events are on disk:
that return is the acknowledgement. In the same transaction the events are folded into the state tables of
`schema.sql` (see `apply_events.py`), so a post is hidden or erased at the instant its event is acknowledged, whatever
the indexes still hold. Knows nothing of indexes, queries or wire formats.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import msgspec

from trinch.posts.schema import Created, Edited, Event, Post
from trinch.posts.times import now
from trinch.store.apply_events import COUNTS, Fold, key_of, lookup

_SCHEMA = files("trinch.store").joinpath("schema.sql").read_text()
_decode = msgspec.json.Decoder(Event).decode


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of a batch: each event is accepted, a duplicate, or ignored."""

    accepted: int
    duplicates: int
    ignored: int
    """Reactions to posts never drunk, late copies of posts of a gone account: counted, not kept."""
    deleted: int
    """Posts and accounts removed; a part of `accepted`."""
    last_seq: int


class Entry(NamedTuple):
    """One line of the log."""

    seq: int
    at: int
    event: Event | None
    """None: erased since."""
    refs: tuple[int, ...]
    """Positions of the posts that it erased or whose counts it changed; its own where counts were known before."""


class Version(NamedTuple):
    """One visible version of a post."""

    seq: int
    at: int
    post: Post


class Log:
    """An open connection to the log. Cheap to open; one thread each. Appends of many processes take turns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._open(path)
        except sqlite3.Error as error:  # read-only, full, somebody else's file
            raise OSError(f"cannot open {path}: {error}") from None

    def _open(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
        # FULL: a commit returns only when it is on disk.
        # secure_delete: the bytes of what is erased are overwritten.
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
            "PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY;"
        )
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    # ------------------------------------------------------------------ writing

    def append(self, events: Sequence[Event], cursors: Mapping[str, str] | None = None) -> Appended:
        """Make events durable, in order, all or none, with the cursors of their sources.

        What the log already says (the same post, the same deletion, …) is recognised and not written again.
        A time in the future is taken for now: nobody has posted tomorrow.
        """
        with self._transaction():
            clock = now()
            fold = Fold(self._db, self.last_seq + 1, clock)
            fold.apply(events)
            self._db.executemany("INSERT OR REPLACE INTO cursors VALUES (?, ?)", (cursors or {}).items())
            if fold.accepted:
                self._db.execute("INSERT INTO commits VALUES (?, ?)", (fold.next_seq - 1, clock))
        return Appended(fold.accepted, fold.duplicates, fold.ignored, fold.deleted, fold.next_seq - 1)

    def erase_of(self, network: str, author_id: str, seqs: Sequence[int]) -> list[int]:
        """Empty for good those of these bodies that hold a post of an account; the positions now empty."""
        empty: list[int] = []
        with self._transaction():
            for seq, body in lookup(self._db, "SELECT seq, body FROM events WHERE seq", seqs):
                event = None if body is None else _decode(body)
                if isinstance(event, Created | Edited):
                    if (event.network, event.post.author_id) != (network, author_id):
                        continue
                    self._db.execute("UPDATE events SET body = NULL WHERE seq = ?", (seq,))
                empty.append(seq)
        return empty

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing; one writer at a time."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    # ------------------------------------------------------------------ reading

    @property
    def last_seq(self) -> int:
        """Position of the newest acknowledged event; 0 when nothing was drunk."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])

    def cursor(self, source: str) -> str | None:
        """How far a live source was read."""
        row = self._db.execute("SELECT cursor FROM cursors WHERE source = ?", (source,)).fetchone()
        return row[0] if row else None

    def cursors(self) -> dict[str, str]:
        """How far each live source was read."""
        return dict(self._db.execute("SELECT source, cursor FROM cursors ORDER BY source").fetchall())

    def read(self, after: int, limit: int = 5000) -> Iterator[Entry]:
        """The next entries behind a position, in order."""
        rows = self._db.execute(
            "SELECT seq, at, body, refs FROM events WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
        for seq, at, body, refs in rows:
            event = None if body is None else _decode(body)
            yield Entry(seq, at, event, tuple(msgspec.json.decode(refs)) if refs else ())

    def networks(self) -> list[str]:
        """The networks of which anything was drunk."""
        names: list[str] = []
        start = ""
        while row := self._db.execute("SELECT key FROM posts WHERE key >= ? LIMIT 1", (start,)).fetchone():
            names.append(row[0].split(":", 1)[0])
            start = names[-1] + ";"  # the character behind the colon: the next network's first key
        return names

    def seqs_of(self, id: str) -> list[int]:
        """Positions of all versions of the post with this id, given bare or as `network:id`."""
        keys = [id, *(key_of(network, id) for network in self.networks())]
        roots = list(self._roots(keys).values())
        rows = lookup(self._db, "SELECT seq FROM posts WHERE seq IS NOT NULL AND key", roots)
        rows += lookup(self._db, "SELECT seq FROM superseded WHERE key", roots)
        return sorted(row[0] for row in rows)

    def accounts_named(self, handle: str) -> list[str]:
        """Ids of the accounts that are known under a handle (lower-case) by a change of name."""
        rows = self._db.execute("SELECT key FROM handles WHERE handle = ? COLLATE NOCASE", (handle,))
        return [row[0].split(":", 1)[1] for row in rows]

    def _roots(self, keys: Sequence[str]) -> dict[str, str]:
        roots = {key: key for key in keys}
        roots.update(lookup(self._db, "SELECT key, root FROM aliases WHERE key", keys))
        return roots

    def _read_at(self, seqs: Sequence[int]) -> dict[int, int]:
        """When the events at these positions were acknowledged."""
        when = "SELECT at FROM commits WHERE last_seq >= events.seq ORDER BY last_seq LIMIT 1"
        return dict(lookup(self._db, f"SELECT seq, ({when}) FROM events WHERE seq", seqs))

    def visible(self, seqs: Sequence[int], as_of: int | None = None) -> dict[int, Version]:
        """Those of these posts that may be shown as of a time (None: now), by position.

        Left out: erased, hidden, not yet posted, replaced by an edit, of a hidden or gone account. A deletion
        or a hiding counts from its acknowledgement on, for every `as_of`. Counts: as known then. Handles: the
        latest known.
        """
        horizon = now() if as_of is None else as_of
        db = self._db
        replaced = dict(lookup(db, "SELECT seq, until FROM superseded WHERE seq", seqs))
        found = {
            seq: version
            for seq, version in self._stored(seqs).items()
            if version.at <= horizon < replaced.get(seq, horizon + 1)
        }
        roots, accounts = self._names(found)
        posts, authors = list(set(roots.values())), list(set(accounts.values()))
        hidden = {row[0] for row in lookup(db, "SELECT key FROM hidden WHERE hide AND key", posts)}
        shut = {row[0] for row in lookup(db, "SELECT key FROM accounts_hidden WHERE hide AND key", authors)}
        # Of a diverged account only what stands before that word in the log is gone, of a deleted one all.
        gone_sql = "SELECT key, at, iif(diverged, seq, 1 << 62) FROM accounts_gone WHERE key"
        gone = {row[0]: row[1:] for row in lookup(db, gone_sql, authors)}
        for seq, version in list(found.items()):
            gone_at, gone_seq = gone.get(accounts[seq], (version.at, 0))
            if roots[seq] in hidden or accounts[seq] in shut or (version.at < gone_at and seq < gone_seq):
                del found[seq]
        return self._with_latest(found, roots, accounts, as_of)

    def versions(self, seqs: Sequence[int]) -> dict[int, Version]:
        """Those of these posts that are not erased, hidden or not, with what is known of them now; for indexes."""
        found = self._stored(seqs)
        return self._with_latest(found, *self._names(found), None)

    def _stored(self, seqs: Sequence[int]) -> dict[int, Version]:
        found: dict[int, Version] = {}
        for seq, at, body in lookup(self._db, "SELECT seq, at, body FROM events WHERE seq", seqs):
            event = None if body is None else _decode(body)
            if isinstance(event, Created | Edited):
                found[seq] = Version(seq, at, event.post)
        return found

    def _names(self, found: Mapping[int, Version]) -> tuple[dict[int, str], dict[int, str]]:
        """By position, the key of the first version of the post, and of its author (who may be unknown)."""
        keys = {seq: key_of(v.post.network, v.post.id) for seq, v in found.items()}
        roots = self._roots(list(keys.values()))
        accounts = {seq: key_of(v.post.network, v.post.author_id) for seq, v in found.items()}
        return {seq: roots[key] for seq, key in keys.items()}, accounts

    def _with_latest(
        self, found: dict[int, Version], roots: dict[int, str], accounts: dict[int, str], as_of: int | None
    ) -> dict[int, Version]:
        """The versions with the handle of their author, and with the counts as known at a time."""
        posts = list({roots[seq] for seq in found})
        authors = list({accounts[seq] for seq in found})
        handles = dict(lookup(self._db, "SELECT key, handle FROM handles WHERE key", authors))
        counts = {row[0]: row[1:] for row in lookup(self._db, "SELECT * FROM counts WHERE key", posts)}
        read = (
            {} if as_of is None else self._read_at([s for s, v in found.items() if v.post.likes is not None])
        )
        for seq, version in found.items():
            post, key, account = version.post, roots[seq], accounts[seq]
            changes: dict[str, object] = {}
            if handles.get(account, post.author) != post.author:
                changes["author"] = handles[account]
            if as_of is not None and read.get(seq, as_of) > as_of:
                changes |= dict.fromkeys(COUNTS)
            if key in counts and (as_of is None or counts[key][0] <= as_of):
                pairs = zip(COUNTS, counts[key][1:], strict=True)
                changes |= {name: count for name, count in pairs if count is not None}
            if changes:
                found[seq] = version._replace(post=msgspec.structs.replace(post, **changes))
        return found
