"""Bytes as they are handed around to uncompressed UTF-8: gzip, bzip2, xz, Zstandard, zip, tar, UTF-16 and UTF-32.

What a file is follows from its first bytes, whatever its name. Everything streams except zip from a pipe, which is
copied to a temporary file first: its directory is at the end.
"""

import bz2
import codecs
import gzip
import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, BinaryIO, NamedTuple, Protocol

import zstandard

CHUNK = 2**18
_FED = 2**10
"""Compressed bytes fed at a time: 4 of them can hold 128 KiB, so this bounds what comes out at 32 MiB."""

DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError, zipfile.BadZipFile, tarfile.TarError,
           UnicodeError, RuntimeError, NotImplementedError)  # fmt: skip
"""Raised by a damaged, encrypted or unknown container."""

_UNKNOWN = (
    (b"7z\xbc\xaf", "a 7-Zip archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"\x04\x22\x4d\x18", "compressed with LZ4: unpack it first"),
    (b"\xff\x06\x00\x00sNaPpY", "compressed with Snappy: unpack it first"),
    (b"SQLite format 3", "an SQLite database: export its table as CSV"),
    (b"Obj\x01", "an Avro file: convert it to JSON lines"),
    (b"ORC", "an ORC file: convert it to Parquet"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)
"""First bytes of files that are recognised but not read."""


class _Unknown(RuntimeError):
    """A file of a kind that is not read."""


_BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DEPTH = 4
"""Containers within containers that are opened."""


class Reader(Protocol):
    """A buffered binary stream."""

    def read1(self, size: int = -1, /) -> bytes: ...


class Member(NamedTuple):
    """One file of a container; the name is empty where the container holds just one."""

    name: str
    chunks: Iterator[bytes]


class _Pushed:
    """A stream whose first bytes were read already."""

    def __init__(self, first: bytes, rest: Reader) -> None:
        self.first, self.rest = first, rest

    def read(self, size: int = -1) -> bytes:
        if self.first:
            size = len(self.first) if size < 0 else size
            taken, self.first = self.first[:size], self.first[size:]
            return taken
        return self.rest.read1(CHUNK if size < 0 else size)

    read1 = read


class _Chunks:
    """A stream over chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks, self.rest = chunks, b""

    def read1(self, size: int = -1, /) -> bytes:
        chunk = self.rest or next((one for one in self.chunks if one), b"")
        self.rest = chunk[size:] if size >= 0 else b""
        return chunk[:size] if size >= 0 else chunk

    def read(self, size: int = -1) -> bytes:
        """Exactly `size` bytes, but for the last ones: tar asks for blocks."""
        parts: list[bytes] = []
        while size and (part := self.read1(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def members(raw: BinaryIO) -> Iterator[Member]:
    """The uncompressed files in a stream, in order; each is to be read before the next is asked for.

    Raises one of `DAMAGED` where it cannot be read on."""
    buffered: Reader = raw  # type: ignore[assignment]  # files and pipes opened "rb" are buffered readers
    yield from _members(buffered, "", _DEPTH)


def _members(stream: Reader, name: str, depth: int) -> Iterator[Member]:
    first = _first(stream)
    pushed = _Pushed(first, stream)
    if depth and (unpacked := _unpacked(first, pushed)) is not None:
        yield from _members(_Chunks(unpacked), name, depth - 1)
    elif depth and first[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        yield from _zip(pushed, stream, depth - 1)
    elif depth and first[257:262] == b"ustar":
        yield from _tar(_Chunks(_rest(pushed)), depth - 1)
    elif kind := next((kind for start, kind in _UNKNOWN if first.startswith(start)), ""):
        yield Member(name, _refused(f"this is {kind}"))
    elif _is_binary(first):
        yield Member(name, _refused("this is a binary file of a kind that is not known"))
    else:
        yield Member(name, _utf8(first, _rest(pushed)))


def _refused(reason: str) -> Iterator[bytes]:
    raise _Unknown(reason)
    yield b""


def _is_binary(first: bytes) -> bool:
    """Whether the file begins with bytes of no text: NULs, where neither JSON nor a UTF of two or four bytes begins."""
    head = first[:512]
    if head.lstrip()[:1] in (b"{", b"[", b'"') or _encoding(head)[0]:
        return False
    return b"\x00" in head and head.strip(b"\x00") != b"" and head[:4] != b"PAR1"


def _first(stream: Reader) -> bytes:
    """At least the four bytes of a signature, where there are as many; a whole tar header where it comes at once."""
    first = stream.read1(CHUNK)
    while first and len(first) < 4 and (more := stream.read1(CHUNK)):
        first += more
    return first


def _rest(stream: _Pushed) -> Iterator[bytes]:
    return iter(lambda: stream.read(CHUNK), b"")


def _unpacked(first: bytes, stream: _Pushed) -> Iterator[bytes] | None:
    """The uncompressed chunks of a compressed stream; None where it is not compressed."""
    if first[:2] == b"\x1f\x8b":
        return _gunzip(stream)
    if first[:3] == b"BZh":
        return _decompressed(stream, bz2.BZ2Decompressor)
    if first[:6] == b"\xfd7zXZ\x00" or (first[:3] == b"\x5d\x00\x00" and first[12:13] in (b"\x00", b"\xff")):
        return _decompressed(stream, lzma.LZMADecompressor)
    if first[:4] == b"\x28\xb5\x2f\xfd" or first[1:4] == b"\x2a\x4d\x18":
        return _unzstd(stream)
    return None


def _gunzip(source: _Pushed) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=source, mode="rb") as stream:  # type: ignore[call-overload]  # `read` is all it needs
        while chunk := stream.read1(CHUNK):
            yield chunk


def _decompressed(
    source: _Pushed, make: "type[bz2.BZ2Decompressor] | type[lzma.LZMADecompressor]"
) -> Iterator[bytes]:
    """The chunks of bzip2 or xz, of one stream after the other."""
    part = make()
    while fed := source.read(CHUNK):
        while True:
            if part.eof:
                fed = (part.unused_data or fed).lstrip(b"\x00")  # xz pads with NULs
                if not fed:
                    break
                part = make()
            yield part.decompress(fed, CHUNK)
            while not part.eof and not part.needs_input:
                yield part.decompress(b"", CHUNK)
            if not part.eof:
                break
            fed = b""
            if not part.unused_data:
                break
    if not part.eof:
        raise EOFError("the compressed file ends in the middle")


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


def _zip(pushed: _Pushed, stream: Reader, depth: int) -> Iterator[Member]:
    """The files of a zip, those of X's archive after its account and long texts, which complete them."""
    with tempfile.TemporaryFile() if not _seekable(stream) else _rewound(stream) as file:
        if not _seekable(stream):
            shutil.copyfileobj(pushed, file)
        with zipfile.ZipFile(file) as archive:
            if "[Content_Types].xml" in archive.namelist():
                raise _Unknown("this is an Office document: save its table as CSV")
            names = [one for one in archive.infolist() if not one.is_dir() and not _skipped(one.filename)]
            for one in sorted(
                names, key=lambda info: not info.filename.endswith(("account.js", "note-tweet.js"))
            ):
                with archive.open(one) as member:
                    yield from _members(member, one.filename, depth)  # type: ignore[arg-type]  # has `read1`


class _rewound:  # noqa: N801  a context manager as the standard library spells them
    """A seekable stream from its beginning; it stays open."""

    def __init__(self, stream: Reader) -> None:
        self.stream = stream

    def __enter__(self) -> IO[bytes]:
        self.stream.seek(0)  # type: ignore[attr-defined]
        return self.stream  # type: ignore[return-value]

    def __exit__(self, *_: object) -> None: ...


def _seekable(stream: Reader) -> bool:
    return bool(getattr(stream, "seekable", lambda: False)())


def _tar(stream: _Chunks, depth: int) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]  # `read` is all it needs
        for one in archive:
            if one.isfile() and not _skipped(one.name) and (member := archive.extractfile(one)):
                yield from _members(member, one.name, depth)


_ARCHIVE_POSTS = (
    "tweets.js",
    "tweet.js",
    "note-tweet.js",
    "account.js",
    "tweets-part",
    "tweet-part",
    "note-tweet-part",
)
_MEDIA = (
    ".jpg",
    ".jpeg",
    ".png",
    ".gif",
    ".mp4",
    ".webp",
    ".mp3",
    ".html",
    ".css",
    ".ico",
    ".svg",
    ".ttf",
    ".woff2",
)


def _skipped(name: str) -> bool:
    """Whether a file of an archive holds no posts: media, and of X's archive all but posts and the account.

    Direct messages, likes and deleted posts are never read."""
    last = name.rpartition("/")[2].lower()
    if last.startswith(".") or "__macosx" in name.lower() or last.endswith(_MEDIA):
        return True
    return last.endswith(".js") and not last.startswith(_ARCHIVE_POSTS)


def _utf8(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The text as UTF-8 without a byte order mark."""
    encoding, skip = _encoding(first)
    if encoding:
        decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        for chunk in chunks:
            yield _encoded(decoder.decode(chunk[skip:]))
            skip = 0
        yield _encoded(decoder.decode(b"", final=True))
        return
    yield next(chunks, b"").removeprefix(codecs.BOM_UTF8)
    yield from chunks


def _encoding(first: bytes) -> tuple[str, int]:
    """(encoding of several bytes a character, length of its mark) that a file begins with; ("", 0) for UTF-8.

    UTF-16 without a mark is recognised by its first eight characters, where they are all ASCII."""
    for mark, encoding in _BOMS:
        if first.startswith(mark):
            return encoding, len(mark)
    head = first[:16]
    for begin, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) == 16 and not any(head[begin::2]) and all(0 < one < 128 for one in head[1 - begin :: 2]):
            return encoding, 0
    return "", 0


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")
