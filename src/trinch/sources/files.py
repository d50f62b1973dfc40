"""From files to events: plain, gzip or Zstandard, one JSON a line or pretty-printed, in bounded memory.

Owns the cutting of a stream into JSON texts, and what is said of those that cannot be read. Knows no
format (`formats.py` does) and stores nothing.

    for item in events("posts.jsonl.zst"):
        if isinstance(item, Reject): ...    # counted and kept aside
        else: ...                           # the events of one line; may be none
"""

import gzip
import re
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

import msgspec
import zstandard

from trinch.posts.formats import AUTO, parser
from trinch.posts.schema import Event, Malformed

MAX_LINE = 16 * 2**20
"""Bytes of one line or one document; what is longer is rejected and passed over."""

Progress = Callable[[int], object]


class Reject(NamedTuple):
    """A place that could not be read. `raw` is at most the first MAX_LINE bytes of it."""

    file: str
    line: int
    reason: str
    raw: bytes


def events(
    path: str | Path, format: str = AUTO, progress: Progress | None = None
) -> Iterator[list[Event] | Reject]:
    """The events of each line of a file (`-`: standard input), or why the line is rejected.

    OSError where the file itself cannot be opened or read."""
    parse = parser(format)
    file = str(path)
    for item in read(path, progress):
        if isinstance(item, Reject):
            yield item
            continue
        number, text = item
        try:
            yield parse(text)
        except Malformed as error:
            yield Reject(file, number, str(error), text)


def read(path: str | Path, progress: Progress | None = None) -> Iterator[tuple[int, bytes] | Reject]:
    """(number of its first line, JSON text), blank lines left out; a `Reject` where that failed.

    Elements of an array at the top level come one by one. `progress` receives, now and then, how many bytes
    of the file (as it lies on disk) are read."""
    file = str(path)
    with nullcontext(sys.stdin.buffer) if file == "-" else open(file, "rb") as raw:
        report = (lambda: progress(raw.tell())) if progress and raw.seekable() else None
        yield from _texts(file, _lines(file, _chunks(raw), report))


class _Source(Protocol):
    def read1(self, size: int, /) -> bytes: ...


_CHUNK = 2**18
_FED = 2**10
"""Compressed bytes fed at a time: 4 of them can hold 128 KiB, so this bounds what comes out at 32 MiB."""
_DAMAGED = (EOFError, OSError, zlib.error, zstandard.ZstdError)


def _chunks(raw: BinaryIO) -> Iterator[bytes]:
    """Uncompressed bytes, as they come; compression is recognised by the first bytes, whatever the name."""
    buffered: _Source = raw  # type: ignore[assignment]  # files and pipes opened "rb" are buffered readers
    first = buffered.read1(_CHUNK)
    while first and len(first) < 4 and (more := buffered.read1(_CHUNK)):
        first += more
    if first[:2] == b"\x1f\x8b":
        source: Iterator[bytes] = _gunzip(_Pushed(first, buffered))
    elif first[:4] == b"\x28\xb5\x2f\xfd" or first[1:4] == b"\x2a\x4d\x18":
        source = _unzstd(_Pushed(first, buffered))
    else:
        yield first.removeprefix(b"\xef\xbb\xbf")
        source = iter(lambda: buffered.read1(_CHUNK), b"")
    yield from source


class _Pushed:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: _Source) -> None:
        self.first, self.rest = first, rest

    def read(self, size: int = -1) -> bytes:
        if self.first:
            size = len(self.first) if size < 0 else size
            taken, self.first = self.first[:size], self.first[size:]
            return taken
        return self.rest.read1(_CHUNK if size < 0 else size)


def _gunzip(source: _Pushed) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=source, mode="rb") as stream:  # type: ignore[call-overload]  # `read` is all it needs
        while chunk := stream.read1(_CHUNK):
            yield chunk


