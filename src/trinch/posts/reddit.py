"""Posts of Reddit: submissions and comments as in the dumps of Pushshift and in the API's listings.

Source: the fields of the dumps' lines and of the API's `t3` (submission) and `t1` (comment) objects.
"""

import msgspec

from trinch.posts import times
from trinch.posts.notes import Notes
from trinch.posts.schema import Attached, Created, Deleted, Event, Malformed, Post
from trinch.posts.wire import Integer, Time, decode, fields, moment, unescape


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
    poll_data: "Poll | None" = None
    replies: msgspec.Raw = msgspec.Raw(b"")


class Option(msgspec.Struct, gc=False):
    text: str = ""


class Poll(msgspec.Struct):
    options: list[Option] = []


class Listed(msgspec.Struct):
    """An object of the API, with its kind: `t1`, `t3`, `Listing`, or `more` (ids of further comments)."""

    kind: str
    data: msgspec.Raw


class Listing(msgspec.Struct):
    """The data of a page of the API: its objects are read one by one, so that a bad one does not cost the others."""

    children: list[msgspec.Raw] = []


_LISTING = msgspec.json.Decoder(Listing)
_THING = msgspec.json.Decoder(Thing)
_LISTED = msgspec.json.Decoder(Listed)
_GONE = {"[deleted]", "[removed]"}


def parse(
    line: bytes, notes: Notes | None = None, found: dict[str, msgspec.Raw] | None = None
) -> list[Event]:
    """The posts of one line: a thing of a dump, an object or a page of the API, comments with their replies.

    A deleted or removed one is a `Deleted`. Raises `Malformed` and nothing else."""
    if not line or line.isspace():
        return []
    keys = (fields(line, notes) if found is None else found).keys()
    if not keys >= {"kind", "data"}:
        return _events(decode(_THING, line, notes), notes)
    events: list[Event] = []
    left = [line]
    while left:
        raw = left.pop()
        try:
            listed = decode(_LISTED, raw, notes)
            if listed.kind == "Listing":
                page = decode(_LISTING, bytes(listed.data), notes)
                left += [bytes(child) for child in reversed(page.children)]
            elif listed.kind in ("t1", "t3"):
                thing = decode(_THING, bytes(listed.data), notes)
                events += _events(thing, notes)
                if bytes(thing.replies)[:1] == b"{":
                    left.append(bytes(thing.replies))
            elif listed.kind != "more":
                raise Malformed(f"kind: neither a submission nor a comment: {listed.kind[:40]!r}")
        except Malformed as error:
            if notes is None or raw == line:
                raise
            notes.reject(str(error), raw)
    return events


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
        attached=tuple(
            [Attached("poll", one.text) for one in (thing.poll_data or Poll()).options if one.text]
        ),
        sensitive=thing.over_18 is True,
        likes=thing.score if thing.score is None or thing.score >= 0 else 0,
        replies=thing.num_comments,
    )
    return [Created(at=at, network="reddit", post=post)]
