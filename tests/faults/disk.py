"""Simulated disks: the trace of a process as recorded by `disk_shim.c`, and what a power cut leaves of it.

The model is that of a journalling file system. A sync of a file makes its data durable, and every creation, rename and
removal before it; a sync of a folder makes the latter durable. Beyond that, of what was not synced, a power cut
leaves: of creations, renames and removals any number of the first ones; of each file any of the writes, each
whole, or any of its sectors of 512 bytes. (What a disk that lies about its cache leaves is not modelled.)
"""

import random
import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

SECTOR = 512
_HEAD = struct.Struct("<cHQI")


def compile_shim(folder: Path) -> Path:
    """The shared library; the test is skipped where it cannot be compiled."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a C compiler")
    library = folder / "disk_shim.so"
    source = Path(__file__).with_name("disk_shim.c")
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl", "-lpthread"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the shim cannot be compiled here: {done.stderr[-300:]}")
    return library


class Operation(NamedTuple):
    kind: str
    path: str
    offset: int
    data: bytes


def read_trace(path: Path) -> list[Operation]:
    content, place, found = path.read_bytes(), 0, list[Operation]()
    while place < len(content):
        kind, length, offset, size = _HEAD.unpack_from(content, place)
        place += _HEAD.size
        name = content[place : place + length].decode()
        data = content[place + length : place + length + size]
        place += length + size
        found.append(Operation(kind.decode(), name, offset, data))
    return found


@dataclass
class _File:
    """One file: its durable bytes, and the changes since its last sync."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Operation] = field(default_factory=list)

    def sync(self) -> None:
        for operation in self.pending:
            _change(self.durable, operation)
        self.pending = []

    def after_cut(self, rng: random.Random) -> bytes:
        content = bytearray(self.durable)
        share = rng.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        for operation in self.pending:
            if rng.random() >= share:
                continue
            if operation.kind == "W" and rng.random() < 0.2:
                for part in _sectors(operation):
                    if rng.random() < 0.5:
                        _change(content, part)
            else:
                _change(content, operation)
        return bytes(content)


def _sectors(operation: Operation) -> Iterator[Operation]:
    for start in range(0, len(operation.data), SECTOR):
        yield operation._replace(offset=operation.offset + start, data=operation.data[start : start + SECTOR])


def _change(content: bytearray, operation: Operation) -> None:
    size = operation.offset if operation.kind == "T" else operation.offset + len(operation.data)
    if operation.kind == "T":
        del content[size:]
    if len(content) < size:
        content.extend(bytes(size - len(content)))
    if operation.kind == "W":
        content[operation.offset : size] = operation.data


class Disk:
    """The state of a disk while the operations of a trace arrive."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        self._durable_names: dict[str, _File] = {}
        self._pending_names: list[dict[str, _File]] = []
        """All names after each creation, rename and removal that is not durable."""

    def apply(self, operation: Operation) -> None:
        match operation.kind:
            case "W" | "T":
                self._files.setdefault(operation.path, _File()).pending.append(operation)
            case "S" | "D":
                if operation.kind == "S":
                    self._files[operation.path].sync()
                if self._pending_names:
                    self._durable_names = self._pending_names[-1]
                self._pending_names = []
            case "C":
                self._files[operation.path] = _File()
                self._pending_names.append(dict(self._files))
            case "R":
                self._files[operation.data.decode()] = self._files.pop(operation.path)
                self._pending_names.append(dict(self._files))
            case "U":
                self._files.pop(operation.path, None)
                self._pending_names.append(dict(self._files))

    def after_cut(self, rng: random.Random) -> dict[str, bytes]:
        """Content of the files that are left if the power fails now."""
        names = rng.choice([self._durable_names, *self._pending_names])
        return {path: file.after_cut(rng) for path, file in names.items()}


def write_files(files: dict[str, bytes], before: Path, folder: Path) -> None:
    """Write the files that were below `before` below `folder`."""
    for path, content in files.items():
        target = folder / Path(path).relative_to(before)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def cuts(trace: Sequence[Operation], number: int, seed: int) -> Iterator[tuple[int, dict[str, bytes]]]:
    """So many power cuts at random places of a trace, each with what is left: (operations before it, files)."""
    rng = random.Random(seed)
    places = sorted(rng.randrange(len(trace) + 1) for _ in range(number))
    disk, done = Disk(), 0
    for place in places:
        while done < place:
            disk.apply(trace[done])
            done += 1
        yield place, disk.after_cut(rng)
