"""Reading the files of the shared data folder."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zstandard


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON lines of a file: plain, .gz or .zst."""
    raw: Any = path.open("rb")
    if path.suffix == ".zst":
        raw = zstandard.ZstdDecompressor().stream_reader(raw)
    elif path.suffix == ".gz":
        raw = gzip.GzipFile(fileobj=raw)
    with io.TextIOWrapper(raw, encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)
