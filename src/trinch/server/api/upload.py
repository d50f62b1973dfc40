"""`POST /v1/ingest`: posts as lines in any supported format, acknowledged once they are durable.

Sending the same lines again changes nothing, so a client that got no response repeats its request.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.posts import formats
from trinch.posts.notes import Notes
from trinch.posts.schema import Malformed
from trinch.posts.wire import MAX_LINE
from trinch.server.app_state import AppState, state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.store.store import Store
from trinch.store.writer import MAX_BEHIND, Rejected, Totals, Writer

MAX_UPLOAD = 64_000_000
"""Bytes of one request."""

MAX_REPORTED = 20
"""Rejected lines listed in the response; all are counted, and stored in `rejected.jsonl`."""

BATCH_LINES = 500
"""Lines stored at once; before each batch the lag of the index is checked."""

INDEX_WAIT_SECONDS = 20.0
"""Time to wait for an index that is behind before the rest is rejected."""


class Ingest(msgspec.Struct):
    """Parameters of /v1/ingest."""

    format: str = formats.AUTO

    def __post_init__(self) -> None:
        if self.format not in formats.names():
            raise ValueError(f"no such format; there are {', '.join(formats.names())}")


class RejectedLine(msgspec.Struct, frozen=True):
    """A line that could not be parsed."""

    line: int
    reason: str


class IngestResult(msgspec.Struct):
    """Counts of the lines; everything accepted is durable."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    deleted: int = 0
    ignored: int = 0
    forgiven: dict[str, int] = {}
    """Field or kind of oddity -> how often it was repaired or left out of a post that was accepted."""
    rejects: list[RejectedLine] = []
    """The first few."""


async def ingest(request: Request) -> Response:
    if request.headers.get("content-type", "").split(";")[0] not in (
        "application/x-ndjson",
        "application/jsonl",
    ):
        raise Problem(415, "send lines as Content-Type: application/x-ndjson", code="unsupported_media_type")
    given, state = codec.read_query(request, Ingest), state_of(request)
    result, lines, first_line = IngestResult(), list[bytes](), 1
    async for line in _lines(request):
        lines.append(line)
        if len(lines) == BATCH_LINES:
            await _store_lines(state, given.format, lines, first_line, result)
            first_line, lines = first_line + len(lines), []
    await _store_lines(state, given.format, lines, first_line, result)
    return codec.Json(result)


async def _lines(request: Request) -> AsyncIterator[bytes]:
    """The lines of the body as they arrive, of one longer than MAX_LINE its first bytes. Raises Problem when the
    body is too long, ends early, or is compressed in a way that is not read."""
    rest, length = b"", 0
    unpack = _decompressor(request.headers.get("content-encoding", "identity").strip().lower())
    try:
        async for chunk in request.stream():
            plain = unpack(chunk)
            length += len(plain)
            *whole, rest = (rest + plain).split(b"\n")
            if length > MAX_UPLOAD:
                raise Problem(413, f"at most {MAX_UPLOAD:,} bytes uncompressed", code="body_too_large")
            for line in whole:
                yield line[: MAX_LINE + 1]
            rest = rest[: MAX_LINE + 1]
    except ClientDisconnect:
        raise Problem(408, "the body did not end in time", code="timeout") from None
    yield rest


def _decompressor(encoding: str) -> Callable[[bytes], bytes]:
    """A function from the chunks of a body to uncompressed ones. Raises Problem on an unknown encoding."""
    if encoding in ("", "identity"):
        return lambda chunk: chunk
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Problem(
            415, f"Content-Encoding {encoding!r} is not read; send gzip", code="unsupported_media_type"
        )
    member = zlib.decompressobj(47)

    def unpack(chunk: bytes) -> bytes:
        nonlocal member
        out = b""
        try:
            while chunk:
                if member.eof:  # gzip files may be joined
                    member = zlib.decompressobj(47)
                out += member.decompress(chunk, MAX_UPLOAD + 1 - len(out))
                if len(out) > MAX_UPLOAD:
                    break
                chunk = member.unused_data
        except zlib.error as error:
            raise Problem(400, f"the body is not {encoding}: {error}", code="invalid_body") from None
        return out

    return unpack


async def _store_lines(
    state: AppState, format: str, lines: list[bytes], first_line: int, result: IngestResult
) -> None:
    """Store lines durably, no faster than the index can follow."""
    waited = 0.0
    while state.live.behind() > MAX_BEHIND:
        if waited >= INDEX_WAIT_SECONDS:
            reason = f"the index is behind; lines before {first_line} are durable, send the rest later"
            raise Problem(503, reason, code="behind", retry=5)
        await asyncio.sleep(0.1)
        waited += 0.1
    state.live.newest_seq, totals, rejected = await state.ingest_pool.run(
        _ingest_lines, state.data, format, lines, first_line
    )
    for name in ("read", "accepted", "duplicates", "rejected", "deleted", "ignored"):
        setattr(result, name, getattr(result, name) + getattr(totals, name))
    for kind, count in totals.forgiven.items():
        result.forgiven[kind] = result.forgiven.get(kind, 0) + count
    result.rejects += rejected[: MAX_REPORTED - len(result.rejects)]


def _ingest_lines(
    _: Store, data: Path, format: str, lines: list[bytes], first_line: int
) -> tuple[int, Totals, list[RejectedLine]]:
    """Parse and store; everything is durable on return."""
    parse, notes, rejected = formats.parser(format), Notes(), list[RejectedLine]()
    writer = Writer(data)

    def reject(number: int, reason: str, raw: bytes) -> None:
        rejected.append(RejectedLine(number, reason))
        writer.reject(Rejected("http", number, reason, raw))

    for number, line in enumerate(lines, first_line):
        line = line.strip().removeprefix(b"\xef\xbb\xbf")
        if not line:
            continue
        if len(line) > MAX_LINE:
            reject(number, f"longer than {MAX_LINE >> 20} MiB", line[:1000])
            continue
        try:
            writer.take(parse(line, notes))
        except Malformed as error:
            reject(number, str(error), line)
        for reason, raw in notes.take_rejected():
            reject(number, reason, raw)
    totals = writer.close()
    totals.forgiven = dict(notes.forgiven)
    return writer.last_seq, totals, rejected


routes = [Route("/v1/ingest", ingest, methods=["POST"])]
