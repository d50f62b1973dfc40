"""Posts of Mastodon: the Status entity of its API, and the events of its streams in JSON.

A post is known by its `uri`, the same on every server; the numeric `id` differs from server to server. A deletion
names only that number, so it takes effect for posts of the server it came from (`delete`).
Source: docs.joinmastodon.org, entities Status, Poll, PreviewCard, MediaAttachment.
"""

import msgspec

from trinch.posts import times
from trinch.posts.html_text import plain
from trinch.posts.notes import Notes
from trinch.posts.schema import Attached, Created, Edited, Event, Malformed, Post
from trinch.posts.wire import Integer, Text, Time, decode, language, moment


class Account(msgspec.Struct):
    acct: str = ""
    url: str | None = None
    uri: str | None = None
    display_name: str = ""
    followers_count: Integer | None = None


class Media(msgspec.Struct, gc=False):
    type: str | None = None
    description: str | None = None


class Named(msgspec.Struct, gc=False):
    name: str = ""
    acct: str = ""
    title: str = ""


class Poll(msgspec.Struct):
    options: list[Named] = []


class Card(msgspec.Struct, gc=False):
    title: str | None = None
    description: str | None = None


class Status(msgspec.Struct):
    uri: str
    content: Text
    account: Account
    url: str | None = None
    created_at: Time = None
    edited_at: Time = None
    spoiler_text: str | None = None
    language: str | None = None
    sensitive: bool | None = None
    media_attachments: list[Media] = []
    mentions: list[Named] = []
    tags: list[Named] = []
    poll: Poll | None = None
    card: Card | None = None
    reblog: "Status | None" = None
    reblogs_count: Integer | None = None
    favourites_count: Integer | None = None
    replies_count: Integer | None = None


_STATUS = msgspec.json.Decoder(Status)


def parse(line: bytes, notes: Notes | None = None, _: object = None) -> list[Event]:
    """The post of a Status, before it the one it boosts. Raises `Malformed` and nothing else."""
    if not line or line.isspace():
        return []
    return events(decode(_STATUS, line, notes), notes)


def events(status: Status, notes: Notes | None = None) -> list[Event]:
    """The post, and before it the one it boosts. A post with `edited_at` is an edit of the same id."""
    if not status.uri:
        raise Malformed("uri: missing from a post")
    found = events(status.reblog, notes) if status.reblog and not status.reblog.reblog else []
    post = _post(status, notes)
    edited = moment(status.edited_at, "edited_at", notes)
    if edited is not None:
        return [*found, Edited(at=edited, network="mastodon", post=post)]
    at = times.now() if post.created_at is None else post.created_at
    return [*found, Created(at=at, network="mastodon", post=post)]


def _post(status: Status, notes: Notes | None) -> Post:
    text, links = plain(status.content)
    if status.spoiler_text:
        text = f"{status.spoiler_text}\n{text}"
    account = status.account
    boosted = status.reblog.uri if status.reblog else ""
    created_at = moment(status.created_at, "created_at", notes)
    return Post(
        network="mastodon",
        id=status.uri,
        created_at=created_at,
        text=text,
        lang=language(status.language),
        author_id=account.uri or account.url or account.acct,
        author=account.acct,
        author_name=account.display_name,
        author_followers=account.followers_count,
        url=status.url or status.uri,
        repost_of=boosted,
        urls=links,
        media=tuple(dict.fromkeys([_MEDIA.get(one.type or "", "image") for one in status.media_attachments])),
        mentions=tuple([one.acct for one in status.mentions if one.acct]),
        tags=tuple([one.name for one in status.tags if one.name]),
        attached=_attached(status),
        sensitive=status.sensitive is True,
        likes=None if boosted else status.favourites_count,
        reposts=None if boosted else status.reblogs_count,
        replies=None if boosted else status.replies_count,
    )


_MEDIA = {"image": "image", "gifv": "gif", "video": "video", "audio": "audio"}


def _attached(status: Status) -> tuple[Attached, ...]:
    """Image descriptions, poll options, title and description of a linked page."""
    card = status.card or Card()
    texts = [
        *[("image", one.description) for one in status.media_attachments],
        *[("poll", one.title) for one in (status.poll.options if status.poll else ())],
        *[("card", text) for text in (card.title, card.description)],
    ]
    return tuple([Attached(kind, text) for kind, text in texts if text])
