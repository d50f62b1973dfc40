"""The same posts in every container and encoding that is read."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from trinch.posts.schema import Created
from trinch.sources.files import Reject, events

LINES = b"".join(
    b'{"platform":"web","id":"%d","created_at":"2025-03-12","text":"caf\xc3\xa9 %d"}\n' % (n, n)
    for n in range(50)
)


def zipped(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("posts.jsonl", data)
        archive.writestr("image.jpg", b"\xff\xd8")
    return buffer.getvalue()


def tarred(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("posts.jsonl")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip of two members": lambda data: gzip.compress(data[:700]) + gzip.compress(data[700:]),
    "bzip2": bz2.compress,
    "bzip2 of two streams": lambda data: bz2.compress(data[:700]) + bz2.compress(data[700:]),
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "zip": zipped,
    "tar": tarred,
    "tar.gz": lambda data: gzip.compress(tarred(data)),
    "zip of gzip": lambda data: zipped(gzip.compress(data)),
    "UTF-8 with a mark": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "UTF-32 in gzip": lambda data: gzip.compress(data.decode().encode("utf-32")),
}


def texts(path: Path) -> list[str]:
    found = []
    for item in events(path):
        assert not isinstance(item, Reject), item
        found += [event.post.text for event in item if isinstance(event, Created)]
    return found


@pytest.mark.parametrize("name", PACKED)
def test_the_container_makes_no_difference(name: str, tmp_path: Path) -> None:
    path = tmp_path / "posts"
    path.write_bytes(PACKED[name](LINES))
    assert texts(path) == [f"café {n}" for n in range(50)]


@pytest.mark.parametrize("name", ["gzip of two members", "bzip2", "xz", "zstd", "zip", "tar"])
def test_a_cut_container_is_one_reject_and_ends(name: str, tmp_path: Path) -> None:
    path = tmp_path / "posts"
    packed = PACKED[name](LINES)
    path.write_bytes(packed[: len(packed) // 4])
    items = list(events(path))
    assert any(isinstance(item, Reject) for item in items)


@pytest.mark.parametrize(
    "framed",
    [
        LINES.replace(b"\n", b""),
        b"[" + LINES.strip().replace(b"\n", b",\n") + b"]",
        b"[" + LINES.strip().replace(b"\n", b",") + b"]",
        b"".join(b"\x1e" + line + b"\n" for line in LINES.splitlines()),
    ],
    ids=["concatenated", "array over lines", "array in a line", "text sequence"],
)
def test_the_framing_makes_no_difference(framed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "posts"
    path.write_bytes(framed)
    assert texts(path) == [f"café {n}" for n in range(50)]
