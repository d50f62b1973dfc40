"""Write posts to files: Trinch's own lines, CSV, Parquet; as they come, in bounded memory."""

import csv
import io
import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, NamedTuple, get_args, get_type_hints

import msgspec

from trinch.errors import TrinchError
from trinch.posts.jsonl import dump_post
from trinch.posts.schema import UNDATED, Post
from trinch.posts.times import iso
from trinch.service.search import combined
from trinch.store.pages import scan, scan_parts
from trinch.store.store import Hit, Store

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 10_000
"""Rows of one row group of a Parquet file, and of one record batch."""

PART_ROWS, PART_SECONDS = 1000, 0.5
"""Posts, and seconds of processor time, of one part of an export over HTTP."""

COLUMNS = ("at", *Post.__struct_fields__)
"""Columns of a table: when a post was witnessed, then its fields."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ExportError(TrinchError, RuntimeError):
    """A format that cannot be written here; the message says what to install."""


def write_jsonl(hits: Iterable[Hit], file: IO[bytes]) -> int:
    """Write each post as a line that `trinch ingest` reads back as it was. Returns how many."""
    written = 0
    for hit in hits:
        file.write(dump_post(hit.post, None if hit.at == UNDATED else hit.at) + b"\n")
        written += 1
    return written


def write_csv(hits: Iterable[Hit], file: IO[bytes], *, header: bool = True) -> int:
    """Write a header and a row for each post; lists are JSON, times RFC 3339. Returns how many posts."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="", write_through=True)
    rows, written = csv.writer(text), 0
    if header:
        rows.writerow(COLUMNS)
    for hit in hits:
        rows.writerow([_cell(name, value) for name, value in _values(hit).items()])
        written += 1
    text.detach()
    return written


def write_parquet(hits: Iterable[Hit], file: IO[bytes]) -> int:
    """Write a Parquet file with lists and times (UTC, microseconds) as such. Returns how many posts.

    Raises ExportError without pyarrow."""
    import_arrow()
    import pyarrow.parquet as pq

    written = 0
    with pq.ParquetWriter(file, schema(), compression="zstd") as writer:
        for batch in batches(hits):
            writer.write_batch(batch)
            written += batch.num_rows
    return written


WRITERS: dict[str, Callable[[Iterable[Hit], IO[bytes]], int]] = {
    "jsonl": write_jsonl,
    "csv": write_csv,
    "parquet": write_parquet,
}


MEDIA_TYPES = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}

PARQUET_MOST = 50_000
"""Posts of a Parquet file over HTTP, which is made whole in memory."""


def export_parquet(store: Store, query: str, *, where: str = "", as_of: int | None = None) -> bytes:
    """A Parquet file of the first PARQUET_MOST posts that match. Raises QueryError; ExportError without pyarrow."""
    file = io.BytesIO()
    write_parquet(islice(scan(store, combined(query, where=where), as_of), PARQUET_MOST), file)
    return file.getvalue()


class Part(NamedTuple):
    """A piece of an export, and the position in the log behind which the next one begins; None at the end."""

    data: bytes
    next: int | None


def export_part(
    store: Store, query: str, format: str, *, where: str = "", as_of: int | None = None, after: int = -1
) -> Part:
    """The posts that match behind a position of the log, as JSON lines or CSV: PART_ROWS of them, or what PART_SECONDS
    find. Raises QueryError."""
    until, hits = time.process_time() + PART_SECONDS, list[Hit]()
    following: int | None = None
    for position, found in scan_parts(store, combined(query, where=where), as_of, after):
        hits += found
        if len(hits) >= PART_ROWS or time.process_time() > until:
            following = position
            break
    file = io.BytesIO()
    if format == "csv":
        write_csv(hits, file, header=after < 0)
    else:
        write_jsonl(hits, file)
    return Part(file.getvalue(), following)


def table(hits: Iterable[Hit]) -> "pa.Table":
    """The posts as an Arrow table. Raises ExportError without pyarrow."""
    import_arrow()
    import pyarrow as pa

    return pa.Table.from_batches(batches(hits), schema())


def batches(hits: Iterable[Hit]) -> "Iterable[pa.RecordBatch]":
    """The posts as Arrow record batches of at most ROWS."""
    import pyarrow as pa

    hits = iter(hits)
    while some := list(islice(hits, ROWS)):
        rows = [
            {
                name: _time(value) if name in ("at", "created_at") else _plain(value)
                for name, value in _values(hit).items()
            }
            for hit in some
        ]
        yield pa.RecordBatch.from_pylist(rows, schema())


def schema() -> "pa.Schema":
    """Columns and their Arrow types, from the types of the fields of a post."""
    import pyarrow as pa

    kinds = {int: pa.int64(), float: pa.float64(), str: pa.string(), bool: pa.bool_()}
    texts, attached = (
        pa.list_(pa.string()),
        pa.list_(pa.struct([("kind", pa.string()), ("text", pa.string())])),
    )
    hints, fields = get_type_hints(Post), []
    for name in COLUMNS:
        if name in ("at", "created_at"):
            kind = pa.timestamp("us", tz="UTC")
        elif name == "attached":
            kind = attached
        else:
            hint = hints[name]
            inner = [one for one in get_args(hint) if one is not type(None)] or [hint]
            kind = texts if str in get_args(hint) else kinds[inner[0]]
        fields.append((name, kind))
    return pa.schema(fields)


def import_arrow() -> None:
    """Raises ExportError where pyarrow is not installed."""
    try:
        import pyarrow  # noqa: F401 - only whether it is there
    except ImportError:
        raise ExportError("this needs an extra: pip install 'trinch[tables]'") from None


def _values(hit: Hit) -> dict[str, Any]:
    at = None if hit.at == UNDATED else hit.at
    return {"at": at, **{name: getattr(hit.post, name) for name in Post.__struct_fields__}}


def _cell(name: str, value: Any) -> Any:
    if name in ("at", "created_at"):
        return iso(value)
    if isinstance(value, tuple):
        return json.dumps(msgspec.to_builtins(value), ensure_ascii=False) if value else ""
    return value


def _time(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def _plain(value: Any) -> Any:
    """Lone surrogates, which no table holds, replaced; tuples as lists."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return msgspec.to_builtins(value) if isinstance(value, tuple) else value
