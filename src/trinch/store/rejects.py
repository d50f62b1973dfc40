"""The file of rejected input: what could not be read, kept as it came, and its lines that must be erased."""

import base64
import binascii
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from trinch.posts.wire import UNREADABLE

REJECTED = "rejected.jsonl"
"""File name of malformed input inside the folder of a store."""

_TOKEN = re.compile(r"""[^\s"',{}\[\]]+""")
"""What may be an id in a piece of JSON."""


def erase_lines(path: Path, concerns: Callable[[str], bool]) -> int:
    """Remove the lines whose decoded input is concerned. Returns how many there were."""
    if not path.exists():
        return 0
    kept, removed = [], 0
    for line in path.read_bytes().splitlines(keepends=True):
        if concerns(_readable(line)):
            removed += 1
        else:
            kept.append(line)
    if removed:
        temporary = path.with_suffix(".new")
        temporary.write_bytes(b"".join(kept))
        temporary.replace(path)
    return removed


def erase_ids(path: Path, ids: Callable[[], set[str]]) -> int:
    """Remove the lines that hold one of some ids, which are asked for only if there is a file."""
    if not path.exists() or not (unwanted := ids()):
        return 0
    return erase_lines(path, lambda text: not unwanted.isdisjoint(_TOKEN.findall(text)))


def _readable(line: bytes) -> str:
    """A rejected line with its raw input decoded, escapes included."""
    try:
        record = msgspec.json.decode(line, type=dict[str, str | int | None])
        raw = str(record.get("raw") or "")
        raw += base64.b64decode(str(record.get("raw_base64") or "")).decode(errors="replace")
    except (*UNREADABLE, binascii.Error):
        return line.decode(errors="replace")
    unescaped = raw.encode("ascii", "backslashreplace").decode("unicode_escape", errors="replace")
    return f"{raw}\n{unescaped}"
