"""The wire formats, by name, and the detection of a line's format.

Other packages add a format through the entry point group `trinch.formats`, which loads a `Format`.
"""

import re
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import NamedTuple, Protocol

import msgspec

from trinch.posts import bluesky, jetstream, json_feed, jsonl, mastodon, reddit, telegram, x
from trinch.posts.notes import Notes
from trinch.posts.schema import Event, Malformed
from trinch.posts.wire import UNREADABLE, fields

Fields = dict[str, msgspec.Raw]
"""The top-level fields of a line, their values undecoded."""


class Parse(Protocol):
    """One line, or one JSON document, to its events. Raises `Malformed` and nothing else.

    `found` are the line's top-level fields where detection has decoded them."""

    def __call__(
        self, line: bytes, notes: Notes | None = None, found: Fields | None = None, /
    ) -> list[Event]: ...


class Format(NamedTuple):
    """One wire format. `sniff` says by its top-level fields whether a line is of this format."""

    name: str
    summary: str
    """What is read, for the documentation."""
    sniff: Callable[[Fields], bool]
    parse: Parse


def _is_jetstream(found: Fields) -> bool:
    if "time_us" in found:
        return True
    type = bytes(found.get("$type", msgspec.Raw(b"")))
    return type in (b'"message"', b'"error"') or type.startswith(b'"network.bsky.jetstream.')


def _is_reddit(found: Fields) -> bool:
    if bytes(found.get("kind", msgspec.Raw(b""))) in (b'"t1"', b'"t3"', b'"Listing"'):
        return "data" in found
    return "id" in found and "created_utc" in found and bool({"title", "body", "selftext"} & found.keys())


def _is_mastodon(found: Fields) -> bool:
    return found.keys() >= {"uri", "content", "account"}


_BUILT_IN = (
    Format("jetstream", "Bluesky Jetstream v1 and v2 frames: posts, likes, reposts, edits, deletes, identity, account, sync",
           _is_jetstream, jetstream.parse),
    Format("bluesky", "Bluesky's own API: posts, feeds, threads, searches and listed records", bluesky.is_view, bluesky.parse),
    Format("jsonl", "Trinch's own lines: collected posts, and every event there is", lambda found: "platform" in found,
           jsonl.parse),
    Format("json-feed", "JSON Feed 1.0 and 1.1: the items of a feed", json_feed.is_feed, json_feed.parse),
    Format("mastodon", "Mastodon's Status: posts, boosts, edits, polls, image descriptions", _is_mastodon, mastodon.parse),
    Format("reddit", "Reddit submissions and comments: dumps, and listings with their replies", _is_reddit, reddit.parse),
    Format("telegram", "Telegram Desktop exports, whole or a message a line", telegram.is_message, telegram.parse),
    Format("x", "X API v2: stream lines, pages, flattened posts · v1.1: stream, timeline and search posts, extended or "
           "not, also in Activity Streams form · stream deletes · compliance events (v2, enterprise, batch results) · "
           "X's archive · answers of the web client · snscrape, twscrape, Twint, twitter-scraper, the camel-case objects of "
           "twitterapi.io and Apify", lambda found: False, x.parse),
)  # fmt: skip

AUTO = "auto"

# Beginnings that prove a format, so that the commonest lines are not decoded for detection.
_JETSTREAM = re.compile(rb'\{"did":"[^"\\]*","time_us":\d').match
_JSONL = re.compile(rb'\{(?:"kind":"[a-z_]*",)?"platform":"').match
_X = re.compile(rb'\{"data":[{\[]|\{"created_at":"[^"\\]*","id":\d+,"id_str":"').match


@cache
def formats() -> dict[str, Format]:
    """All formats, in the order in which they are tried; a built-in one wins over an entry point of the same name."""
    added: list[Format] = [point.load() for point in entry_points(group="trinch.formats")]
    found = {one.name: one for one in _BUILT_IN}
    return {one.name: one for one in added if one.name not in found} | found


def names() -> list[str]:
    """`auto`, and the names of all formats in alphabetical order."""
    return [AUTO, *sorted(formats())]


def detect(line: bytes) -> str:
    """The format of one line, by its top-level keys; `x` where no other format claims it.

    Raises Malformed where the line is no JSON object."""
    return _detect(line, None)[0]


def _detect(line: bytes, notes: Notes | None) -> tuple[str, Fields | None]:
    if _JETSTREAM(line):
        return "jetstream", None
    if _JSONL(line):
        return "jsonl", None
    if _X(line):
        return "x", None
    found = fields(line, notes)
    for one in formats().values():
        if one.sniff(found):
            return one.name, found
    return "x", found


def parser(name: str) -> Parse:
    """The parser of a format; `auto` decides line by line. KeyError on an unknown name."""
    return _parse_any if name == AUTO else formats()[name].parse


_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def _parse_any(line: bytes, notes: Notes | None = None, _: Fields | None = None, /) -> list[Event]:
    if not line or line.isspace():
        return []
    if line[:1] == b"[":
        return _parse_all(line, notes)
    name, found = _detect(line, notes)
    if found and "_id" in found and bytes(found.get("_source", b""))[:1] == b"{":  # a hit of Elasticsearch
        return _parse_any(bytes(found["_source"]), notes)
    return formats()[name].parse(line, notes, found)


def _parse_all(line: bytes, notes: Notes | None) -> list[Event]:
    """The events of an array, element by element; a bad element is rejected by itself."""
    try:
        items = _ITEMS.decode(line)
    except UNREADABLE as error:
        raise Malformed(f"the line is not JSON: {error}") from None
    events: list[Event] = []
    for number, item in enumerate(items):
        raw = bytes(item)
        try:
            if raw[:1] != b"{":
                raise Malformed("expected a JSON object")
            events += _parse_any(raw, notes)
        except Malformed as error:
            if notes is None or len(items) == 1:
                raise
            notes.reject(f"[{number}] {error}", raw)
    return events
