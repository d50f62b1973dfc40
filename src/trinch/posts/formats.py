"""Which wire formats there are, and which one a line is written in.

Owns the registry of names that people type after `--format`. What a format means is in its own module.
"""

import re
from collections.abc import Callable

from trinch.posts import jetstream, jsonl, x
from trinch.posts.schema import Event

Parse = Callable[[bytes], list[Event]]
"""One line, or one JSON document, to its events. Raises `Malformed` and nothing else."""

FORMATS: dict[str, Parse] = {
    "jsonl": jsonl.parse,
    "x": x.parse,
    "jetstream": jetstream.parse,
}

AUTO = "auto"

# A quoted name followed by a colon is a key and never text: quotes inside of JSON texts are escaped.
_JETSTREAM = re.compile(rb'"time_us"\s*:|"\$type"\s*:\s*"(?:message|error|network\.bsky\.jetstream\.)').search
_JSONL = re.compile(rb'"platform"\s*:').search


def detect(line: bytes) -> str:
    """The format of one line, by the keys only that format has; it costs well under a microsecond.

    Asked of every line, so that files may mix formats. What is none of the others is taken for X, whose
    parser says what is missing."""
    if b'"platform"' in line and _JSONL(line):
        return "jsonl"
    if (b'"time_us"' in line or b'"$type"' in line) and _JETSTREAM(line):
        return "jetstream"
    return "x"


def parser(name: str) -> Parse:
    """The parser of a format; `auto` decides line by line. KeyError on an unknown name."""
    return _parse_any if name == AUTO else FORMATS[name]


def _parse_any(line: bytes) -> list[Event]:
    return FORMATS[detect(line)](line)
