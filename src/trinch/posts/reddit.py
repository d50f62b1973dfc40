"""Posts of Reddit: submissions and comments as in the dumps of Pushshift and in the API's listings.

Source: the fields of the dumps' lines and of the API's `t3` (submission) and `t1` (comment) objects.
"""

import msgspec

from trinch.posts import times
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Deleted, Event, Malformed, Post
from trinch.posts.wire import Integer, Time, decode, moment, unescape


class Thing(msgspec.Struct):
    """A submission or a comment."""

    id: str
    title: str | None = None
    selftext: str | None = None
    body: str | None = None
    author: str | None = None
    author_fullname: str | None = None
    created_utc: Time = None
    link_id: str | None = None
    parent_id: str | None = None
    permalink: str | None = None
    url: str | None = None
    over_18: bool | None = None
    score: Integer | None = None
    num_comments: Integer | None = None


class Listed(msgspec.Struct):
    """An object of the API's listings."""

    data: Thing


_THING = msgspec.json.Decoder(Thing)
_LISTED = msgspec.json.Decoder(Listed)
_GONE = {"[deleted]", "[removed]"}


def parse(
    line: bytes, notes: Notes | None = None, found: dict[str, msgspec.Raw] | None = None
) -> list[Event]:
    """The post of one line; a deleted or removed one is a `Deleted`. Raises `Malformed` and nothing else."""
    if not line or line.isspace():
        return []
    if found is not None and found.keys() >= {"kind", "data"}:
        return _events(decode(_LISTED, line, notes).data, notes)
    return _events(decode(_THING, line, notes), notes)


def _events(thing: Thing, notes: Notes | None) -> list[Event]:
    text = thing.body if thing.body is not None else thing.selftext
    if text is None and thing.title is None:
        raise Malformed("body: missing from a comment, and title from a submission")
    created_at = moment(thing.created_utc, "created_utc", notes)
    at = times.now() if created_at is None else created_at
    own = "t1_" if thing.body is not None else "t3_"
    id = own + thing.id.removeprefix(own)
    if text in _GONE:
        return [Deleted(at=at, network="reddit", id=id)]
    parts = [unescape(part) for part in (thing.title, text) if part]
    link = thing.url or ""
    post = Post(
        network="reddit",
        id=id,
        created_at=created_at,
        text="\n".join(parts),
        author_id=thing.author_fullname or "",
        author="" if thing.author in _GONE else thing.author or "",
        url=f"https://www.reddit.com{thing.permalink}" if thing.permalink else "",
        reply_to=thing.parent_id or "",
        conversation_id=thing.link_id or ("" if thing.body is not None else id),
        urls=(link,) if link.startswith("http") and "/comments/" not in link else (),
        sensitive=thing.over_18 is True,
        likes=thing.score if thing.score is None or thing.score >= 0 else 0,
        replies=thing.num_comments,
    )
    return [Created(at=at, network="reddit", post=post)]
