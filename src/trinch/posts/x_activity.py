"""Posts of X in Activity Streams form, as the enterprise archives once delivered them.

An activity becomes a v1.1 status, which `x_v1.py` reads.
"""

import msgspec

from trinch.posts.wire import Integer, Text, Time
from trinch.posts.x_v1 import Entities, Extended, Status, User


class Actor(msgspec.Struct, gc=False):
    id: str = ""
    preferredUsername: str | None = None  # noqa: N815  (the format's spelling, here and below)
    displayName: str | None = None  # noqa: N815
    followersCount: Integer | None = None  # noqa: N815
    verified: bool | None = None


class Answered(msgspec.Struct, gc=False):
    link: str = ""


class Long(msgspec.Struct):
    body: str | None = None
    twitter_entities: Entities | None = None
    twitter_extended_entities: Entities | None = None


class Activity(msgspec.Struct):
    """A post (`verb` is `post`, its `object` a note) or a repost (`share`, its `object` the original)."""

    id: str = ""
    verb: str = ""
    postedTime: Time = None  # noqa: N815
    body: Text | None = None
    actor: Actor | None = None
    object: "Activity | None" = None
    long_object: Long | None = None
    inReplyTo: Answered | None = None  # noqa: N815
    twitter_quoted_status: "Activity | None" = None
    twitter_entities: Entities | None = None
    twitter_extended_entities: Entities | None = None
    twitter_lang: str | None = None
    retweetCount: Integer | None = None  # noqa: N815
    favoritesCount: Integer | None = None  # noqa: N815


def status(activity: Activity, depth: int = 3) -> Status:
    """The same post as a v1.1 status; originals nested deeper than `depth` are left out."""
    actor, long = activity.actor or Actor(), activity.long_object
    original = activity.object if activity.verb == "share" and depth else None
    quoted = activity.twitter_quoted_status if depth else None
    link = activity.inReplyTo.link if activity.inReplyTo else ""
    answered, _, reply_to = ["", "", "", *link.split("/")][-3:]  # …/<handle>/statuses/<id>
    return Status(
        id_str=_tail(activity.id),
        created_at=activity.postedTime,
        text=activity.body,
        extended_tweet=Extended(long.body, long.twitter_entities, long.twitter_extended_entities)
        if long
        else None,
        user=User(
            id_str=_tail(actor.id),
            screen_name=actor.preferredUsername,
            name=actor.displayName,
            followers_count=actor.followersCount,
            verified=actor.verified,
        ),
        lang=activity.twitter_lang,
        in_reply_to_status_id_str=reply_to or None,
        in_reply_to_screen_name=answered or None,
        retweeted_status=status(original, depth - 1) if original else None,
        quoted_status=status(quoted, depth - 1) if quoted else None,
        entities=activity.twitter_entities,
        extended_entities=activity.twitter_extended_entities,
        favorite_count=activity.favoritesCount,
        retweet_count=activity.retweetCount,
    )


def _tail(id: str) -> str:
    """`tag:search.twitter.com,2005:758` and `id:twitter.com:164` end in the number."""
    return id.rpartition(":")[2]
