"""A piece of input that could not be read, with its place."""

from typing import NamedTuple


class Reject(NamedTuple):
    """A place that could not be read. `raw` is at most the first `MAX_LINE` bytes of it."""

    file: str
    line: int
    reason: str
    raw: bytes
