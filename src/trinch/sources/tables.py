"""Posts in tables: CSV, TSV and Parquet. Each row becomes a line of Trinch's own format.

Columns with the names of that format's fields, or with the names that common tools use, are found by themselves;
a mapping (`text=content`) names the others. Cells of lists (urls, tags …) hold JSON or are separated by `|`.
"""

import codecs
import csv
import io
import json
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any

import msgspec

from trinch.posts.jsonl import Row
from trinch.sources.rejects import Reject

FIELDS = tuple(name for name in Row.__struct_fields__ if name not in ("attached", "replaces"))

_LISTS = {"urls", "media", "mentions", "tags"}
_COUNTS = {"likes", "reposts", "replies", "quotes", "author_followers"}
_ALIASES = {
    "text": ("text", "full_text", "tweet", "content", "body", "message", "tweet_text", "rawcontent"),
    "id": ("id", "id_str", "tweet_id", "status_id", "post_id", "uri"),
    "created_at": (
        "created_at",
        "date",
        "datetime",
        "timestamp",
        "created",
        "created_utc",
        "time",
        "timestamp_utc",
    ),
    "author": (
        *("author", "username", "screen_name", "user_screen_name", "handle", "author.username", "from_user"),
        *("user.screen_name", "user.username", "user"),
    ),
    "author_id": ("author_id", "user_id", "author.id", "user_id_str", "from_user_id_str", "user.id"),
    "author_name": ("author_name", "user_name", "name", "author.name"),
    "lang": ("lang", "language"),
    "likes": (
        *("likes", "like_count", "favorite_count", "likes_count", "public_metrics.like_count"),
        *("favorites", "favourites", "likecount"),
    ),
    "reposts": (
        *("reposts", "retweet_count", "retweets", "retweets_count", "public_metrics.retweet_count"),
        "retweetcount",
    ),
    "replies": ("replies", "reply_count", "replies_count", "public_metrics.reply_count", "replycount"),
    "quotes": ("quotes", "quote_count", "public_metrics.quote_count", "quotecount"),
    "conversation_id": ("conversation_id",),
    "reply_to": ("reply_to", "in_reply_to_status_id", "to_tweetid", "referenced_tweets.replied_to.id"),
    "url": ("url", "link", "permalink", "tweet_url"),
    "platform": ("platform", "network"),
}
_ON_X = re.compile(r"https?://(?:www\.|mobile\.)?(?:twitter|x)\.com/").match
"""A link to X in the column of links: such a row is a post on X."""
_X_COLUMNS = {"tweet_id", "tweet", "retweet_count", "retweets_count", "screen_name", "user_screen_name", "tweet_text",
              "edit_history_tweet_ids", "id_str", "favorite_count", "public_metrics.like_count"}  # fmt: skip
"""Columns that only tables of X posts have: without a `platform` column, such rows are posts on X."""


def is_table(place: str, first: bytes) -> bool:
    """Whether a file is Parquet by its first bytes, or CSV or TSV by its name or by its first line, which names a column
    of texts and one more."""
    if first[:4] == b"PAR1":
        return True
    if first.lstrip()[:1] in (b"{", b"[", b""):
        return False
    return PurePath(place.lower()).suffix in (".csv", ".tsv") or _is_header(
        first.partition(b"\n")[0][:20_000]
    )


def _is_header(line: bytes) -> bool:
    names = next(csv.reader([line.decode("utf-8", "replace").strip()], delimiter=_delimiter(line)), [])
    found, _ = _mapping(names, None)
    return "text" in found and len(found) > 1


def rows(
    place: str, first: bytes, chunks: Iterator[bytes], columns: Mapping[str, str] | None
) -> Iterator[tuple[int, bytes] | Reject]:
    """(number, JSON text) of each row; the first row below the header is line 2."""
    if first[:4] == b"PAR1":
        table: Iterable[Mapping[str, Any]] = _parquet(chunks)
    else:
        table = _delimited(place, first, chunks)
    number = 1
    try:
        table = iter(table)
        header = next(table)
        mapping, network = _mapping(list(header), columns)
        if "text" not in mapping:
            yield Reject(place, 1, _no_text(header), b"")
            return
        for number, row in enumerate(table, 2):
            yield number, _line(row, mapping, network, PurePath(place).name, number)
    except (csv.Error, MissingPackage) as error:
        yield Reject(place, number, str(error), b"")


