"""Helpers for SQLite statements shared by the modules of the log."""

import sqlite3
from collections.abc import Sequence
from typing import Any

_MAX_PARAMETERS = 500
"""Parameters of one statement. SQLite before 3.32 allows 999 (SQLITE_MAX_VARIABLE_NUMBER)."""


def select_in(
    db: sqlite3.Connection, select: str, keys: Sequence[Any], given: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Rows of the statement `select` followed by `IN (keys)`, for any number of keys; `given` are its parameters."""
    rows: list[tuple[Any, ...]] = []
    for start in range(0, len(keys), _MAX_PARAMETERS):
        chunk = keys[start : start + _MAX_PARAMETERS]
        rows += db.execute(f"{select} IN ({','.join('?' * len(chunk))})", (*given, *chunk))
    return rows
