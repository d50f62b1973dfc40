"""`POST /v1/ingest`: posts as lines in any supported format, acknowledged once they are durable.

Sending the same lines again changes nothing, so a client that got no response repeats its request.
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
"""Rejected lines listed in the response; all are counted, and stored in `rejected.jsonl`."""

BATCH_LINES = 500
"""Lines stored at once; before each batch the lag of the index is checked."""

INDEX_WAIT_SECONDS = 20.0
"""Time to wait for an index that is behind before the rest is rejected."""


class Ingest(msgspec.Struct):
    """Parameters of /v1/ingest."""

    format: Literal["auto", "jsonl", "x", "jetstream"] = "auto"


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
    """The lines of the body as they arrive. Raises Problem when it is too long or ends early."""
    rest, length = b"", 0
    try:
        async for chunk in request.stream():
            length += len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            if length > MAX_UPLOAD or len(rest) > MAX_LINE or any(len(line) > MAX_LINE for line in whole):
                raise Problem(
                    413, f"at most {MAX_UPLOAD:,} bytes, and {MAX_LINE:,} in a line", code="body_too_large"
                )
            for line in whole:
                yield line
    except ClientDisconnect:
        raise Problem(408, "the body did not end in time", code="timeout") from None
    yield rest


async def _store_lines(
    state: AppState, format: str, lines: list[bytes], first_line: int, result: IngestResult
) -> None:
    """Store lines durably, no faster than the index can follow."""
    waited = 0.0
    while state.live.behind() > BEHIND:
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
    result.rejects += rejected[: MAX_REPORTED - len(result.rejects)]


def _ingest_lines(
    _: Store, data: Path, format: str, lines: list[bytes], first_line: int
) -> tuple[int, Totals, list[RejectedLine]]:
    """Parse and store; everything is durable on return."""
    parse, rejected = parser(AUTO if format == "auto" else format), []
    writer = Writer(data)
    for number, line in enumerate(lines, first_line):
        if not line.strip():
            continue
        try:
            writer.take(parse(line))
        except Malformed as error:
            rejected.append(RejectedLine(number, str(error)))
            writer.reject(Rejected("http", number, str(error), line))
    totals = writer.close()
    return writer.last_seq, totals, rejected


routes = [Route("/v1/ingest", ingest, methods=["POST"])]
