"""Answers in frames of other sites: an address that shows exactly one answer, to whoever holds it.

The address holds the question, its as-of time and a signature over both by a key of this store (`embed.key`). It needs
no other credential, so that it works in a frame of another site. The answer is made anew at each visit, as of the same
time: a post that was deleted since is not in it. Removing `embed.key` ends all such addresses.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

KEY = "embed.key"


class Embedded(NamedTuple):
    """What one such address shows."""

    question: str
    earlier: tuple[str, ...]
    as_of: str
    """RFC 3339."""


class EmbedKey:
    """The signing key of a store, made at the first use."""

    def __init__(self, data: Path) -> None:
        self._path = data / KEY

    def address(self, shown: Embedded) -> str:
        """The signed path of an answer."""
        query = [
            ("q", shown.question),
            *(("earlier", text) for text in shown.earlier),
            ("as_of", shown.as_of),
        ]
        return f"/embed?{urlencode([*query, ('signature', self._sign(shown))])}"

    def is_signed(self, shown: Embedded, signature: str) -> bool:
        return self._path.exists() and secrets.compare_digest(
            self._sign(shown).encode(), signature.encode(errors="replace")
        )

    def _sign(self, shown: Embedded) -> str:
        return hmac.new(self._read(), json.dumps(shown).encode(), hashlib.sha256).hexdigest()

    def _read(self) -> bytes:
        """The key. It appears whole or not at all: with an empty one, on a full disk, anybody could sign."""
        if not self._path.exists():
            descriptor, written = tempfile.mkstemp(dir=self._path.parent, prefix=f"{KEY}.")  # of mode 0600
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(secrets.token_bytes(32))
                with contextlib.suppress(FileExistsError):  # another process was quicker
                    os.link(written, self._path)
            finally:
                os.unlink(written)
        return self._path.read_bytes()
