"""Open the SQLite file of a store: settings, schema version, identity, upgrade, read-only folders.

Everything that makes the file unusable is reported as StoreError, with what is safe and what to do.
"""

import os
import sqlite3
import uuid
from importlib.resources import files
from pathlib import Path

from trinch.errors import TrinchError
from trinch.store import reactions, tallies

DATABASE = "ocean.db"
"""File name of the log inside the folder of a store."""

SCHEMA_VERSION = 4
"""Stored as PRAGMA user_version. Release 0.1.0 wrote 0; its tables are those of version 1. Version 2 has no table
`tallies` and no compressed bodies (see `bodies.py`); what it stored is read as it is. Version 3 has counts and reactions
by the keys of posts, and an event for each."""

_SCHEMA = files("trinch.store").joinpath("schema.sql").read_text("utf-8")
_UPGRADES = (
    (2, files("trinch.store").joinpath("upgrade_1_to_2.sql").read_text("utf-8")),
    (4, files("trinch.store").joinpath("upgrade_3_to_4.sql").read_text("utf-8")),
)
"""The version that each leads to."""

_SETTINGS = (
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"  # a commit returns only when it is on disk
    "PRAGMA secure_delete=ON;"  # the bytes of what is erased are overwritten
    "PRAGMA cache_size=-65536; PRAGMA wal_autocheckpoint=4000; PRAGMA temp_store=MEMORY;"
)


class StoreError(TrinchError, OSError):
    """A store that cannot be used; the message says what is safe and what to do."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, made with an empty schema if it does not exist, upgraded if an older release wrote it.

    In a folder that cannot be written the connection is read-only. Raises StoreError."""
    if path.exists() and not _is_writable(path):
        return _connect_read_only(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _connect(path)
    except sqlite3.DatabaseError as error:
        if _is_full_or_read_only(error) and path.exists():
            return _connect_read_only(path)
        raise StoreError(_explanation(path, error)) from None


def identity(db: sqlite3.Connection) -> str:
    """The random name of the store that this file belongs to; empty if an older release wrote it, read-only."""
    try:
        row = db.execute("SELECT value FROM meta WHERE name = 'identity'").fetchone()
    except sqlite3.OperationalError:
        return ""
    return str(row[0]) if row else ""


def explain(error: sqlite3.Error) -> str:
    """What an error of SQLite means for the user of a store, and what to do."""
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_READONLY:
            return "the store is in a folder that cannot be written. Nothing was changed"
        case sqlite3.SQLITE_FULL:
            return "the disk is full. What was acknowledged is stored; free some space, then run the same command again"
        case sqlite3.SQLITE_BUSY:
            return "another process kept the store in use for a minute. Nothing was changed; try again"
        case _:
            return f"the store cannot be read or written: {error}; `trinch check` says what is damaged and what to do"


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def _is_full_or_read_only(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
    )


def _explanation(path: Path, error: sqlite3.DatabaseError) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return (
            f"{path} is damaged ({error}). Nothing was changed. Run `trinch check --repair`, which keeps this file"
            " and recovers what it still holds, or `trinch restore` from a backup"
        )
    return f"cannot open {path}: {error}"


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60, isolation_level=None)
    try:
        version = _version(db)
        if version > SCHEMA_VERSION:
            raise StoreError(
                f"{path} was written by a later release of Trinch (format {version}; this one reads up to"
                f" {SCHEMA_VERSION}). Nothing was changed: upgrade Trinch to open it"
            )
        db.executescript(_SETTINGS)
        if version < SCHEMA_VERSION:
            _create_or_upgrade(db)
    except BaseException:
        db.close()
        raise
    return db


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _create_or_upgrade(db: sqlite3.Connection) -> None:
    """One transaction, so that two processes that open a new store together make one identity."""
    db.execute("BEGIN IMMEDIATE")
    try:
        if (version := _version(db)) < SCHEMA_VERSION:
            tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            is_old = "events" in tables
            for script in [script for to, script in _UPGRADES if is_old and version < to] + [_SCHEMA]:
                for statement in _statements(script):
                    db.execute(statement)
            db.execute("INSERT OR IGNORE INTO meta VALUES ('identity', ?)", (uuid.uuid4().hex,))
            if is_old and version < 3:
                tallies.count_all(db)
            if is_old:
                reactions.take_over(db)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _statements(script: str) -> list[str]:
    """The statements of a script; `executescript` would commit the transaction that is open."""
    lines = [line.split("--", 1)[0] for line in script.splitlines()]
    return [statement for statement in "\n".join(lines).split(";") if statement.strip()]


def _connect_read_only(path: Path) -> sqlite3.Connection:
    """Open without writing. A write-ahead log that cannot be read that way is an error, not silently left out."""
    wal = path.with_name(path.name + "-wal")
    pending = wal.exists() and wal.stat().st_size > 0
    error: Exception | None = None
    for mode in ["mode=ro"] + ([] if pending else ["mode=ro&immutable=1"]):
        try:
            db = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)
            version = _version(db)
            if version != SCHEMA_VERSION:
                raise StoreError(
                    f"{path} has format {version}, this release reads {SCHEMA_VERSION}, and the folder cannot be"
                    " written, so it cannot be upgraded here: copy it to a folder that can"
                )
            db.execute("SELECT max(seq) FROM events").fetchone()
            return db
        except sqlite3.DatabaseError as trouble:
            error = trouble
    raise StoreError(
        f"cannot open {path} in a folder that cannot be written: {error}. "
        + (
            "Its write-ahead log holds events that were not merged: make the folder writable once, or copy it"
            if pending
            else "Nothing was changed"
        )
    )
