"""Check a store, repair and rebuild it, back it up and restore it, also while other processes use it."""

import sqlite3
import struct
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from trinch.posts.schema import CountsChanged, Created, Deleted, Edited, Event
from trinch.posts.times import now
from trinch.posts.wire import UNREADABLE
from trinch.store import bodies, indexer
from trinch.store.apply_events import key_of
from trinch.store.database import DATABASE, SCHEMA_VERSION, StoreError
from trinch.store.log import Log
from trinch.store.reactions import Reaction
from trinch.store.rejects import REJECTED
from trinch.store.sql import select_in
from trinch.store.text_index import FORMAT, INDEX, TextIndex, read_owner, read_position

_FOOTER_MAGIC = 1337
"""Last four bytes of every tantivy file (tantivy, src/directory/footer.rs); before them the footer's length."""


class Problem(msgspec.Struct, frozen=True):
    """Something wrong with a file of a store."""

    file: str
    what: str
    advice: str


class Report(msgspec.Struct):
    """What a check found. `events` and `erased` count what could be read of the log."""

    events: int = 0
    erased: int = 0
    posts: int = 0
    indexed: int = 0
    problems: list[Problem] = []
    repaired: list[str] = []


_REPAIR = "run `trinch check --repair`: it keeps the damaged file, and recovers every event that can be read"
_REBUILD = "nothing is lost: the index is built again from the log by `trinch rebuild`"


def check(data: Path) -> Report:
    """Read every event and every index file, and report what is damaged, missing or of another store.

    Changes nothing. Not detected: changed bytes that are in no event (unused space, state tables with plausible
    content)."""
    report = Report()
    path = data / DATABASE
    if not path.exists():
        has_index = (data / INDEX / "meta.json").exists()
        advice = "put it back or run `trinch restore`" if has_index else "ingest something first"
        report.problems.append(Problem(DATABASE, "missing", advice))
        return report
    identity = ""
    try:
        db = open_read_only(path)
        try:
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            if version > SCHEMA_VERSION:
                what = f"written by a later release (format {version}, this one reads {SCHEMA_VERSION})"
                report.problems.append(Problem(DATABASE, what, "upgrade Trinch; nothing was changed"))
                return report
            identity = _check_log(db, report, version)
            last = int(db.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0])
        finally:
            db.close()
    except sqlite3.Error as error:
        report.problems.append(Problem(DATABASE, f"damaged ({error})", _REPAIR))
        return report
    _check_index(data / INDEX, identity, last, report)
    return report


