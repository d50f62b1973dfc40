"""JSON Feed 1.0 and 1.1: the items of a feed as posts of the network `feed`.

Source: jsonfeed.org/version/1.1. An item is known by its `id`, which every item has; its text is its title and its content,
without markup.
"""

from urllib.parse import urlsplit

import msgspec

from trinch.posts import times
from trinch.posts.html_text import plain
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Event, Malformed, Post
from trinch.posts.wire import Time, decode, language, moment

VERSION = b'"https://jsonfeed.org/version/'


class Author(msgspec.Struct, gc=False):
    name: str | None = None


class Attachment(msgspec.Struct, gc=False):
    mime_type: str | None = None


class Item(msgspec.Struct):
    id: str
    url: str | None = None
    external_url: str | None = None
    title: str | None = None
    content_html: str | None = None
    content_text: str | None = None
    summary: str | None = None
    image: str | None = None
    date_published: Time = None
    date_modified: Time = None
    author: Author | None = None
    authors: list[Author] = []
    tags: list[str] = []
    language: str | None = None
    attachments: list[Attachment] = []


class Feed(msgspec.Struct):
    """The feed; its items are read one by one, so that a bad one does not cost the others."""

    version: str
    title: str | None = None
    home_page_url: str | None = None
    feed_url: str | None = None
    author: Author | None = None
    authors: list[Author] = []
    language: str | None = None
    items: list[msgspec.Raw] = []


_FEED = msgspec.json.Decoder(Feed)
_ITEM = msgspec.json.Decoder(Item)


def is_feed(found: dict[str, msgspec.Raw]) -> bool:
    """Whether a text with these top-level fields says that it is a JSON Feed."""
    version = bytes(found.get("version", msgspec.Raw(b"")))
    return version.replace(b"\\/", b"/").startswith(VERSION)


def parse(line: bytes, notes: Notes | None = None, _: object = None) -> list[Event]:
    """The items of a feed; with `notes`, one that cannot be read is a reject of its own. Raises `Malformed` and nothing
    else."""
    if not line or line.isspace():
        return []
    feed = decode(_FEED, line, notes)
    found: list[Event] = []
    for number, raw in enumerate(feed.items):
        try:
            found.append(_created(decode(_ITEM, bytes(raw), notes), feed, notes))
        except Malformed as error:
            if notes is None or len(feed.items) == 1:
                raise
            notes.reject(f"items[{number}] {error}", bytes(raw))
    return found


def _created(item: Item, feed: Feed, notes: Notes | None) -> Event:
    body, links = (
        (item.content_text, ()) if item.content_text else plain(item.content_html or item.summary or "")
    )
    title = plain(item.title or "")[0]
    text = body if body.startswith(title) and body else f"{title}\n{body}".strip()
    if not item.id or not text:
        raise Malformed("id: missing" if not item.id else "neither title nor content")
    at = moment(item.date_published, "date_published", notes) or moment(
        item.date_modified, "date_modified", notes
    )
    home = feed.home_page_url or feed.feed_url or item.url or ""
    author = next(
        (one.name for one in (item.author, *item.authors, feed.author, *feed.authors) if one and one.name), ""
    )
    kinds = [(one.mime_type or "").partition("/")[0] for one in item.attachments]
    media = (["image"] if item.image else []) + [
        kind for kind in kinds if kind in ("image", "video", "audio")
    ]
    post = Post(
        network="feed",
        id=item.id,
        created_at=at,
        text=text,
        lang=language(item.language or feed.language),
        author_id=home,
        author=_host(home),
        author_name=author or feed.title or "",
        url=item.url or item.external_url or "",
        urls=tuple(dict.fromkeys(link for link in (item.url, item.external_url, *links) if link)),
        media=tuple(dict.fromkeys(media)),
        tags=tuple(item.tags),
    )  # fmt: skip
    return Created(at=times.now() if at is None else at, network="feed", post=post)


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
