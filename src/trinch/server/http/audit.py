"""The audit log: who did what, when, with what outcome; never a word of a post or of a question.

Owns `audit.jsonl` in the data folder and its one older generation. Knows nothing of requests.
"""

import logging
from pathlib import Path
from typing import Any

import msgspec

from trinch.posts.times import iso, now

log = logging.getLogger("trinch.server")

ROOM = 64_000_000
"""Bytes after which the log is turned over to `audit.jsonl.1`."""


class Audit:
    """An open audit log; each line is on its way to the disk when `write` returns."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._path = data / "audit.jsonl"
        self._file = self._path.open("ab", buffering=0)

    def write(self, **what: Any) -> None:
        """One line with the time and these fields."""
        try:
            self._file.write(msgspec.json.encode({"at": iso(now())} | what) + b"\n")
            if self._file.tell() > ROOM:
                self._file.close()
                self._path.replace(self._path.with_suffix(".jsonl.1"))
                self._file = self._path.open("ab", buffering=0)
        except OSError as error:  # a full disk must not take the answers away as well
            log.error("cannot write %s: %s", self._path, error)

    def close(self) -> None:
        self._file.close()
