"""Posts sent by HTTP: lines in any format we read, acknowledged once they are durable.

Owns the endpoint, its bounds and its waiting for the index. Sending the same lines again changes nothing, so a
client that got no answer simply repeats. Knows nothing of formats.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from trinch.posts.formats import AUTO, parser
from trinch.posts.schema import Malformed
from trinch.server.app_state import AppState, state_of
from trinch.server.http import codec
from trinch.server.http.errors import Problem
from trinch.store.store import Store
from trinch.store.writer import BEHIND, Rejected, Totals, Writer

MAX_LINE = 1_000_000
MAX_UPLOAD = 64_000_000
"""Bytes of one request."""

MAX_REPORTED = 20
"""Rejected lines that the response names; all of them are counted, and kept in `rejected.jsonl`."""

CHUNK = 500
"""Lines between two looks at how far the index is behind."""

PATIENCE = 20.0
"""Seconds to wait for an index that is behind before the rest is refused."""


class Ingest(msgspec.Struct):
    """Parameters of /v1/ingest."""

    format: Literal["auto", "jsonl", "x", "jetstream"] = "auto"


class RejectedLine(msgspec.Struct, frozen=True):
    """A line that could not be read."""

    line: int
    reason: str


class IngestResult(msgspec.Struct):
    """What became of the lines; all that was accepted is durable."""

    read: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    deleted: int = 0
    ignored: int = 0
    rejects: list[RejectedLine] = []
    """The first few."""


async def ingest(request: Request) -> Response:
    if request.headers.get("content-type", "").split(";")[0] not in (
        "application/x-ndjson",
        "application/jsonl",
    ):
        raise Problem(415, "send lines as Content-Type: application/x-ndjson", code="unsupported_media_type")
    given, state = codec.read_query(request, Ingest), state_of(request)
    done, lines, first = IngestResult(), list[bytes](), 1
    async for line in _lines(request):
        lines.append(line)
        if len(lines) == CHUNK:
            await _store_lines(state, given.format, lines, first, done)
            first, lines = first + len(lines), []
    await _store_lines(state, given.format, lines, first, done)
    return codec.Json(done)


async def _lines(request: Request) -> AsyncIterator[bytes]:
    """The lines of the body as they come. Raises Problem where it is too long or breaks off."""
    rest, length = b"", 0
    try:
        async for chunk in request.stream():
            length += len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            if (
                length > MAX_UPLOAD
                or len(rest) > MAX_LINE
                or any(len(line) > MAX_LINE for line in whole)
            ):
                raise Problem(
                    413, f"at most {MAX_UPLOAD:,} bytes, and {MAX_LINE:,} in a line", code="body_too_large"
                )
            for line in whole:
                yield line
    except ClientDisconnect:
        raise Problem(408, "the body did not end in time", code="timeout") from None
    yield rest


async def _store_lines(state: AppState, format: str, lines: list[bytes], first: int, done: IngestResult) -> None:
    """Make lines durable, at a pace the index can follow."""
    waited = 0.0
    while state.live.behind() > BEHIND:
        if waited >= PATIENCE:
            reason = f"the index is behind; lines before {first} are durable, send the rest later"
            raise Problem(503, reason, code="behind", retry=5)
        await asyncio.sleep(0.1)
        waited += 0.1
    state.live.newest_seq, totals, refused = await state.ingest_pool.run(_ingest_lines, state.data, format, lines, first)
    for name in ("read", "accepted", "duplicates", "rejected", "deleted", "ignored"):
        setattr(done, name, getattr(done, name) + getattr(totals, name))
    done.rejects += refused[: MAX_REPORTED - len(done.rejects)]


def _ingest_lines(
    _: Store, data: Path, format: str, lines: list[bytes], first: int
) -> tuple[int, Totals, list[RejectedLine]]:
    """Parse, and acknowledge on return."""
    parse, refused = parser(AUTO if format == "auto" else format), []
    writer = Writer(data)
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        try:
            writer.take(parse(line))
        except Malformed as error:
            refused.append(RejectedLine(number, str(error)))
            writer.reject(Rejected("http", number, str(error), line))
    totals = writer.close()
    return writer.last_seq, totals, refused


routes = [Route("/v1/ingest", ingest, methods=["POST"])]
