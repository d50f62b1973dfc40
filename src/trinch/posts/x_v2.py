"""Posts of the X API v2: stream lines, pages of search results, and the flattened form of archives.

Owns the v2 Post object and what its `includes` add: authors, and the posts it refers to. Does not know
compliance events (`x_compliance.py`) nor v1.1 (`x_v1.py`).

Field names: docs.x.com, "Post object"; checked against recorded answers.
"""

from operator import attrgetter

import msgspec

from trinch.posts import schema, times
from trinch.posts.schema import Created, Edited, Event, Hidden, Malformed, Post
from trinch.posts.wire import Integer, language, unescape


class UserCounts(msgspec.Struct, gc=False):
    followers_count: Integer | None = None


class Withheld(msgspec.Struct):
    copyright: bool = False
    country_codes: list[str] | None = None


class User(msgspec.Struct):
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


class Mention(msgspec.Struct, gc=False):
    username: str | None = None
    id: str | None = None


class Hashtag(msgspec.Struct, gc=False):
    tag: str | None = None


class Entities(msgspec.Struct):
    urls: list[Url] | None = None
    mentions: list[Mention] | None = None
    hashtags: list[Hashtag] | None = None


class Note(msgspec.Struct):
    """The whole text of a post longer than 280 characters; `text` is then its beginning."""

    text: str | None = None
    entities: Entities | None = None


class Attachments(msgspec.Struct):
    media_keys: list[str] | None = None


class Counts(msgspec.Struct, gc=False):
    like_count: Integer | None = None
    retweet_count: Integer | None = None
    reply_count: Integer | None = None
    quote_count: Integer | None = None


class Reference(msgspec.Struct, gc=False):
    type: str
    id: str


class Tweet(msgspec.Struct):
    id: str | None = None
    text: str | None = None
    created_at: str | None = None
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


class Includes(msgspec.Struct):
    users: list[User] | None = None
    tweets: list[Tweet] | None = None


class Page(msgspec.Struct):
    """A stream line (`data` is one post) or a page of answers (`data` is a list)."""

    data: Tweet | list[Tweet] | None = None
    includes: Includes | None = None


Users = dict[str | None, User]


def events(tweets: list[Tweet], includes: Includes | None, where: str = "data") -> list[Event]:
    """What a page tells, oldest first: its posts, and before them those they refer to.

    `where` names the posts' field in complaints. Objects of other endpoints (users, lists, counts) are
    skipped. A referred post gets no counts itself: they are of the moment the page was made, so they come
    as a `CountsChanged` at the time of the newest post of the page."""
    users: Users = {}
    if includes and includes.users:
        users = {user.id: user for user in includes.users}
    found: list[Event] = []
    for tweet in tweets:
        if _is_post(tweet, where):
            found += _events(tweet, users, where)
    if includes and includes.tweets:
        here = {tweet.id for tweet in tweets}
        at = max([one.at for one in found], default=None)
        for tweet in includes.tweets:
            if tweet.id not in here and _is_post(tweet, "includes.tweets"):
                found += _referred(tweet, users, at)
    if len(found) > 1:
        found.sort(key=attrgetter("at"))
    return found


def _is_post(tweet: Tweet, where: str) -> bool:
    if tweet.text is not None:
        return True
    if tweet.author_id or tweet.conversation_id or tweet.referenced_tweets or tweet.edit_history_tweet_ids:
        raise Malformed(f"{where}.text: missing from a post")
    return False


def _events(tweet: Tweet, users: Users, where: str) -> list[Event]:
    post = _post(tweet, users, where)
    at = post.created_at
    history = tweet.edit_history_tweet_ids
    events: list[Event]
    if history and len(history) > 1 and post.id in history:
        place = history.index(post.id)
        older, newer = tuple(history[:place]), tuple(history[place + 1 :])
        events = [Edited(at=at, network="x", post=post, replaces=older, replaced_by=newer)]
    else:
        events = [Created(at=at, network="x", post=post)]
    if post.repost_of and (counts := tweet.public_metrics) and counts.retweet_count:
        # A repost shows the original's number of reposts, and zeros for the rest.
        events.append(
            schema.CountsChanged(at=at, network="x", id=post.repost_of, reposts=counts.retweet_count)
        )
    held = tweet.withheld
    if held and (held.copyright or held.country_codes):
        events.append(Hidden(at=at, network="x", id=post.id, reason="withheld"))
    user = users.get(tweet.author_id)
    if user and user.withheld and user.withheld.country_codes and user.id:
        events.append(schema.AccountHidden(at=at, network="x", author_id=user.id, reason="withheld"))
    return events


