"""The audit log `audit.jsonl` in the data folder: who did what, when, with what status.

Never holds a word of a post, a question, a token or an address of a source.
"""

import logging
from pathlib import Path
from typing import Any

import msgspec

from trinch.posts.times import iso, now

log = logging.getLogger("trinch.server")

MAX_BYTES = 64_000_000
"""Size at which the log is renamed to `audit.jsonl.1`, replacing the one before."""


class Audit:
    """An open audit log; each line is written, unbuffered, when `write` returns."""

    def __init__(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._path = data / "audit.jsonl"
        self._file = self._path.open("ab", buffering=0)

    def write(self, **fields: Any) -> None:
        """Append one line with the time and these fields."""
        try:
            self._file.write(msgspec.json.encode({"at": iso(now())} | fields) + b"\n")
            if self._file.tell() > MAX_BYTES:
                self._file.close()
                self._path.replace(self._path.with_suffix(".jsonl.1"))
                self._file = self._path.open("ab", buffering=0)
        except OSError as error:  # a full disk must not stop the server from answering
            log.error("cannot write %s: %s", self._path, error)

    def close(self) -> None:
        self._file.close()
