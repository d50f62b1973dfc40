"""Posts of the X API v2: stream lines, pages of search results, and the flattened form of archives.

The v2 Post object and what its `includes` add: authors, media, polls, and the posts it refers to. Field names: docs.x.com, "Post object"; checked against recorded answers.

Decoded JSON has no cycles of references, so the garbage collector need not look at it (`gc=False`).
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Annotated, Any

import msgspec

from trinch.posts import schema, times
from trinch.posts.forgive import ESSENTIAL
from trinch.posts.notes import Notes
from trinch.posts.places import NOWHERE, PlaceFields, middle, place_fields, point
from trinch.posts.schema import Attached, Created, Edited, Event, Hidden, Malformed, Post
from trinch.posts.wire import Integer, Text, Time, language, moment, unescape


class UserCounts(msgspec.Struct, gc=False):
    followers_count: Integer | None = None


class Withheld(msgspec.Struct, gc=False):
    copyright: bool = False
    country_codes: list[str] | None = None


class User(msgspec.Struct, gc=False):
    id: str | None = None
    username: str | None = None
    name: str | None = None
    verified: bool | None = None
    public_metrics: UserCounts | None = None
    withheld: Withheld | None = None


class Url(msgspec.Struct, gc=False):
    url: str | None = None
    expanded_url: str | None = None
    unwound_url: str | None = None
    display_url: str | None = None
    media_key: str | None = None
    title: str | None = None
    description: str | None = None


class Mention(msgspec.Struct, gc=False):
    username: str | None = None
    id: str | None = None


class Hashtag(msgspec.Struct, gc=False):
    tag: str | None = None


class Entities(msgspec.Struct, gc=False):
    urls: list[Url] | None = None
    mentions: list[Mention] | None = None
    hashtags: list[Hashtag] | None = None


class Note(msgspec.Struct, gc=False):
    """The whole text of a post longer than 280 characters; `text` is then its beginning."""

    text: str | None = None
    entities: Entities | None = None


class Attachments(msgspec.Struct, gc=False):
    media_keys: list[str] | None = None
    poll_ids: list[str] | None = None


class Media(msgspec.Struct, gc=False):
    media_key: str | None = None
    alt_text: str | None = None


class Option(msgspec.Struct, gc=False):
    label: str | None = None


class Poll(msgspec.Struct, gc=False):
    id: str | None = None
    options: list[Option] | None = None


class Counts(msgspec.Struct, gc=False):
    like_count: Integer | None = None
    retweet_count: Integer | None = None
    reply_count: Integer | None = None
    quote_count: Integer | None = None


class Point(msgspec.Struct):
    coordinates: Any = None


class Geo(msgspec.Struct):
    """Where a post was written: a point, or the id of a place of `includes`."""

    coordinates: Point | None = None
    place_id: str | None = None


class Box(msgspec.Struct):
    bbox: Any = None


class Place(msgspec.Struct):
    id: str | None = None
    full_name: str | None = None
    country_code: str | None = None
    geo: Box | None = None


class Reference(msgspec.Struct, gc=False):
    type: str
    id: str


class Tweet(msgspec.Struct, gc=False):
    id: str | None = None
    text: Text | None = None
    created_at: Time = None
    author_id: str | None = None
    conversation_id: str | None = None
    in_reply_to_user_id: str | None = None
    lang: str | None = None
    possibly_sensitive: bool | None = None
    referenced_tweets: list[Reference] | None = None
    entities: Entities | None = None
    note_tweet: Note | None = None
    attachments: Attachments | None = None
    public_metrics: Counts | None = None
    edit_history_tweet_ids: list[str] | None = None
    withheld: Withheld | None = None
    geo: Geo | None = None


class Includes(msgspec.Struct, gc=False):
    users: list[User] | None = None
    tweets: list[Tweet] | None = None
    media: list[Media] | None = None
    polls: list[Poll] | None = None
    places: list[Place] | None = None


class Page(msgspec.Struct, gc=False):
    """A stream line (`data` is one post) or a page of answers (`data` is a list)."""

    data: Annotated[Tweet | list[Tweet] | None, ESSENTIAL] = None
    includes: Includes | None = None


class Lookup:
    """The objects of a page's `includes`, by their keys."""

    def __init__(self, includes: Includes | None) -> None:
        users = includes.users if includes else None
        self.users: dict[str | None, User] = {user.id: user for user in users} if users else {}
        self.described: dict[str | None, tuple[Attached, ...]] = {}
        places = includes.places if includes else None
        self.places: dict[str | None, Place] = {place.id: place for place in places} if places else {}
        if includes and includes.media:
            for media in includes.media:
                self.described[media.media_key] = attached("image", [media.alt_text])
        if includes and includes.polls:
            for poll in includes.polls:
                self.described[poll.id] = attached("poll", [one.label for one in poll.options or ()])


