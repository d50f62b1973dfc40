"""Trinch's own JSON lines: one post, or one event, a line; `dump` writes any event as such a line.

Two forms. A *row* has no `kind`: the common schema of collected posts
(`id, platform, created_at, text, author, …`), whose text may still carry X's and Reddit's entities. An
*event line* has a `kind` (`created`, `edited`, `deleted`, …) and holds exactly what the event holds:
`parse(dump(event)) == [event]`. `dump` writes RFC 3339 times; any form in `times.parse` is read. Unknown keys are
ignored.
"""

import re
from typing import Annotated, Any

import msgspec

from trinch.posts import schema as event
from trinch.posts import times
from trinch.posts.forgive import ESSENTIAL
from trinch.posts.notes import Notes
from trinch.posts.places import place_fields
from trinch.posts.schema import Attached, Created, Edited, Event, Malformed, Post
from trinch.posts.wire import Integer, Time, decode, language, moment, unescape

Text = str | None
Essential = Annotated[str, ESSENTIAL] | None
Texts = list[str] | None
Count = Integer | None


class Row(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The fields of any line: of a post and of every event."""

    kind: Essential = None
    platform: Essential = None
    id: str | int | None = None
    at: Time = None
    created_at: Time = None
    text: Essential = None
    lang: Text = None
    author_id: Text = None
    author: Text = None
    author_name: Text = None
    author_followers: Count = None
    author_verified: bool | None = None
    url: Text = None
    reply_to: Text = None
    reply_to_author: Text = None
    repost_of: Text = None
    quote_of: Text = None
    conversation_id: Text = None
    conv: Text = None
    urls: Texts = None
    media: Texts = None
    mentions: Texts = None
    tags: Texts = None
    attached: list[Attached] | None = None
    place: Text = None
    country: Text = None
    latitude: float | None = None
    longitude: float | None = None
    upto: Text = None
    sensitive: bool | None = None
    likes: Count = None
    reposts: Count = None
    replies: Count = None
    quotes: Count = None
    replaces: Texts = None
    replaced_by: Texts = None
    reason: Essential = None
    diverged: bool | None = None
    record: Text = None
    what: Text = None


_ROW = msgspec.json.Decoder(Row)
_PLATFORM = re.compile(r"[\w.-]{1,64}").fullmatch  # keys are `platform:id`, so it holds no colon
_ENCODER = msgspec.json.Encoder()


def parse(line: bytes, notes: Notes | None = None, _: object = None) -> list[Event]:
    """The event of one line; [] for a blank one. Raises `Malformed` and nothing else."""
    if not line or line.isspace():
        return []
    row = decode(_ROW, line, notes)
    network = _need(row.platform, "platform")
    if not _PLATFORM(network):
        raise Malformed(f"platform: letters, digits, `.`, `_` and `-` only, at most 64, not {network[:64]!r}")
    if row.kind in (None, "created", "edited"):
        post = _post(row, network, notes)
        at = None if row.kind is None else moment(row.at, "at", notes)
        if at is None:
            at = times.now() if post.created_at is None else post.created_at
        if row.kind != "edited":
            return [Created(at=at, network=network, post=post)]
        older, newer = tuple(row.replaces or ()), tuple(row.replaced_by or ())
        return [Edited(at=at, network=network, post=post, replaces=older, replaced_by=newer)]
    at = moment(row.at, "at", notes)
    return [_event(row, row.kind or "", times.now() if at is None else at, network)]


def _event(row: Row, kind: str, at: int, network: str) -> Event:  # noqa: C901 - one case per kind of event
    match kind:
        case "deleted":
            return event.Deleted(at=at, network=network, id=_id(row))
        case "hidden":
            return event.Hidden(at=at, network=network, id=_id(row), reason=_reason(row))
        case "restored":
            return event.Restored(at=at, network=network, id=_id(row), reason=_reason(row))
        case "account_gone":
            diverged = row.diverged is True
            return event.AccountGone(at=at, network=network, author_id=_author_id(row), diverged=diverged)
        case "account_hidden":
            return event.AccountHidden(at=at, network=network, author_id=_author_id(row), reason=_reason(row))
        case "account_restored":
            return event.AccountRestored(
                at=at, network=network, author_id=_author_id(row), reason=_reason(row)
            )
        case "account_renamed":
            author = _need(row.author, "author")
            return event.AccountRenamed(at=at, network=network, author_id=_author_id(row), author=author)
        case "places_erased":
            return event.PlacesErased(at=at, network=network, author_id=_author_id(row), upto=row.upto or "")
        case "counts_changed":
            return event.CountsChanged(
                at=at,
                network=network,
                id=_id(row),
                likes=row.likes,
                reposts=row.reposts,
                replies=row.replies,
                quotes=row.quotes,
            )
        case "reacted":
            if row.what not in ("like", "repost"):
                raise Malformed(f"what: expected like or repost, got {row.what!r}"[:200])
            record = _need(row.record, "record")
            return event.Reacted(at=at, network=network, id=_id(row), record=record, what=row.what)
        case "unreacted":
            return event.Unreacted(at=at, network=network, record=_need(row.record, "record"))
    raise Malformed(f"kind: no such kind of event: {kind[:40]!r}")


def _post(row: Row, network: str, notes: Notes | None) -> Post:
    id = _id(row)
    text = row.text
    if text is None:
        raise Malformed("text: missing from a post")
    urls = row.urls or []
    author = row.author or ""
    claimed = moment(row.created_at, "created_at", notes)
    lang = row.lang or "und"
    if row.kind is None:
        author = author.removesuffix("?")  # the schema's mark of a guessed handle
        lang = language(lang)
        if network == "x":
            claimed = times.snowflake(id, claimed)
        if network in ("x", "reddit"):
            text = unescape(text)
            urls = [unescape(url) for url in urls]
    return Post(
        network=network,
        id=id,
        created_at=claimed,
        text=text,
        lang=lang,
        author_id=row.author_id or "",
        author=author,
        author_name=row.author_name or "",
        author_followers=row.author_followers,
        author_verified=row.author_verified,
        url=row.url or (_url(network, id, author) if row.kind is None else ""),
        reply_to=row.reply_to or "",
        reply_to_author=row.reply_to_author or "",
        repost_of=row.repost_of or "",
        quote_of=row.quote_of or "",
        conversation_id=row.conversation_id or row.conv or "",
        urls=tuple(urls),
        media=tuple(row.media or ()),
        mentions=tuple(row.mentions or ()),
        tags=tuple(row.tags or ()),
        attached=tuple(row.attached or ()),
        **place_fields(row.place, row.country, row.latitude, row.longitude),
        sensitive=row.sensitive is True,
        likes=row.likes,
        reposts=row.reposts,
        replies=row.replies,
        quotes=row.quotes,
    )


def _url(network: str, id: str, author: str) -> str:
    """Where a person can read it, where the id shows it."""
    if network == "x" and id.isascii() and id.isdigit():
        return f"https://x.com/{author or 'i'}/status/{id}"
    if network == "bluesky" and id.startswith("at://"):
        did, _, rkey = id[5:].partition("/app.bsky.feed.post/")
        return f"https://bsky.app/profile/{did}/post/{rkey}" if rkey else ""
    if network == "reddit" and id.isascii() and id.isalnum():
        return f"https://www.reddit.com/comments/{id}"
    return ""


def _need(value: str | None, field: str) -> str:
    if not value:
        raise Malformed(f"{field}: missing")
    return value


def _id(row: Row) -> str:
    return _need(None if row.id is None else str(row.id), "id")


def _author_id(row: Row) -> str:
    return _need(row.author_id, "author_id")


def _reason(row: Row) -> str:
    return _need(row.reason, "reason")


def dump(event: Event) -> bytes:
    """One event as one line, without the newline. Times must lie in the years 1 to 9999."""
    fields = msgspec.structs.asdict(event)
    fields |= {"kind": event.__struct_config__.tag, "platform": fields.pop("network")}
    fields["at"] = times.written(event.at)
    if isinstance(event, Created | Edited):
        fields |= _post_fields(fields.pop("post"))
    return _ENCODER.encode(msgspec.convert(fields, Row))


def dump_post(post: Post, at: int | None) -> bytes:
    """A post as the line of its `Created` event, without `at` where that is None: then reading it again dates it."""
    written = None if at is None else times.written(at)
    fields = {"kind": "created", "platform": post.network, "at": written, **_post_fields(post)}
    return _ENCODER.encode(msgspec.convert(fields, Row))


def _post_fields(post: Post) -> dict[str, Any]:
    """The fields of a post but its network."""
    fields = {name: getattr(post, name) for name in post.__struct_fields__ if name != "network"}
    return fields | {"created_at": None if post.created_at is None else times.written(post.created_at)}
