"""Entries of RSS and Atom feeds as posts of the network `feed`. XML is read by feedparser."""

from calendar import timegm
from collections.abc import Iterator
from typing import Any

from trinch.posts import times
from trinch.posts.html_text import plain
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Event, Post
from trinch.posts.wire import MAX_LINE, language
from trinch.sources.address import host
from trinch.sources.rejects import Reject


def is_feed(first: bytes) -> bool:
    """Whether a file begins as RSS, RDF or Atom does."""
    head = first.lstrip(b"\xef\xbb\xbf \t\r\n")[:2000].lower()
    return head.startswith(b"<") and any(tag in head for tag in (b"<rss", b"<feed", b"<rdf:rdf", b"<?xml"))


def events(place: str, chunks: Iterator[bytes], notes: Notes) -> Iterator[list[Event] | Reject]:
    """The entries of a whole feed, each a text of its own."""
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
        if len(whole) > MAX_LINE:
            yield Reject(place, 1, f"longer than {MAX_LINE >> 20} MiB", bytes(whole[:MAX_LINE]))
            return
    try:
        found, reason = entries(bytes(whole), notes)
    except ImportError:
        yield Reject(place, 1, "feeds need feedparser: pip install 'trinch[feeds]'", b"")
        return
    if not found:
        yield Reject(place, 1, reason or "a feed without entries", bytes(whole))
    for event in found:
        yield [event]


def entries(feed: bytes, notes: Notes, address: str = "") -> tuple[list[Event], str]:
    """(the events of a feed's entries, why it could not be read or "")."""
    import feedparser

    parsed = feedparser.parse(feed, sanitize_html=False, resolve_relative_uris=False)
    home = parsed.feed.get("link") or address
    found: list[Event] = []
    for number, entry in enumerate(parsed.entries, 1):
        event = _event(entry, parsed.feed, home)
        if event is None:
            notes.reject(f"entry {number}: neither a title nor a text", str(entry).encode()[:1000])
        else:
            found.append(event)
    bozo = parsed.get("bozo_exception")
    if found and bozo and parsed.get("bozo"):
        notes.forgive("feed: XML is not well-formed")
    return found, f"no feed: {bozo}" if bozo else ""


def _event(entry: Any, feed: Any, home: str) -> Event | None:
    body = next(
        (one.get("value") for one in entry.get("content") or () if one.get("value")),
        entry.get("summary") or "",
    )
    text, links = plain(body)
    title = plain(entry.get("title") or "")[0]
    link = entry.get("link") or ""
    whole = f"{title}\n{text}".strip() if not text.startswith(title) else text or title
    if not whole:
        return None
    parsed = entry.get("published_parsed") or entry.get("updated_parsed")
    created_at = None if parsed is None else timegm(parsed) * 1_000_000
    media = [
        kind
        for one in entry.get("enclosures") or ()
        if (kind := _MEDIA.get(str(one.get("type")).partition("/")[0]))
    ]
    author = entry.get("author") or feed.get("title") or ""
    post = Post(
        network="feed",
        id=entry.get("id") or link or f"{home}#{title}",
        created_at=created_at,
        text=whole,
        lang=language(feed.get("language")),
        author_id=home,
        author=host(home) or host(link),
        author_name=author,
        url=link,
        urls=tuple(dict.fromkeys([*([link] if link else []), *links])),
        media=tuple(dict.fromkeys(media)),
        tags=tuple([tag.get("term") for tag in entry.get("tags") or () if tag.get("term")]),
    )
    return Created(at=times.now() if created_at is None else created_at, network="feed", post=post)


_MEDIA = {"image": "image", "video": "video", "audio": "audio"}