def _unzstd(source: _Pushed) -> Iterator[bytes]:
    frame = zstandard.ZstdDecompressor().decompressobj()
    while fed := source.read(_FED):
        while fed:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            yield frame.decompress(fed)
            fed = frame.unused_data if frame.eof else b""
    if not frame.eof:
        raise EOFError("the compressed file ends in the middle")


def _lines(
    file: str, chunks: Iterator[bytes], report: Callable[[], object] | None
) -> Iterator[tuple[int, bytes] | Reject]:
    """Numbered lines without their newline, the last one also when it has none."""
    number, rest, skipping = 1, b"", False
    damage = ""
    while True:
        try:
            chunk = next(chunks, None)
        except _DAMAGED as error:
            damage, chunk = f"cannot read on: {error}", None
        if chunk is None:
            break
        lines = (rest + chunk).split(b"\n")
        rest = lines.pop()
        for line in lines:
            if skipping:
                skipping = False
            elif len(line) > MAX_LINE:
                yield _too_long(file, number, line)
            else:
                yield number, line
            number += 1
        if len(rest) > MAX_LINE:
            if not skipping:
                yield _too_long(file, number, rest)
            rest, skipping = b"", True
        if report:
            report()
    if rest and not skipping:
        yield number, rest
    if damage:
        yield Reject(file, number, damage, b"")


def _too_long(file: str, number: int, raw: bytes) -> Reject:
    return Reject(file, number, f"longer than {MAX_LINE >> 20} MiB", raw[:MAX_LINE])


_STRING = re.compile(
    rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)'
)  # one that is cut goes to the end: never looked for twice
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


def _texts(file: str, lines: Iterator[tuple[int, bytes] | Reject]) -> Iterator[tuple[int, bytes] | Reject]:
    """Lines as they are where each is a JSON text of its own; else lines joined until brackets close."""
    in_array = False
    begun: _Document | None = None
    for item in lines:
        if isinstance(item, Reject):
            if begun:
                yield from begun.end(file)
                begun = None
            yield item
            continue
        number, line = item
        text = line.strip()
        if begun and line[:1] == b"{":
            # Indented documents have no bracket in the first column: what was begun was a cut line.
            yield from begun.end(file)
            begun = None
        if begun:
            begun.add(line)
            if begun.depth <= 0:
                yield from begun.end(file)
                begun = None
        elif not text:
            continue
        elif text == b"[":
            in_array = True
        elif in_array and text == b"]":
            in_array = False
        elif text[:1] == b"[" and text[-1:] == b"]":
            yield from _elements(number, text)
        elif text[-1:] == b"}" or text[:1] not in b"{[":
            yield number, text
        elif in_array and text[-2:] == b"},":
            yield number, text[:-1]
        else:
            begun = _Document(number, line)
    if begun:
        yield from begun.end(file)


class _Document:
    """A JSON text of several lines; no more than MAX_LINE of it is held."""

    def __init__(self, number: int, line: bytes) -> None:
        self.number, self.lines, self.size, self.depth = number, [line], len(line), _opened(line)

    def add(self, line: bytes) -> None:
        self.depth += _opened(line)
        if self.size <= MAX_LINE:
            self.lines.append(line)
        self.size += len(line)

    def end(self, file: str) -> Iterator[tuple[int, bytes] | Reject]:
        text = b"\n".join(self.lines).strip().removesuffix(b",")
        if self.size > MAX_LINE:
            yield _too_long(file, self.number, text)
        elif text[:1] == b"[":
            yield from _elements(self.number, text)
        else:
            yield self.number, text


def _elements(number: int, text: bytes) -> Iterator[tuple[int, bytes]]:
    try:
        yield from [(number, bytes(one)) for one in _ELEMENTS.decode(text)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        yield number, text  # its parser says what is wrong with it


def _opened(text: bytes) -> int:
    """How many more brackets the line opens than it closes."""
    bare = _STRING.sub(b"", text)
    return bare.count(b"{") + bare.count(b"[") - bare.count(b"}") - bare.count(b"]")