def attached(kind: str, texts: Sequence[str | None]) -> tuple[Attached, ...]:
    """The texts that are not empty."""
    return tuple([Attached(kind, unescape(text)) for text in texts if text and not text.isspace()])


def events(
    tweets: list[Tweet], includes: Includes | None, where: str = "data", notes: Notes | None = None
) -> list[Event]:
    """The events of a page, oldest first: its posts, and before them those they refer to.

    `where` names the posts' field in errors. A post that cannot be read is rejected in `notes` and the others are
    read; without notes, or where it is the only one, Malformed is raised. A referred post gets no counts itself:
    they are of the moment the page was made, so they come as a `CountsChanged` at the time of the newest post of
    the page."""
    lookup = Lookup(includes)
    found: list[Event] = []
    for number, tweet in enumerate(tweets):
        try:
            found += _events(tweet, lookup, where, notes)
        except Malformed as error:
            if notes is None or len(tweets) == 1:
                raise
            notes.reject(str(error).replace(where, f"{where}[{number}]", 1), msgspec.json.encode(tweet))
    if includes and includes.tweets:
        here = {tweet.id for tweet in tweets}
        at = max([one.at for one in found], default=None)
        for tweet in includes.tweets:
            if tweet.id in here:
                continue
            try:
                found += _referred(tweet, lookup, at, notes)
            except Malformed:
                if notes is None:
                    raise
                notes.forgive("includes.tweets")
    if len(found) > 1:
        found.sort(key=attrgetter("at"))
    return found


def _events(tweet: Tweet, lookup: Lookup, where: str, notes: Notes | None) -> list[Event]:
    post = _post(tweet, lookup, where, notes)
    at = times.now() if post.created_at is None else post.created_at
    events: list[Event] = [version(post, at, tweet.edit_history_tweet_ids)]
    if post.repost_of and (counts := tweet.public_metrics) and counts.retweet_count:
        # A repost shows the original's number of reposts, and zeros for the rest.
        events.append(
            schema.CountsChanged(at=at, network="x", id=post.repost_of, reposts=counts.retweet_count)
        )
    held = tweet.withheld
    if held and (held.copyright or held.country_codes):
        events.append(Hidden(at=at, network="x", id=post.id, reason="withheld"))
    user = lookup.users.get(tweet.author_id)
    if user and user.withheld and user.withheld.country_codes and user.id:
        events.append(schema.AccountHidden(at=at, network="x", author_id=user.id, reason="withheld"))
    return events


def version(post: Post, at: int, history: Sequence[str] | None) -> Event:
    """The event of a version of a post; `history` lists the ids of all versions, oldest first."""
    if history and len(history) > 1 and post.id in history:
        place = history.index(post.id)
        older, newer = tuple(history[:place]), tuple(history[place + 1 :])
        return Edited(at=at, network="x", post=post, replaces=older, replaced_by=newer)
    return Created(at=at, network="x", post=post)


def _referred(tweet: Tweet, lookup: Lookup, at: int | None, notes: Notes | None) -> list[Event]:
    counts, tweet.public_metrics = tweet.public_metrics, None
    events = _events(tweet, lookup, "includes.tweets", notes)
    if counts:
        changed = schema.CountsChanged(
            at=max(at or 0, events[0].at),
            network="x",
            id=tweet.id or "",
            likes=counts.like_count,
            reposts=counts.retweet_count,
            replies=counts.reply_count,
            quotes=counts.quote_count,
        )
        events.append(changed)
    return events


MEDIA = {"3": "image", "7": "video", "13": "video", "16": "gif"}
"""Meaning of the number before the `_` of a media key, after the `includes.media` of recorded answers."""


