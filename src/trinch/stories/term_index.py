"""The index of terms: which words each post holds, by time, as hashes; a consumer of the log with its own position.

A batch of the log and the position behind it change in one transaction, so a crash loses or repeats nothing. Deleted
posts leave with the batch that holds their event; hidden ones are marked. Of an hour with more than HOURLY posts an
even sample is kept, chosen by position, so that the result does not depend on when it was made.
"""

import sqlite3
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from trinch.answers.spans import REPOST, reposted_from
from trinch.posts import schema as ev
from trinch.store.budget import Budget
from trinch.store.log import Entry, Log
from trinch.store.maintenance import Problem, damage, open_read_only
from trinch.store.sql import select_in
from trinch.stories import packed
from trinch.stories.baseline import DAY, DayCounts, count
from trinch.stories.words import marks

FILE = "stories.db"
"""The file inside the folder of a store."""
FORMAT = "2"
"""Version of `packed.py` and of the tables; an index of another one is built again."""
BATCH = 2000
"""Entries of the log that are applied in one transaction."""
HOURLY = 4000
"""Posts that are kept of an hour at most; the sample of a busier one has half as many, or more."""
SAMPLE = 40_000
"""Texts of the sample of the whole store."""
HOUR = 3_600_000_000

_SCHEMA = files("trinch.stories").joinpath("term_index.sql").read_text("utf-8")
_MIX = 2654435761
"""Prime, 2^32 divided by the golden ratio (Knuth): spreads neighbouring positions evenly over 32 bits."""
_FULL = 1 << 32
_ALL = -1

Progress = Callable[[int, int], None]


class Texts(NamedTuple):
    """Posts of a window, by time; each field has one entry a post."""

    seq: NDArray[np.int64]
    at: NDArray[np.int64]
    source: NDArray[np.int64]
    is_repost: NDArray[np.bool_]
    words: Sequence[bytes]
    marks: Sequence[bytes]


class Only(NamedTuple):
    """Posts of one language, one network, or both; empty: any."""

    lang: str = ""
    network: str = ""


ANY = Only()


