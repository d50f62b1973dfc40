"""A search or a story as an Atom feed (RFC 4287), made from the posts that are visible when it is asked for."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from trinch.posts.times import iso, now
from trinch.service.limits import search_budget
from trinch.service.serialize import post_json
from trinch.service.stories import story_json
from trinch.store.store import Store

TITLE = 80
"""Characters of a title."""

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Entry(NamedTuple):
    """One entry of a feed."""

    id: str
    title: str
    author: str
    at: str
    url: str | None
    text: str


def search_feed(store: Store, query: str, limit: int, address: str) -> str:
    """The newest posts that match a query. Raises QueryError."""
    with store.within(search_budget(limit)):
        hits = store.search(query, limit=limit, sort="latest")
    return feed(f"Trinch: {query}", address, map(post_entry, map(post_json, hits)))


def story_feed(store: Store, id: str, address: str) -> str | None:
    """The developments of a story, the newest first; None where there is no such story."""
    found = story_json(store, id)
    if found is None:
        return None
    entries = [
        Entry(_urn(f"{cited['key']}:{cited['start']}"), line["text"], _author(cited), cited["at"], cited["url"], line["text"])
        for line in reversed(found["timeline"])
        for cited in line["citations"][:1]
    ]  # fmt: skip
    return feed(found["headline"], address, entries)


def alert_feed(shown: dict[str, Any], address: str) -> str:
    """The posts of the last firings of an alert, in the shape of `show_alert`, the newest first."""
    posts = {post["key"]: post for firing in shown["firings"] for post in reversed(firing["posts"])}
    return feed(f"Trinch: {shown['name']}", address, map(post_entry, posts.values()))


def post_entry(post: dict[str, Any]) -> Entry:
    """A post, in the shape of the API."""
    text = post["text"]
    return Entry(
        _urn(post["key"]), text, _author(post), post["at"] or "1970-01-01T00:00:00Z", post["url"], text
    )


def feed(title: str, address: str, entries: Iterable[Entry]) -> str:
    """An Atom document whose own address is `address`."""
    listed = list(entries)
    updated = max((entry.at for entry in listed), default=str(iso(now())))
    body = "".join(map(_entry, listed))
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n'
        f"<title>{_text(_cut(title))}</title><id>{_text(address)}</id><updated>{_text(updated)}</updated>\n"
        f'<link rel="self" type="application/atom+xml" href={_attribute(address)}/>\n{body}</feed>\n'
    )


def _entry(entry: Entry) -> str:
    link = f"<link href={_attribute(entry.url)}/>" if entry.url else ""
    return (
        f"<entry><id>{_text(entry.id)}</id><title>{_text(_cut(entry.title))}</title>"
        f"<author><name>{_text(entry.author)}</name></author>"
        f"<published>{_text(entry.at)}</published><updated>{_text(entry.at)}</updated>{link}"
        f'<content type="text">{_text(entry.text)}</content></entry>\n'
    )


def _urn(key: str) -> str:
    return f"urn:trinch:post:{quote(key, safe=':')}"


def _author(post: dict[str, Any]) -> str:
    return str(post["author"] or post["network"])


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE else line[: TITLE - 1] + "…"


def _text(text: str) -> str:
    """As XML holds it: without characters that it cannot hold."""
    return escape(_NOT_XML.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_NOT_XML.sub("\ufffd", text))