def _post(tweet: Tweet, lookup: Lookup, where: str, notes: Notes | None) -> Post:
    id = tweet.id
    if id is None or not (id.isascii() and id.isdigit()):
        raise Malformed(f"{where}.id: expected a number as text, got {id!r}"[:200])
    if tweet.text is None:
        raise Malformed(f"{where}.text: missing from a post")
    created_at = moment(tweet.created_at, f"{where}.created_at", notes, id)
    refers = {}
    if tweet.referenced_tweets:
        refers = {reference.type: reference.id for reference in tweet.referenced_tweets}
    text, entities = tweet.text, tweet.entities
    if tweet.note_tweet and tweet.note_tweet.text:
        text, entities = tweet.note_tweet.text, tweet.note_tweet.entities or entities
    urls, mentions, tags, described = _entities(entities, id) if entities else _NO_ENTITIES
    media: tuple[str, ...] = ()
    if tweet.attachments:
        media, more = _attachments(tweet.attachments, lookup)
        described += more

    user = lookup.users.get(tweet.author_id) or _NOBODY
    author = user.username or ""
    repost_of = refers.get("retweeted", "")
    counts = _NONE if repost_of else tweet.public_metrics or _NONE
    return Post(
        network="x",
        id=id,
        created_at=created_at,
        text=unescape(text),
        lang=language(tweet.lang),
        author_id=tweet.author_id or "",
        author=author,
        author_name=user.name or "",
        author_followers=user.public_metrics.followers_count if user.public_metrics else None,
        author_verified=user.verified,
        url=f"https://x.com/{author or 'i'}/status/{id}",
        reply_to=refers.get("replied_to", ""),
        reply_to_author=_handle(tweet.in_reply_to_user_id, lookup, entities),
        repost_of=repost_of,
        quote_of=refers.get("quoted", ""),
        conversation_id=tweet.conversation_id or "",
        urls=urls,
        media=media,
        mentions=mentions,
        tags=tags,
        attached=described,
        **(_place(tweet.geo, lookup) if tweet.geo else NOWHERE),
        sensitive=tweet.possibly_sensitive is True,
        likes=counts.like_count,
        reposts=counts.retweet_count,
        replies=counts.reply_count,
        quotes=counts.quote_count,
    )


def _place(geo: Geo, lookup: Lookup) -> PlaceFields:
    """The place named, at the point of the post or else in its own middle."""
    place = lookup.places.get(geo.place_id) or Place()
    north, east = point(geo.coordinates.coordinates) if geo.coordinates else (None, None)
    if north is None and place.geo:
        north, east = middle(place.geo.bbox)
    return place_fields(place.full_name, place.country_code, north, east)


Names = tuple[str, ...]
_NO_ENTITIES: tuple[Names, Names, Names, tuple[Attached, ...]] = ((), (), (), ())


def _entities(entities: Entities, id: str) -> tuple[Names, Names, Names, tuple[Attached, ...]]:
    """Links, mentions, hashtags, and what the cards of the links say."""
    urls: list[str] = []
    cards: tuple[Attached, ...] = ()
    mentions: Names = ()
    tags: Names = ()
    if entities.urls:
        urls = [url for one in entities.urls if (url := link(one, id))]
        if any(one.title or one.description for one in entities.urls):
            cards = attached("card", [text for one in entities.urls for text in (one.title, one.description)])
    if entities.mentions:
        mentions = tuple([one.username for one in entities.mentions if one.username])
    if entities.hashtags:
        tags = tuple([one.tag for one in entities.hashtags if one.tag])
    return tuple(dict.fromkeys(urls)) if len(urls) > 1 else tuple(urls), mentions, tags, cards


def _attachments(attachments: Attachments, lookup: Lookup) -> tuple[Names, tuple[Attached, ...]]:
    """Kinds of media, and the texts of images and polls."""
    keys = attachments.media_keys or ()
    kinds: Names = ()
    if keys:
        kinds = tuple(dict.fromkeys([MEDIA.get(key.partition("_")[0], "image") for key in keys]))
    if not lookup.described:
        return kinds, ()
    texts = [one for key in (*keys, *(attachments.poll_ids or ())) for one in lookup.described.get(key, ())]
    return kinds, tuple(texts)


_NOBODY = User()
_NONE = Counts()


def _handle(id: str | None, lookup: Lookup, entities: Entities | None) -> str:
    """The handle of the author answered, from the users included or from the mentions; else the id."""
    if id is None:
        return ""
    user = lookup.users.get(id)
    if user and user.username:
        return user.username
    for mention in (entities and entities.mentions) or ():
        if mention.id == id and mention.username:
            return mention.username
    return id


def link(url: Url, own: str) -> str | None:
    """Where a t.co link leads in the end; None for those X adds to show the post's own media or its rest."""
    long = url.unwound_url or url.expanded_url or url.url
    if long is None or url.media_key or (url.display_url or "").startswith(("pic.twitter.com", "pic.x.com")):
        return None
    return None if long.endswith("/i/web/status/" + own) else long


class FlatReference(Tweet):
    """A reference of a flattened post; it holds the whole post where that was included."""

    type: str = ""
    author: User | None = None


class Flat(Tweet):
    """A flattened post: with its author, and with posts in its references."""

    author: User | None = None
    referenced_tweets: list[FlatReference] | None = None  # type: ignore[assignment]  # a Reference, and more


def flat_events(flat: Flat, notes: Notes | None = None) -> list[Event]:
    """The events of a flattened post."""
    inside = [one for one in flat.referenced_tweets or () if one.text is not None]
    users = [author for author in (flat.author, *[one.author for one in inside]) if author]
    return events([flat], Includes(users=users, tweets=list(inside)), "post", notes)