class TermIndex:
    """The index of a store, open. Use one per thread; any number of processes may have it open."""

    def __init__(self, data: Path, log: Log) -> None:
        self._log = log
        self._db = _open(data / FILE)
        self._levels: dict[int, int] = {}
        """Of hours, for the length of a transaction."""
        self._origins: dict[tuple[str, str, bool], int] = {}
        """Likewise."""

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    # ------------------------------------------------------------------ following the log

    @property
    def behind(self) -> int:
        """Entries of the log that are not applied yet."""
        return max(0, self._log.last_seq - self._position())

    def catch_up(self, budget: Budget | None = None, progress: Progress | None = None) -> bool:
        """Apply what the log holds now, or as much of it as a budget of CPU time allows. Whether all is applied."""
        if self._is_foreign():
            self._begin_again()
        last = self._log.last_seq
        with (budget or Budget()).measured() as measured:
            while (position := self._position()) < last:
                if measured.check():
                    return False
                try:
                    with self._transaction():
                        self._apply(list(self._log.read(self._position(), BATCH, self._is_wanted)))
                except sqlite3.OperationalError:  # another process is at it, or the file cannot be written
                    return False
                if progress:
                    progress(min(position, last), last)
        return True

    def _position(self) -> int:
        return int(self._meta("position") or 0)

    def _meta(self, name: str) -> str:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else ""

    def _is_foreign(self) -> bool:
        """Whether the index was made of another log, of a later state of it, or by another release."""
        return (self._meta("log"), self._meta("format")) != (self._log.identity, FORMAT) or (
            self._position() > self._log.last_seq
        )

    def _begin_again(self) -> None:
        with suppress(sqlite3.OperationalError), self._transaction():
            for table in ("meta", "texts", "origins", "hours", "days"):
                self._db.execute(f"DELETE FROM {table}")
            rows = (("log", self._log.identity), ("format", FORMAT), ("position", "0"))
            self._db.executemany("INSERT INTO meta VALUES (?, ?)", rows)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        self._levels.clear()
        self._origins.clear()
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _is_wanted(self, seq: int, at: int) -> bool:
        hour = at // HOUR
        if hour not in self._levels:
            row = self._db.execute("SELECT level FROM hours WHERE hour = ?", (hour,)).fetchone()
            self._levels[hour] = row[0] if row else 0
        return (seq * _MIX) % _FULL < _FULL >> self._levels[hour]

    def _apply(self, entries: Sequence[Entry]) -> None:
        """Apply entries of the log, in order, and note the new position."""
        new: list[tuple[int, int, ev.Post]] = []
        changed = set[int]()  # days
        for entry in entries:
            match entry.event:
                case ev.Created(post=post) | ev.Edited(post=post):
                    if post.created_at is not None:
                        new.append((entry.seq, entry.at, post))
                case ev.Deleted() | None:
                    if entry.refs:
                        changed |= self._add(new) | self._remove(entry.refs)
                        new = []
                case ev.Hidden() | ev.Restored() as event:
                    changed |= self._add(new) | self._check(self._log.seqs_of(f"{event.network}:{event.id}"))
                    new = []
                case ev.AccountHidden() | ev.AccountRestored() | ev.AccountGone() as event:
                    changed |= self._add(new)
                    changed |= self._check(self._positions_of(_account(event.network, event.author_id)))
                    new = []
                case _:
                    pass  # counts and names do not matter here
        changed |= self._add(new)
        self._db.executemany("DELETE FROM days WHERE day = ?", [(day,) for day in changed])
        if entries:
            self._db.execute("UPDATE meta SET value = ? WHERE name = 'position'", (str(entries[-1].seq),))

    def _positions_of(self, account: int) -> list[int]:
        return [row[0] for row in self._db.execute("SELECT seq FROM texts WHERE account = ?", (account,))]

    def _add(self, posts: Iterable[tuple[int, int, ev.Post]]) -> set[int]:
        """Add posts; the days that they are of."""
        rows = []
        for seq, at, post in posts:
            words = packed.pack(post.text, post.lang)
            if words:
                account = _account(post.network, post.author_id)
                named = reposted_from(post.text) or (post.author_id or post.author).lower()
                source = crc32(named.encode("utf-8", "surrogatepass") if named else words)
                is_repost = bool(post.repost_of or REPOST.match(post.text))
                mark = array("I", map(packed.mark_hash, marks(post))).tobytes()
                rows.append(
                    (seq, at, account, source, self._origin(post.network, post.lang, is_repost), words, mark)
                )
        self._db.executemany("INSERT OR REPLACE INTO texts VALUES (?, ?, ?, ?, ?, 0, ?, ?)", rows)
        for hour, number in Counter(row[1] // HOUR for row in rows).items():
            self._count_hour(hour, number)
        return {row[1] // DAY for row in rows}

    def _origin(self, network: str, lang: str, is_repost: bool) -> int:
        key = (network, lang, is_repost)
        if key not in self._origins:
            self._db.execute("INSERT OR IGNORE INTO origins (network, lang, repost) VALUES (?, ?, ?)", key)
            rows = self._db.execute("SELECT network, lang, repost, id FROM origins")
            self._origins = {(row[0], row[1], bool(row[2])): row[3] for row in rows}
        return self._origins[key]

    def _count_hour(self, hour: int, added: int) -> None:
        """Count the posts of an hour; where they are too many, leave half of them out."""
        row = self._db.execute("SELECT posts, level FROM hours WHERE hour = ?", (hour,)).fetchone()
        posts, level = (row[0] + added, row[1]) if row else (added, 0)
        while posts > HOURLY:
            level += 1
            gone = self._db.execute(
                "DELETE FROM texts WHERE at BETWEEN ? AND ? AND (seq * ?) % ? >= ?",
                (hour * HOUR, (hour + 1) * HOUR - 1, _MIX, _FULL, _FULL >> level),
            )
            posts -= gone.rowcount
        self._levels.pop(hour, None)
        self._db.execute("INSERT OR REPLACE INTO hours VALUES (?, ?, ?)", (hour, posts, level))

    def _remove(self, seqs: Sequence[int]) -> set[int]:
        """Remove posts; the days that they were of."""
        times = [row[0] for row in select_in(self._db, "SELECT at FROM texts WHERE seq", seqs)]
        self._db.executemany("DELETE FROM texts WHERE seq = ?", [(seq,) for seq in seqs])
        for hour, number in Counter(at // HOUR for at in times).items():
            self._count_hour(hour, -number)
        return {at // DAY for at in times}

    def _check(self, seqs: Sequence[int]) -> set[int]:
        """Look up in the log which of these posts are hidden or erased now; the days that they are of."""
        stored, shown = self._log.versions(seqs).keys(), self._log.shown(seqs)
        days = {row[0] // DAY for row in select_in(self._db, "SELECT at FROM texts WHERE seq", seqs)}
        rows = [(seq not in shown, seq) for seq in seqs if seq in stored]
        self._db.executemany("UPDATE texts SET hidden = ? WHERE seq = ?", rows)
        return days | self._remove([seq for seq in seqs if seq not in stored])

    # ------------------------------------------------------------------ reading

    def texts(self, first: int, last: int, most: int, as_of: int, only: Only = ANY) -> Texts:
        """The posts of a time (both ends included) as of a time; of more than `most`, an even sample."""
        where, values = self._where(first, last, only)
        number = self._db.execute(f"SELECT count(*) FROM texts WHERE {where}", values).fetchone()[0]
        if number > most:
            where += " AND (seq * ?) % ? < ?"
            values += (_MIX, _FULL, _FULL * most // number)
        reposts = {row[0] for row in self._db.execute("SELECT id FROM origins WHERE repost")}
        rows = self._db.execute(
            f"SELECT seq, at, source, origin, words, marks FROM texts WHERE {where} ORDER BY at, seq", values
        ).fetchall()
        if rows:
            replaced = set(self._log.replaced(min(r[0] for r in rows), max(r[0] for r in rows), as_of))
            rows = [row for row in rows if row[0] not in replaced]
        seq, at, source, origin, words, mark = zip(*rows, strict=True) if rows else ((),) * 6
        return Texts(
            np.array(seq, dtype=np.int64),
            np.array(at, dtype=np.int64),
            np.array(source, dtype=np.int64),
            np.array([one in reposts for one in origin], dtype=bool),
            words,
            mark,
        )

    def _where(self, first: int, last: int, only: Only) -> tuple[str, tuple[int, ...]]:
        """The condition of SQL for visible posts of a time, with its values."""
        if only == ANY:
            return "at BETWEEN ? AND ? AND NOT hidden", (first, last)
        select = "SELECT id FROM origins WHERE (lang = ?1 OR ?1 = '') AND (network = ?2 OR ?2 = '')"
        origins = tuple(row[0] for row in self._db.execute(select, only))
        marks_ = ",".join("?" * len(origins))
        return f"at BETWEEN ? AND ? AND NOT hidden AND origin IN ({marks_})", (first, last, *origins)

    def newest_day(self) -> int | None:
        """The day (from 1970) of the newest post; None for an empty store."""
        row = self._db.execute("SELECT max(at) FROM texts").fetchone()
        return None if row[0] is None else row[0] // DAY

    def days(self, first: int, last: int, only: Only = ANY) -> list[DayCounts]:
        """The counts of the days (from 1970) from `first` to before `last` that have posts."""
        found = (self.day(day, only) for day in range(first, last))
        return [counts for counts in found if counts.texts]

    def day(self, day: int, only: Only = ANY) -> DayCounts:
        """The counts of one day."""
        if only != ANY:
            return self._counted(*self._where(day * DAY, (day + 1) * DAY - 1, only))
        return self._cached(day, 0) or self._stored(
            day, 0, *self._where(day * DAY, (day + 1) * DAY - 1, only)
        )

    def usual(self) -> DayCounts:
        """The counts of a sample of the whole store, without the newest posts: at most a fifth of it."""
        upto = 1000
        while upto * 5 // 4 <= self._position():
            upto = upto * 5 // 4
        where, values = "seq <= ? AND NOT hidden AND (seq * ?) % ? < ?", (
            upto, _MIX, _FULL, min(_FULL, _FULL * SAMPLE // upto),
        )  # fmt: skip
        return self._cached(_ALL, upto) or self._stored(_ALL, upto, where, values)

    def _cached(self, day: int, upto: int) -> DayCounts | None:
        select = "SELECT texts, hashes, counts FROM days WHERE day = ? AND upto = ?"
        row = self._db.execute(select, (day, upto)).fetchone()
        return (
            DayCounts(row[0], np.frombuffer(row[1], np.uint32), np.frombuffer(row[2], np.uint32))
            if row
            else None
        )

    def _stored(self, day: int, upto: int, where: str, values: tuple[int, ...]) -> DayCounts:
        """Count, and keep the counts, where no other process changes the texts meanwhile."""
        try:
            with self._transaction():
                counted = self._counted(where, values)
                if counted.texts:
                    self._db.execute(
                        "INSERT OR REPLACE INTO days VALUES (?, ?, ?, ?, ?)",
                        (day, upto, counted.texts, counted.hashes.tobytes(), counted.counts.tobytes()),
                    )
        except sqlite3.OperationalError:  # a busy or read-only file costs time only
            return self._counted(where, values)
        return counted

    def _counted(self, where: str, values: tuple[int, ...]) -> DayCounts:
        """Count the distinct texts of some posts that hold each term or mark."""
        select = f"SELECT words, marks FROM texts WHERE {where} ORDER BY at, seq"
        rows = self._db.execute(select, values).fetchall()
        if not rows:
            return count(0, np.array([], dtype=np.uint32))
        words, mark = zip(*rows, strict=True)
        _, first = np.unique(packed.openings(words), return_index=True)
        of_words = packed.unpack([words[place] for place in first]).hash
        of_marks = np.frombuffer(b"".join(mark[place] for place in first), dtype=np.uint32)
        return count(len(first), np.concatenate([of_words, of_marks]))


def _account(network: str, author_id: str) -> int:
    return crc32(f"{network}:{author_id}".encode("utf-8", "surrogatepass"))


def check(data: Path) -> list[Problem]:
    """What is wrong with the index of a store. One that is missing or behind is not wrong."""
    path = data / FILE
    if not path.exists():
        return []
    try:
        with closing(open_read_only(path)) as db:
            found = damage(db)
    except sqlite3.Error as error:
        found = f"damaged ({error})"
    advice = "nothing is lost: `trinch check --repair` removes it, and it is built again from the log"
    return [Problem(FILE, found, advice)] if found else []


def discard(data: Path) -> str:
    """Remove the index of a store; it is built again when it is next needed. Says what was done."""
    for file in data.glob(f"{FILE}*"):
        file.unlink(missing_ok=True)
    return "the index of terms was removed; it is built again when it is next needed"


def _open(path: Path) -> sqlite3.Connection:
    """The file; a damaged one is made again. In memory where the folder cannot be written and holds none."""
    for _ in range(2):
        try:
            return _connect(path)
        except sqlite3.OperationalError:
            break
        except sqlite3.DatabaseError:  # no database, or one that is damaged
            discard(path.parent)
    with suppress(sqlite3.Error):
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        db.execute("SELECT value FROM meta").fetchone()
        return db
    return _connect(Path(":memory:"))


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA secure_delete=ON")  # the hashes of what is erased are overwritten
        if "origins" not in {row[0] for row in db.execute("SELECT name FROM sqlite_master")}:
            with closing(db.cursor()) as cursor:
                cursor.executescript(f"DROP TABLE IF EXISTS days; {_SCHEMA}")  # of an older release
    except BaseException:
        db.close()
        raise
    return db
