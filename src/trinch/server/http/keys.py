"""API keys, in `keys.json` in the data folder: id, name, scopes and the SHA-256 of each token.

A token is 256 random bits, so its hash needs no salt and no slow function: it cannot be guessed. The token itself is
shown once and not stored. A server notices changes of the file at the next request.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from trinch.posts.times import iso, now
from trinch.posts.wire import UNREADABLE
from trinch.system import lock

SCOPES = ("read", "ingest", "alerts", "admin")
"""`read`: search, ask, MCP, metrics. `ingest`: send posts. `alerts`: add and read alerts. `admin`: all, and keys over
HTTP."""


class Key(msgspec.Struct, frozen=True):
    """A key as it is stored."""

    id: str
    name: str
    scopes: tuple[str, ...]
    hash: str
    created: str

    @property
    def grants(self) -> frozenset[str]:
        """The scopes it has; `admin` includes the others."""
        return frozenset(SCOPES if "admin" in self.scopes else self.scopes)


class Keys:
    """The keys of a store."""

    def __init__(self, data: Path) -> None:
        self._path = data / "keys.json"
        self._stamp: tuple[int, int, int] | None = None
        self._by_hash: dict[str, Key] = {}

    def all(self) -> list[Key]:
        """Every key, the oldest first. Raises ValueError when the file is damaged."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._by_hash = None, {}
            return []
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            try:
                keys = msgspec.json.decode(self._path.read_bytes(), type=list[Key])
            except UNREADABLE as error:
                raise ValueError(
                    f"{self._path} is damaged ({error}): restore it, or remove it and make new keys"
                ) from None
            self._by_hash, self._stamp = {key.hash: key for key in keys}, stamp
        return list(self._by_hash.values())

    def find(self, token: str) -> Key | None:
        """The key that a token opens."""
        self.all()
        return self._by_hash.get(_hash(token))

    def add(self, name: str, scopes: Iterable[str]) -> tuple[Key, str]:
        """Make a key. Returns it and its token, which is not stored."""
        token = f"trinch-{secrets.token_urlsafe(32)}"
        ordered = tuple(scope for scope in SCOPES if scope in set(scopes))
        key = Key(secrets.token_hex(4), name, ordered, _hash(token), str(iso(now())))
        with self._locked():
            self._write([*self.all(), key])
        return key, token

    def revoke(self, id: str) -> bool:
        """Remove a key. Returns False when there is none with this id."""
        with self._locked():
            keys = self.all()
            kept = [key for key in keys if key.id != id]
            if len(kept) < len(keys):
                self._write(kept)
        return len(kept) < len(keys)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("w") as file:
            lock(file)
            yield

    def _write(self, keys: list[Key]) -> None:
        """Replace the file atomically, synced to disk."""
        new = self._path.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(keys)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
