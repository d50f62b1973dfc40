"""Posts of the X API v1.1 (streams, timelines, search, enterprise archives), short and extended.

The v1.1 Tweet object with its nested originals. The text is kept whole, also where `display_text_range` says that
X's own page leaves out the mentions a reply begins with: an exact quote needs what was written.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import msgspec

from trinch.posts import times, x_v2
from trinch.posts.notes import Notes
from trinch.posts.places import NOWHERE, PlaceFields, middle, place_fields, point
from trinch.posts.schema import Attached, CountsChanged, Event, Hidden, Malformed, Post
from trinch.posts.wire import Integer, Text, Time, language, moment, unescape


class User(msgspec.Struct, gc=False):
    id_str: str | None = None
    id: int | str | None = None
    screen_name: str | None = None
    name: str | None = None
    followers_count: Integer | None = None
    verified: bool | None = None


class Mention(msgspec.Struct, gc=False):
    screen_name: str | None = None


class Hashtag(msgspec.Struct, gc=False):
    text: str | None = None


class Media(msgspec.Struct, gc=False):
    type: str | None = None
    ext_alt_text: str | None = None


class Unwound(msgspec.Struct, gc=False):
    url: str | None = None


class Url(msgspec.Struct):
    url: str | None = None
    expanded_url: str | None = None
    display_url: str | None = None
    unwound: Unwound | None = None


class Entities(msgspec.Struct):
    urls: list[Url] | None = None
    user_mentions: list[Mention] | None = None
    hashtags: list[Hashtag] | None = None
    media: list[Media] | None = None


class Extended(msgspec.Struct):
    """`extended_tweet` of streams: the whole of a text longer than 140 characters, with its entities."""

    full_text: str | None = None
    entities: Entities | None = None
    extended_entities: Entities | None = None


class EditHistory(msgspec.Struct):
    edit_tweet_ids: list[str] | None = None


class Binding(msgspec.Struct, gc=False):
    string_value: str | None = None


class Bindings(msgspec.Struct):
    title: Binding | None = None
    description: Binding | None = None
    choice1_label: Binding | None = None
    choice2_label: Binding | None = None
    choice3_label: Binding | None = None
    choice4_label: Binding | None = None


class Card(msgspec.Struct):
    """A linked page or a poll, shown below the post."""

    binding_values: Bindings | None = None


class Area(msgspec.Struct):
    coordinates: Any = None


class Place(msgspec.Struct):
    full_name: str | None = None
    country_code: str | None = None
    bounding_box: Area | None = None


class Note(msgspec.Struct, gc=False):
    """A community note."""

    text: str | None = None


class Status(msgspec.Struct):
    id_str: str | None = None
    id: int | str | None = None
    created_at: Time = None
    timestamp_ms: Time = None
    text: Text | None = None
    full_text: Text | None = None
    extended_tweet: Extended | None = None
    user: User | None = None
    user_id_str: str | None = None
    lang: str | None = None
    in_reply_to_status_id_str: str | None = None
    in_reply_to_user_id_str: str | None = None
    in_reply_to_screen_name: str | None = None
    retweeted_status: "Status | None" = None
    quoted_status: "Status | None" = None
    quoted_status_id_str: str | None = None
    entities: Entities | None = None
    extended_entities: Entities | None = None
    possibly_sensitive: bool | None = None
    withheld_copyright: bool | None = None
    withheld_in_countries: list[str] | str | None = None
    edit_history: EditHistory | None = None
    card: Card | None = None
    note: Note | None = None
    coordinates: Area | None = None
    place: Place | None = None
    favorite_count: Integer | None = None
    retweet_count: Integer | None = None
    reply_count: Integer | None = None
    quote_count: Integer | None = None


def events(status: Status, notes: Notes | None = None) -> list[Event]:
    """The post, and before it the posts nested in it: what was reposted, what was quoted."""
    found = _events(status, "", notes)
    at = found[0].at
    nested, path = status, ""
    # A repost may hold a quote, which may hold no more; six levels are beyond what X ever sent.
    for _ in range(6):
        if nested.retweeted_status:
            nested, path = nested.retweeted_status, path + "retweeted_status."
        elif nested.quoted_status:
            nested, path = nested.quoted_status, path + "quoted_status."
        else:
            break
        try:
            found += _nested(nested, at, path, notes)
        except Malformed:
            if notes is None:
                raise
            notes.forgive(path.removesuffix("."))
            break
    if len(found) > 1:
        found.sort(key=attrgetter("at"))
    return found


def _events(status: Status, path: str, notes: Notes | None, counts: bool = True) -> list[Event]:
    post = _post(status, path, notes, counts and not status.retweeted_status)
    at = times.now() if post.created_at is None else post.created_at
    history = status.edit_history.edit_tweet_ids if status.edit_history else None
    found = [x_v2.version(post, at, history)]
    if status.withheld_copyright or status.withheld_in_countries:
        found.append(Hidden(at=at, network="x", id=post.id, reason="withheld"))
    return found


def _nested(status: Status, at: int, path: str, notes: Notes | None) -> list[Event]:
    """Its counts are of the moment the outer post was sent, so they are no part of the post itself."""
    found = _events(status, path, notes, counts=False)
    if status.favorite_count is not None or status.retweet_count is not None:
        changed = CountsChanged(
            at=max(at, found[0].at),
            network="x",
            id=_id(status, path),
            likes=status.favorite_count,
            reposts=status.retweet_count,
            replies=status.reply_count,
            quotes=status.quote_count,
        )
        found.append(changed)
    return found


def _id(status: Status, path: str) -> str:
    id = status.id_str or ("" if status.id is None else str(status.id))
    if not id:
        raise Malformed(f"{path}id_str: missing from a post")
    if not (id.isascii() and id.isdigit()):
        raise Malformed(f"{path}id_str: expected a number as text, got {id[:40]!r}")
    return id


def _post(status: Status, path: str, notes: Notes | None, with_counts: bool) -> Post:
    id = _id(status, path)
    text, entities, attached = _text(status, path)
    urls = [url for one in entities.urls or () if (url := _link(one, id))]
    media = (attached or entities).media or ()
    reposted, quoted = status.retweeted_status, status.quoted_status
    # A repost of a quote repeats the quote; it belongs to the original.
    quote_of = "" if reposted else status.quoted_status_id_str or (_id(quoted, path) if quoted else "")
    counts = status if with_counts else _NO_COUNTS
    written = status.created_at if status.created_at is not None else status.timestamp_ms
    created_at = moment(written, f"{path}created_at", notes, id)
    user = status.user or _NOBODY
    author, followers = user.screen_name or "", user.followers_count
    return Post(
        network="x",
        id=id,
        created_at=created_at,
        text=unescape(text),
        lang=language(status.lang),
        author_id=user.id_str or status.user_id_str or ("" if user.id is None else str(user.id)),
        author=author,
        author_name=user.name or "",
        author_followers=followers if followers is not None and followers >= 0 else None,
        author_verified=user.verified,
        url=f"https://x.com/{author or 'i'}/status/{id}",
        reply_to=status.in_reply_to_status_id_str or "",
        reply_to_author=status.in_reply_to_screen_name or status.in_reply_to_user_id_str or "",
        repost_of=_id(reposted, path + "retweeted_status.") if reposted else "",
        quote_of=quote_of,
        urls=tuple(dict.fromkeys(urls)),
        media=tuple(dict.fromkeys([_MEDIA.get(one.type or "", "image") for one in media])),
        mentions=tuple([one.screen_name for one in entities.user_mentions or () if one.screen_name]),
        tags=tuple([one.text for one in entities.hashtags or () if one.text]),
        attached=_attached(status, media) if status.card or status.note or media else (),
        **(_place(status) if status.coordinates or status.place else NOWHERE),
        sensitive=status.possibly_sensitive is True,
        likes=counts.favorite_count,
        reposts=counts.retweet_count,
        replies=counts.reply_count,
        quotes=counts.quote_count,
    )


def _place(status: Status) -> PlaceFields:
    """The place named, at the point of the post or else in its own middle."""
    place = status.place or Place()
    north, east = point(status.coordinates.coordinates) if status.coordinates else (None, None)
    if north is None and place.bounding_box:
        north, east = middle(place.bounding_box.coordinates)
    return place_fields(place.full_name, place.country_code, north, east)


def _text(status: Status, path: str) -> tuple[str, Entities, Entities | None]:
    """The whole text with its entities and the entities of its media."""
    extended = status.extended_tweet
    entities, attached = status.entities or _EMPTY, status.extended_entities
    if extended and extended.full_text:
        return (
            extended.full_text,
            extended.entities or entities,
            extended.extended_entities or attached,
        )
    text = status.full_text or status.text
    if text is None:
        raise Malformed(f"{path}text: missing from a post")
    return text, entities, attached


def _attached(status: Status, media: Sequence[Media]) -> tuple[Attached, ...]:
    """Image descriptions, what a card says, and a community note."""
    found = x_v2.attached("image", [one.ext_alt_text for one in media])
    if status.card and (values := status.card.binding_values):
        labels = (values.choice1_label, values.choice2_label, values.choice3_label, values.choice4_label)
        found += x_v2.attached("poll", [one.string_value for one in labels if one])
        found += x_v2.attached(
            "card", [one.string_value for one in (values.title, values.description) if one]
        )
    return found + x_v2.attached("note", [status.note.text] if status.note else [])


_EMPTY = Entities()
_NOBODY = User()
_NO_COUNTS = Status()
_MEDIA = {"photo": "image", "video": "video", "animated_gif": "gif"}


def _link(url: Url, own: str) -> str | None:
    unwound = url.unwound.url if url.unwound else None
    return x_v2.link(x_v2.Url(url.url, url.expanded_url, unwound, url.display_url), own)
