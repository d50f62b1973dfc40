"""From files to events: containers, framing and formats put together, in bounded memory.

for item in events("posts.jsonl.zst"):
    if isinstance(item, Reject): ...    # counted and kept aside
    else: ...                           # the events of one text; may be none
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from trinch.posts.formats import AUTO, Parse, parser
from trinch.posts.notes import Notes
from trinch.posts.schema import Event, Malformed
from trinch.posts.wire import MAX_LINE
from trinch.sources import containers, feed_files, framing, tables
from trinch.sources.containers import Member
from trinch.sources.rejects import Reject
from trinch.sources.x_archive import Archive

__all__ = ["MAX_LINE", "Reject", "events", "read"]

Progress = Callable[[int], object]
Item = list[Event] | Reject


def events(
    path: str | Path,
    format: str = AUTO,
    progress: Progress | None = None,
    notes: Notes | None = None,
    columns: Mapping[str, str] | None = None,
) -> Iterator[Item]:
    """The events of each text of a file (`-`: standard input), or why the text is rejected.

    `notes` counts what was forgiven. `columns` maps fields of a post to columns of a table (CSV, TSV, Parquet).
    OSError where the file itself cannot be opened or read; KeyError on an unknown format."""
    parse, notes, archive = parser(format), notes or Notes(), Archive(path)
    for place, member in _members(path, progress):
        if isinstance(member, Reject):
            yield member
            continue
        damage: list[str] = []
        whole = Member(member.name, _until_damaged(member.chunks, damage))
        yield from _read_member(place, whole, parse, notes, columns, archive)
        if damage:
            yield Reject(place, 0, damage[0], b"")
    if archive.long and not archive.posts:
        reason = "long texts of X's archive without their posts: ingest its tweets.js or the whole zip"
        yield Reject(str(path), 1, reason, b"")


def _read_member(
    place: str,
    member: Member,
    parse: Parse,
    notes: Notes,
    columns: Mapping[str, str] | None,
    archive: Archive,
) -> Iterator[Item]:
    """The events of one file of a container; its first bytes separate feeds and tables from JSON."""
    first = next(member.chunks, b"")
    chunks = _after(first, member.chunks)
    if feed_files.is_feed(first):
        yield from feed_files.events(place, chunks, notes)
        return
    if columns or tables.is_table(place, first):
        rows = tables.rows(place, first, chunks, columns)
    else:
        rows = framing.texts(place, chunks)
    for row in rows:
        if isinstance(row, Reject):
            yield row
        elif not archive.takes(row[1]):
            for item in _parsed(place, *row, parse, notes):
                yield item if isinstance(item, Reject) else archive.completed(item)


def _parsed(place: str, number: int, text: bytes, parse: Parse, notes: Notes) -> Iterator[Item]:
    """The events of one text, and a reject for each part of it that cannot be read."""
    try:
        yield parse(text, notes)
    except Malformed as error:
        several = framing.split(text)
        if not several:
            yield Reject(place, number, str(error), text)
        for one in several:
            yield from _parsed(place, number, one, parse, notes)
    for reason, raw in notes.take_rejected():
        yield Reject(place, number, reason, raw)


def read(path: str | Path, progress: Progress | None = None) -> Iterator[tuple[int, bytes] | Reject]:
    """(number of its first line, JSON text), blank lines left out; a `Reject` where that failed.

    Elements of an array at the top level come one by one. `progress` is called, now and then, with the number of
    bytes of the file (as it is on disk) that are read."""
    for place, member in _members(path, progress):
        if isinstance(member, Reject):
            yield member
            continue
        damage: list[str] = []
        yield from framing.texts(place, _until_damaged(member.chunks, damage))
        if damage:
            yield Reject(place, 0, damage[0], b"")


def _members(path: str | Path, progress: Progress | None) -> Iterator[tuple[str, Member | Reject]]:
    """(place, file) for each file in a container, the one itself where it is none."""
    file = str(path)
    with nullcontext(sys.stdin.buffer) if file == "-" else open(file, "rb") as raw:
        try:
            for member in containers.members(raw):
                chunks = _reported(member.chunks, raw, progress) if progress else member.chunks
                yield f"{file}:{member.name}" if member.name else file, Member(member.name, chunks)
        except containers.DAMAGED as error:
            yield file, Reject(file, 1, f"cannot read on: {error}", b"")


def _reported(chunks: Iterator[bytes], raw: BinaryIO, progress: Progress) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        if raw.seekable():
            progress(raw.tell())


def _after(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
        yield from chunks


def _until_damaged(chunks: Iterator[bytes], damage: list[str]) -> Iterator[bytes]:
    """The chunks up to where a container is damaged; the reason is put into `damage`."""
    try:
        yield from chunks
    except containers.DAMAGED as error:
        damage.append(f"cannot read on: {error}")