def _no_text(names: Iterable[Any]) -> str:
    columns = ", ".join(map(str, names))
    return f"no column holds the text: name it with --map text=COLUMN; columns: {columns}"[:400]


class MissingPackage(Exception):
    """An optional package is not installed."""


def _parquet(chunks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    """The names of the columns, then the rows."""
    try:
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingPackage("Parquet needs pyarrow: pip install 'trinch[tables]'") from None
    with tempfile.TemporaryFile() as file:  # its directory is at the end
        for chunk in chunks:
            file.write(chunk)
        file.seek(0)
        table = pq.ParquetFile(file)
        yield dict.fromkeys(table.schema_arrow.names)
        for batch in table.iter_batches(1000):
            yield from batch.to_pylist()


def _delimited(place: str, first: bytes, chunks: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    """The names of the columns, then the rows."""
    head = first.split(b"\n", 1)[0]
    csv.field_size_limit(2**24)
    text = io.TextIOWrapper(io.BufferedReader(_Raw(chunks)), "utf-8", errors="cp1252", newline="")
    delimiter = "\t" if place.lower().endswith(".tsv") else _delimiter(head)
    table = csv.DictReader(text, delimiter=delimiter)
    yield dict.fromkeys(table.fieldnames or ())
    for row in table:
        row.pop(None, None)  # cells beyond the header
        yield row


def _delimiter(head: bytes) -> str:
    """The mark between columns: the one of tab, semicolon, bar and comma that the header has most of."""
    return max(",\t;|", key=lambda mark: head.count(mark.encode()))


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Decode what is no UTF-8 as Windows-1252, in which spreadsheets write."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("cp1252", _as_cp1252)


class _Raw(io.RawIOBase):
    """Chunks as a raw stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self.chunks, self.rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.rest:
            chunk = next(self.chunks, None)
            if chunk is None:
                return 0
            self.rest = chunk
        size = min(len(buffer), len(self.rest))
        buffer[:size] = self.rest[:size]
        self.rest = self.rest[size:]
        return size


def _mapping(names: list[str], columns: Mapping[str, str] | None) -> tuple[dict[str, str], str]:
    """(field of a post -> column, network where no column names it)."""
    lower = {str(name).strip().lower(): name for name in names}
    found = {field: lower[field] for field in FIELDS if field in lower}
    for field, aliases in _ALIASES.items():
        if field not in found and (name := next((one for one in aliases if one in lower), None)):
            found[field] = lower[name]
    found |= {field: column for field, column in (columns or {}).items() if column in names}
    return found, "x" if _X_COLUMNS & lower.keys() else "table"


def _line(row: Mapping[str, Any], mapping: Mapping[str, str], network: str, name: str, number: int) -> bytes:
    value = {
        field: cell
        for field, column in mapping.items()
        if (cell := _cell(field, row.get(column))) is not None
    }
    linked = _ON_X(str(value.get("url") or "")) and str(value.get("id", "")).isdecimal()
    value.setdefault("platform", "x" if linked else network)
    value.setdefault("id", f"{name}:{number}")
    return msgspec.json.encode(value)


def _cell(field: str, cell: Any) -> Any:
    if cell is None or cell == "" or (isinstance(cell, float) and cell != cell):
        return None
    if field == "id":
        return str(cell)
    if field in _COUNTS and isinstance(cell, str):
        digits = cell.strip().replace(",", "")
        return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else cell
    if field in _LISTS and isinstance(cell, str):
        if cell.startswith("["):
            try:
                return json.loads(cell.replace("'", '"'))
            except ValueError:
                return None
        return [part for part in cell.split("|") if part]
    if hasattr(cell, "isoformat"):
        return cell.isoformat()
    return cell
