"""Posts of the X API v1.1 (streams, timelines, search, enterprise archives), short and extended.

Owns the v1.1 Tweet object with its nested originals. Knows nothing of v2 or of compliance events.

The text is kept whole, also where `display_text_range` says that X's own page leaves out the mentions a
reply begins with: an exact quote needs what was written.
"""

from operator import attrgetter

import msgspec

from trinch.posts import times, x_v2
from trinch.posts.schema import CountsChanged, Created, Edited, Event, Hidden, Malformed, Post
from trinch.posts.wire import Integer, language, unescape


class User(msgspec.Struct, gc=False):
    id_str: str | None = None
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


class Status(msgspec.Struct):
    id_str: str | None = None
    id: int | str | None = None
    created_at: str | None = None
    timestamp_ms: str | None = None
    text: str | None = None
    full_text: str | None = None
    extended_tweet: Extended | None = None
    user: User | None = None
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
    favorite_count: Integer | None = None
    retweet_count: Integer | None = None
    reply_count: Integer | None = None
    quote_count: Integer | None = None


def events(status: Status) -> list[Event]:
    """The post, and before it the posts nested in it: what was reposted, what was quoted."""
    found = _events(status, "")
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
        found += _nested(nested, at, path)
    if len(found) > 1:
        found.sort(key=attrgetter("at"))
    return found


def _events(status: Status, path: str, counts: bool = True) -> list[Event]:
    post = _post(status, path, counts and not status.retweeted_status)
    at = post.created_at
    found: list[Event]
    history = status.edit_history and status.edit_history.edit_tweet_ids
    if history and len(history) > 1 and post.id in history:
        place = history.index(post.id)
        older, newer = tuple(history[:place]), tuple(history[place + 1 :])
        found = [Edited(at=at, network="x", post=post, replaces=older, replaced_by=newer)]
    else:
        found = [Created(at=at, network="x", post=post)]
    if status.withheld_copyright or status.withheld_in_countries:
        found.append(Hidden(at=at, network="x", id=post.id, reason="withheld"))
    return found


def _nested(status: Status, at: int, path: str) -> list[Event]:
    """Its counts are of the moment the outer post was sent, so they are no part of the post itself."""
    found = _events(status, path, counts=False)
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
    id = status.id_str or str(status.id)
    if not (id.isascii() and id.isdigit()):
        raise Malformed(f"{path}id_str: expected a number as text, got {id[:40]!r}")
    return id


def _created_at(status: Status, id: str, path: str) -> int:
    claimed = None
    if status.created_at is not None:
        try:
            claimed = times.v11(status.created_at)
        except ValueError as error:
            raise Malformed(f"{path}created_at: {error}") from None
    elif status.timestamp_ms is not None:
        claimed = times.millis(status.timestamp_ms)
    made = times.snowflake(id, claimed)
    return times.now() if made is None else made


def _post(status: Status, path: str, with_counts: bool) -> Post:
    id = _id(status, path)
    extended = status.extended_tweet
    text = status.full_text or status.text
    entities, attached = status.entities or _EMPTY, status.extended_entities
    if extended and extended.full_text:
        text = extended.full_text
        entities, attached = extended.entities or entities, extended.extended_entities or attached
    if text is None:
        raise Malformed(f"{path}text: missing from a post")
    urls = [url for one in entities.urls or () if (url := _link(one, id))]
    kinds = [_MEDIA.get(one.type or "", "image") for one in (attached or entities).media or ()]
    user = status.user or _NOBODY
    author = user.screen_name or ""
    reposted, quoted = status.retweeted_status, status.quoted_status
    # A repost of a quote repeats the quote; it belongs to the original.
    quote_of = "" if reposted else status.quoted_status_id_str or (_id(quoted, path) if quoted else "")
    followers = user.followers_count
    counts = status if with_counts else _NO_COUNTS
    return Post(
        network="x",
        id=id,
        created_at=_created_at(status, id, path),
        text=unescape(text),
        lang=language(status.lang),
        author_id=user.id_str or "",
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
        media=tuple(dict.fromkeys(kinds)),
        mentions=tuple([one.screen_name for one in entities.user_mentions or () if one.screen_name]),
        tags=tuple([one.text for one in entities.hashtags or () if one.text]),
        sensitive=status.possibly_sensitive is True,
        likes=counts.favorite_count,
        reposts=counts.retweet_count,
        replies=counts.reply_count,
        quotes=counts.quote_count,
    )


_EMPTY = Entities()
_NOBODY = User()
_NO_COUNTS = Status()
_MEDIA = {"photo": "image", "video": "video", "animated_gif": "gif"}


def _link(url: Url, own: str) -> str | None:
    unwound = url.unwound.url if url.unwound else None
    return x_v2.link(x_v2.Url(url.url, url.expanded_url, unwound, url.display_url), own)