def _referred(tweet: Tweet, users: Users, at: int | None) -> list[Event]:
    counts, tweet.public_metrics = tweet.public_metrics, None
    events = _events(tweet, users, "includes.tweets")
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
"""What the number before the `_` of a media key says (as the `includes.media` of recorded answers do)."""


def _post(tweet: Tweet, users: Users, where: str) -> Post:
    id = tweet.id
    if id is None or not (id.isascii() and id.isdigit()):
        raise Malformed(f"{where}.id: expected a number as text, got {id!r}")
    claimed = None
    if tweet.created_at is not None:
        try:
            claimed = times.rfc3339(tweet.created_at)
        except ValueError as error:
            raise Malformed(f"{where}.created_at: {error}") from None
    created_at = times.snowflake(id, claimed)
    if created_at is None:
        created_at = times.now()

    refers = {}
    if tweet.referenced_tweets:
        refers = {reference.type: reference.id for reference in tweet.referenced_tweets}
    text, entities = tweet.text, tweet.entities
    if tweet.note_tweet and tweet.note_tweet.text:
        text, entities = tweet.note_tweet.text, tweet.note_tweet.entities or entities
    urls: list[str] = []
    mentions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    if entities:
        if entities.urls:
            urls = [url for one in entities.urls if (url := link(one, id))]
        if entities.mentions:
            mentions = tuple([one.username for one in entities.mentions if one.username])
        if entities.hashtags:
            tags = tuple([one.tag for one in entities.hashtags if one.tag])
    media: tuple[str, ...] = ()
    if tweet.attachments and tweet.attachments.media_keys:
        kinds = [MEDIA.get(key.partition("_")[0], "image") for key in tweet.attachments.media_keys]
        media = tuple(dict.fromkeys(kinds))

    user = users.get(tweet.author_id) or _NOBODY
    author = user.username or ""
    repost_of = refers.get("retweeted", "")
    counts = _NONE if repost_of else tweet.public_metrics or _NONE
    return Post(
        network="x",
        id=id,
        created_at=created_at,
        text=unescape(text or ""),
        lang=language(tweet.lang),
        author_id=tweet.author_id or "",
        author=author,
        author_name=user.name or "",
        author_followers=user.public_metrics.followers_count if user.public_metrics else None,
        author_verified=user.verified,
        url=f"https://x.com/{author or 'i'}/status/{id}",
        reply_to=refers.get("replied_to", ""),
        reply_to_author=_handle(tweet.in_reply_to_user_id, users, entities),
        repost_of=repost_of,
        quote_of=refers.get("quoted", ""),
        conversation_id=tweet.conversation_id or "",
        urls=tuple(dict.fromkeys(urls)) if len(urls) > 1 else tuple(urls),
        media=media,
        mentions=mentions,
        tags=tags,
        sensitive=tweet.possibly_sensitive is True,
        likes=counts.like_count,
        reposts=counts.retweet_count,
        replies=counts.reply_count,
        quotes=counts.quote_count,
    )


_NOBODY = User()
_NONE = Counts()


def _handle(id: str | None, users: Users, entities: Entities | None) -> str:
    """The handle of the author answered, from the users included or from the mentions; else the id."""
    if id is None:
        return ""
    user = users.get(id)
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

    author: User | None = None


class Flat(msgspec.Struct):
    """What a flattened post holds beyond a `Tweet`: its author, and posts instead of references."""

    author: User | None = None
    referenced_tweets: list[FlatReference] | None = None


def flat_events(tweet: Tweet, flat: Flat) -> list[Event]:
    inside = [one for one in flat.referenced_tweets or () if one.text is not None]
    authors = [flat.author, *[one.author for one in inside]]
    users = [author for author in authors if author]
    return events([tweet], Includes(users=users, tweets=list(inside)), "post")
