"""Which segments of the text index still hold the terms of erased documents.

Tantivy marks a deleted document; its terms stay in the files of its segment until that is merged or rewritten. The
process that writes the index notes each erased document with its segment before it commits the deletion. A segment
that is gone since was merged: the terms are gone, too, unless the merge was under way at that time. So of segments
that are gone, those made since count as marked.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec

FILE = "erased.jsonl"
"""File name of the marks inside the folder of the index."""


class Mark(msgspec.Struct, frozen=True):
    """Documents that were erased together."""

    segments: dict[str, list[int]]
    """Id of a segment -> positions of the documents in it."""
    unplaced: list[int]
    """Positions of documents that were in no segment yet."""
    known: list[str]
    """Ids of all segments at that time."""


class PurgeMarks:
    """The marks of an index."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def begin(self, is_empty: bool) -> None:
        """Make the file where there is none. Then of an index that is not empty every segment counts as marked."""
        if not self._path.exists():
            self._write([] if is_empty else [Mark({}, [0], [])])

    def add(self, places: dict[int, str | None], known: Sequence[str]) -> None:
        """Note the segment of each erased document (None: in no segment yet)."""
        segments: dict[str, list[int]] = {}
        for seq, segment in places.items():
            if segment is not None:
                segments.setdefault(segment, []).append(seq)
        mark = Mark(segments, [seq for seq, segment in places.items() if segment is None], list(known))
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(mark) + b"\n")

    def marked(self, current: Collection[str], wanted: Collection[int] | None) -> set[str]:
        """The segments that may hold terms of some documents (None: of all that were marked)."""
        found: set[str] = set()
        for mark in self._load():
            since = set(current) - set(mark.known)
            for segment, seqs in mark.segments.items():
                if wanted is None or not set(seqs).isdisjoint(wanted):
                    found |= {segment} if segment in current else since
            if mark.unplaced and (wanted is None or not set(mark.unplaced).isdisjoint(wanted)):
                found |= since
        return found

    def forget(self, wanted: Collection[int] | None) -> None:
        """Remove the marks of documents whose segments were rewritten."""
        kept = [] if wanted is None else [mark for mark in map(_without(wanted), self._load()) if mark]
        self._write(kept)

    def _write(self, marks: Sequence[Mark]) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_bytes(b"".join(msgspec.json.encode(mark) + b"\n" for mark in marks))
        temporary.replace(self._path)

    def _load(self) -> list[Mark]:
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().split(b"\n")[:-1]  # what a crash left of a line was not committed
        return [msgspec.json.decode(line, type=Mark) for line in lines]


def _without(wanted: Collection[int]) -> Callable[[Mark], Mark | None]:
    def left(mark: Mark) -> Mark | None:
        segments = {
            segment: rest
            for segment, seqs in mark.segments.items()
            if (rest := [seq for seq in seqs if seq not in wanted])
        }
        unplaced = [seq for seq in mark.unplaced if seq not in wanted]
        return Mark(segments, unplaced, mark.known) if segments or unplaced else None

    return left