def open_read_only(path: Path) -> sqlite3.Connection:
    """A SQLite file, to be read only."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=60)


def damage(db: sqlite3.Connection) -> str:
    """What SQLite finds wrong with the structure of a file; empty for nothing."""
    found = [row[0] for row in db.execute("PRAGMA integrity_check(5)")]
    return "" if found == ["ok"] else f"damaged ({'; '.join(found)[:300]})"


def _check_log(db: sqlite3.Connection, report: Report, version: int) -> str:
    """Structure of the file, then checksum and content of every event. Returns the identity of the store."""
    if found := damage(db):
        report.problems.append(Problem(DATABASE, found, _REPAIR))
    checksum = "crc" if version >= 2 else "NULL"
    for seq, body, crc in db.execute(f"SELECT seq, body, {checksum} FROM events ORDER BY seq"):
        report.events += 1
        if body is None:
            report.erased += 1
            continue
        event = _event(body) if crc is None or crc == zlib.crc32(body) else None
        if event is None:
            report.problems.append(Problem(DATABASE, f"event {seq} is damaged", _REPAIR))
        report.posts += isinstance(event, Created | Edited)
    if version >= 4:
        _check_counts(db, report)
    if version < 2:
        return ""
    row = db.execute("SELECT value FROM meta WHERE name = 'identity'").fetchone()
    if row is None:
        report.problems.append(Problem(DATABASE, "its identity is missing", _REPAIR))
    return row[0] if row else ""


def _check_counts(db: sqlite3.Connection, report: Report) -> None:
    """Counts and reactions belong to posts that the log has had."""
    for table in ("counts", "reactions"):
        sql = f"SELECT count(*) FROM {table} WHERE seq NOT BETWEEN 1 AND (SELECT max(seq) FROM events)"
        if wrong := db.execute(sql).fetchone()[0]:
            report.problems.append(Problem(DATABASE, f"{wrong:,} {table} of posts that never were", _REPAIR))


def _event(body: bytes) -> Event | None:
    """The event of a stored body; None where it is damaged."""
    try:
        return bodies.decode(body)
    except (bodies.DamagedBody, TypeError):
        return None


def _check_index(folder: Path, identity: str, last: int, report: Report) -> None:
    """`last`: position of the newest event of the log."""

    def problem(file: str, what: str) -> None:
        report.problems.append(Problem(f"{INDEX}/{file}", what, _REBUILD))

    if not (folder / "meta.json").exists():
        problem("meta.json", "missing")
        return
    version, owner = read_owner(folder)
    if (version, owner) != (FORMAT, identity):
        problem("owner", "the index was built from another log, or by another release")
    if read_position(folder) > last:
        problem("position", "the index is ahead of the log")
    try:
        meta = msgspec.json.decode((folder / "meta.json").read_bytes())
        segments = [
            (str(s["segment_id"]).replace("-", ""), s["max_doc"], s["deletes"]) for s in meta["segments"]
        ]
    except (*UNREADABLE, KeyError, TypeError, ValueError):
        problem("meta.json", "damaged")
        return
    report.indexed = sum(docs - (deletes or {}).get("num_deleted_docs", 0) for _, docs, deletes in segments)
    for name, what in _bad_segment_files(folder, segments):
        problem(name, what)
    level = read_position(folder) == last
    if level and not report.problems and report.indexed != report.posts:
        problem("meta.json", f"holds {report.indexed:,} posts, the log {report.posts:,}")


def _bad_segment_files(
    folder: Path, segments: Sequence[tuple[str, int, dict[str, int] | None]]
) -> Iterator[tuple[str, str]]:
    """Name of each missing or damaged file of the segments, and what is wrong."""
    seen: dict[int, str] = {}
    for name, _, deletes in segments:
        endings = ["term", "idx", "pos", "fast", "fieldnorm", "store"]
        endings += [f"{deletes['opstamp']}.del"] if deletes else []
        for ending in endings:
            file = folder / f"{name}.{ending}"
            if not file.exists():
                yield file.name, "missing"
            elif not _has_valid_footer(file):
                yield file.name, "damaged (checksum)"
            elif seen.setdefault(zlib.crc32(file.read_bytes()), ending) != ending:
                yield file.name, "a copy of another file of the index"


def _has_valid_footer(file: Path) -> bool:
    """Whether a tantivy file has the checksum that its footer states."""
    content = file.read_bytes()
    if len(content) < 8:
        return False
    length, magic = struct.unpack("<II", content[-8:])
    if magic != _FOOTER_MAGIC or length > len(content) - 8:
        return False
    try:
        footer = msgspec.json.decode(content[-8 - length : -8])
        return bool(footer["crc"] == zlib.crc32(content[: -8 - length]))
    except (*UNREADABLE, KeyError, TypeError):
        return False


def repair(data: Path) -> Report:
    """Check, then build again what is damaged: the index from the log, the log from the events that can be read.

    A damaged log is kept beside the new one. Raises StoreError for data of a later release."""
    report = check(data)
    files = {problem.file for problem in report.problems}
    if any("later release" in problem.what for problem in report.problems):
        raise StoreError(f"{data / DATABASE}: {report.problems[0].what}; {report.problems[0].advice}")
    if DATABASE in files and (data / DATABASE).exists():
        kept, recovered = _recover_log(data / DATABASE)
        report.repaired.append(f"{recovered:,} events recovered; the damaged file is kept as {kept.name}")
    elif DATABASE in files:
        return report
    if files:
        rebuild(data)
        report.repaired.append("the index was built again")
    return report


def rebuild(data: Path) -> int:
    """Build the index again from the log. Returns the number of posts. StoreError if another process writes it."""
    folder = data / INDEX
    log = Log(data / DATABASE)
    index = TextIndex(folder)
    if index.is_read_only:
        raise StoreError(f"{folder} cannot be written. Nothing was changed")
    if not index.try_write():
        raise StoreError(f"another process is writing the index in {folder}: end it, then try again")
    index.clear()
    index.set_owner(log.identity)
    index.close()
    indexer.catch_up(log, index)
    count = index.count()
    log.close()
    return count


def _recover_log(path: Path) -> tuple[Path, int]:
    """Move a damaged log aside and apply every readable event of it, in order, to a new one."""
    kept = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:4]}")
    move_database(path, kept)
    log = Log(path)
    recovered = 0
    try:
        db = sqlite3.connect(kept, isolation_level=None)
        db.text_factory = bytes
        log.append(list(_deleted_ids(db)))  # first, so that nothing deleted comes back
        batch: list[Event] = []
        for body in _readable_bodies(db, kept.stat().st_size):
            event = _event(body)
            if event is None:
                continue
            batch.append(event)
            recovered += 1
            if len(batch) >= 1000:
                log.append(batch)
                batch = []
        log.append(batch, dict(_readable_cursors(db)))
        _recover_counts(db, log)
        db.close()
    except sqlite3.DatabaseError:
        pass  # not even the header can be read: the new log holds what came before
    log.close()
    return kept, recovered


def _deleted_ids(db: sqlite3.Connection) -> Iterator[Event]:
    """Deletions that the state tables know."""
    for sql in (
        "SELECT key FROM posts WHERE seq IS NULL",
        "SELECT a.key FROM aliases a JOIN posts p ON p.key = a.root WHERE p.seq IS NULL",
    ):
        for (key,) in _rows(db, sql):
            network, _, id = bytes(key).decode(errors="replace").partition(":")
            yield Deleted(at=now(), network=network, id=id)


def _readable_bodies(db: sqlite3.Connection, size: int) -> Iterator[bytes]:
    """The bodies of all events that can be read, in order; a damaged page is skipped by halving the range.

    `size` of the file in bytes limits how many events there can be if the database does not say."""
    try:
        (last,) = db.execute("SELECT max(seq) FROM events").fetchone()
    except sqlite3.DatabaseError:
        last = None
    most = size // 16 + 1  # an event takes more bytes than that
    ranges = [(1, min(last, most) if isinstance(last, int) else most)]
    while ranges:
        first, end = ranges.pop()
        sql = f"SELECT body, crc FROM events WHERE seq BETWEEN {first} AND {end} ORDER BY seq"
        try:
            rows = db.execute(sql).fetchall() if end - first < 4096 else None
        except sqlite3.OperationalError:
            rows = [(*row, None) for row in _rows(db, sql.replace("body, crc", "body"))]
        except sqlite3.DatabaseError:
            rows = [] if first == end else None
        if rows is None:
            middle = (first + end) // 2
            ranges += [(middle + 1, end), (first, middle)]
            continue
        for body, crc in rows:
            if isinstance(body, bytes) and (crc is None or crc == zlib.crc32(body)):
                yield body


def _recover_counts(db: sqlite3.Connection, log: Log) -> None:
    """Counts and reactions that can be read, of posts that can. They are no events since format 4; before, the tables
    have other columns, and nothing is read here."""

    def keys(seqs: Iterable[int]) -> dict[int, tuple[str, str]]:
        wanted = list(dict.fromkeys(seqs))
        events = (
            (seq, _event(body))
            for seq, body in select_in(db, "SELECT seq, body FROM events WHERE seq", wanted)
            if body
        )
        return {
            seq: (event.network, event.post.id)
            for seq, event in events
            if isinstance(event, Created | Edited)
        }

    for rows in _groups(_rows(db, "SELECT seq, at, likes, reposts, replies, quotes FROM counts")):
        posts = keys(row[0] for row in rows)
        log.append([
            CountsChanged(
                at=at, network=posts[seq][0], id=posts[seq][1], likes=likes, reposts=reposts, replies=replies, quotes=quotes
            )
            for seq, at, likes, reposts, replies, quotes in rows if seq in posts
        ])  # fmt: skip
    for rows in _groups(_rows(db, "SELECT time, hash, seq, is_repost, is_undone FROM reactions")):
        posts = keys(row[2] for row in rows)
        log.add_reactions([(Reaction(*row), key_of(*posts[row[2]])) for row in rows if row[2] in posts])


def _groups(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while group := list(islice(rows, 1000)):
        yield group


def _readable_cursors(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for source, cursor in _rows(db, "SELECT source, cursor FROM cursors"):
        yield bytes(source).decode(errors="replace"), bytes(cursor).decode(errors="replace")


def _rows(db: sqlite3.Connection, sql: str) -> Iterator[tuple[Any, ...]]:
    """Rows until the first that cannot be read."""
    try:
        yield from db.execute(sql)
    except sqlite3.DatabaseError:
        return


def backup(data: Path, destination: Path) -> int:
    """Copy a store, also one in use, to a new folder, consistent as of one moment. Returns the number of events.

    The log and the rejected input are copied; the index is built again by `restore`. The copy is read back whole.
    Raises StoreError."""
    source = data / DATABASE
    if not source.exists():
        raise StoreError(f"there is no store in {data}")
    if (destination / DATABASE).exists():
        raise StoreError(f"{destination} already holds a store; name a new folder. Nothing was changed")
    destination.mkdir(parents=True, exist_ok=True)
    copy_database(source, destination / DATABASE)
    rejected = data / REJECTED
    if rejected.exists():
        (destination / REJECTED).write_bytes(rejected.read_bytes())
    return _events_if_sound(destination / DATABASE)


def restore(backup_folder: Path, data: Path, replace: bool = False) -> int:
    """Bring a store back from a backup, also while other processes use it. Returns the number of events.

    A store that is there is replaced only if `replace` is set, and kept beside the new one. The index is built again
    by the process that writes it, or by the next that opens the store. Raises StoreError."""
    source, target = backup_folder / DATABASE, data / DATABASE
    if not source.exists():
        raise StoreError(f"there is no backup in {backup_folder}")
    events = _events_if_sound(source)
    if target.exists():
        if not replace:
            raise StoreError(
                f"{data} already holds a store; --replace puts the backup in its place and keeps the old log"
            )
        keep_aside(target, target.with_name(f"{DATABASE}.replaced-{time.strftime('%Y%m%dT%H%M%S')}"))
    data.mkdir(parents=True, exist_ok=True)
    copy_database(source, target)
    db = sqlite3.connect(target, isolation_level=None, timeout=60)
    # Another identity: an index of the store that was here before must not be taken for that of the backup.
    db.execute("INSERT OR REPLACE INTO meta VALUES ('identity', ?)", (uuid.uuid4().hex,))
    db.close()
    rejected = backup_folder / REJECTED
    if rejected.exists():
        (data / REJECTED).write_bytes(rejected.read_bytes())
    return events


def copy_database(source: Path, target: Path) -> None:
    """Copy a SQLite file, also one in use: its online backup sees one consistent state. Raises StoreError."""
    reader, writer = sqlite3.connect(source, timeout=60), sqlite3.connect(target, timeout=60)
    try:
        reader.backup(writer)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"cannot copy {source} to {target}: {error}") from None
    finally:
        reader.close()
        writer.close()


def keep_aside(path: Path, kept: Path) -> None:
    """Keep a copy of a SQLite file that is to be replaced; one too damaged to be copied is moved."""
    try:
        copy_database(path, kept)
    except StoreError:
        kept.unlink(missing_ok=True)
        move_database(path, kept)


def move_database(path: Path, target: Path) -> None:
    """Rename a SQLite file and what belongs to it."""
    for ending in ("", "-wal", "-shm"):
        if (file := path.with_name(path.name + ending)).exists():
            file.rename(target.with_name(target.name + ending))


def _events_if_sound(path: Path) -> int:
    report = Report()
    try:
        db = open_read_only(path)
        _check_log(db, report, int(db.execute("PRAGMA user_version").fetchone()[0]))
        db.close()
    except sqlite3.Error as error:
        report.problems.append(Problem(path.name, f"damaged ({error})", ""))
    if report.problems:
        raise StoreError(
            f"{path}: {report.problems[0].what}; run `trinch check --repair` on that folder first"
        )
    return report.events
