"""Posts as Bluesky's own API gives them: views of posts in feeds, threads and searches, and listed records.

Lexicons `app.bsky.feed.defs` (postView, feedViewPost, threadViewPost) and `com.atproto.repo.listRecords`.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from trinch.posts import jetstream, times
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Event, Malformed
from trinch.posts.wire import Integer, Time, decode, moment


class Author(msgspec.Struct):
    did: str = ""
    handle: str = ""
    displayName: str | None = None  # noqa: N815  (the lexicon's spelling)


class View(msgspec.Struct):
    """A post with its author and counts (`record`), or a record alone (`value`)."""

    uri: str
    record: msgspec.Raw = msgspec.Raw(b"")
    value: msgspec.Raw = msgspec.Raw(b"")
    author: Author | None = None
    indexedAt: Time = None  # noqa: N815
    likeCount: Integer | None = None  # noqa: N815
    repostCount: Integer | None = None  # noqa: N815
    replyCount: Integer | None = None  # noqa: N815
    quoteCount: Integer | None = None  # noqa: N815


_VIEW = msgspec.json.Decoder(View)
_ANY: "msgspec.json.Decoder[Any]" = msgspec.json.Decoder()
_LISTS = {"feed", "posts", "records", "thread", "post"}
_NESTED = ("feed", "posts", "records", "thread", "post", "parent", "replies", "reply", "root")
"""Fields under which the API holds further views, in the order in which they are read."""


def is_view(found: dict[str, msgspec.Raw]) -> bool:
    """Whether an object with these top-level fields is a view, a record, or an answer that holds some."""
    if bytes(found.get("uri", msgspec.Raw(b""))).startswith(b'"at://'):
        return bool({"record", "value"} & found.keys())
    return any(b'"at://' in bytes(found[name]) for name in _LISTS & found.keys())


def parse(line: bytes, notes: Notes | None = None, _: object = None) -> list[Event]:
    """The posts of one object or answer, each once. Raises `Malformed` and nothing else."""
    if not line or line.isspace():
        return []
    events: list[Event] = []
    views = list(_views(decode(_ANY, line, notes)))
    for number, raw in enumerate(views):
        try:
            events += _events(decode(_VIEW, raw, notes), notes)
        except Malformed as error:
            if notes is None or len(views) == 1:
                raise
            notes.reject(f"post {number + 1}: {error}", raw)
    if not views:
        raise Malformed("no view or record of a post")
    return events


def _views(value: Any) -> Iterator[bytes]:
    """Every view and record, outermost first; of one that occurs several times, the first."""
    left, seen = [value], set[str]()
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += reversed(one)
        elif isinstance(one, dict):
            uri = one.get("uri")
            if isinstance(uri, str) and ("record" in one or "value" in one) and uri not in seen:
                seen.add(uri)
                yield msgspec.json.encode(one)
            left += [one[name] for name in reversed(_NESTED) if isinstance(one.get(name), dict | list)]


def _events(view: View, notes: Notes | None) -> list[Event]:
    did, _, rkey = view.uri.removeprefix("at://").partition(f"/{jetstream.POST}/")
    record = bytes(view.record or view.value)
    if not rkey:
        if f"/{jetstream.POST.rpartition('.')[0]}." in view.uri:
            return []  # a like, a repost, a feed
        raise Malformed(f"uri: not that of a post: {view.uri[:80]!r}")
    indexed = moment(view.indexedAt, "indexedAt", notes)
    post = jetstream.record_post(did, rkey, indexed, record, notes)
    author = view.author or Author()
    post = msgspec.structs.replace(
        post,
        author="" if author.handle == "handle.invalid" else author.handle,
        author_name=author.displayName or "",
        likes=view.likeCount,
        reposts=view.repostCount,
        replies=view.replyCount,
        quotes=view.quoteCount,
    )
    at = next((one for one in (indexed, post.created_at) if one is not None), times.now())
    return [Created(at=at, network="bluesky", post=post)]
