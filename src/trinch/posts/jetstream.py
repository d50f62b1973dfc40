"""Bluesky's Jetstream, v1 (`/subscribe`) and v2 (`subscribeEvents`): one frame, as JSON, at a time.

Reads both envelopes, and the records of posts, likes and reposts; records of other kinds yield no event.

`at` is the time the relay witnessed. `createdAt` is the author's claim; where it cannot be read, the time witnessed
is used instead: an author's broken clock must not cost the post. Source: the lexicons
`app.bsky.feed.*` and `network.bsky.jetstream.subscribeEvents`.
"""

from typing import Annotated

import msgspec

from trinch.posts import times
from trinch.posts.notes import Notes
from trinch.posts.schema import (
    AccountGone,
    AccountHidden,
    AccountRenamed,
    AccountRestored,
    Attached,
    Created,
    Deleted,
    Edited,
    Event,
    Malformed,
    Post,
    Reacted,
    Unreacted,
)
from trinch.posts.wire import UNREADABLE, Text, Time, decode, language, moment

POST, LIKE, REPOST = "app.bsky.feed.post", "app.bsky.feed.like", "app.bsky.feed.repost"
_V2 = "network.bsky.jetstream.subscribeEvents#"

Micros = Annotated[int, msgspec.Meta(ge=0, le=times.LATEST)]


class Commit(msgspec.Struct, gc=False):
    operation: str
    collection: str
    rkey: str
    record: msgspec.Raw = msgspec.Raw(b"")


class Identity(msgspec.Struct, gc=False):
    handle: str | None = None


class Account(msgspec.Struct, gc=False):
    active: bool
    status: str | None = None


class FrameV1(msgspec.Struct, gc=False):
    did: str
    time_us: Micros
    kind: str
    commit: Commit | None = None
    identity: Identity | None = None
    account: Account | None = None


class PayloadV2(msgspec.Struct, gc=False):
    """A commit's fields stand in the payload itself; identity and account wrap the upstream event."""

    type: str = msgspec.field(name="$type", default="")
    did: str = ""
    time: str = ""
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: msgspec.Raw = msgspec.Raw(b"")
    identity: Identity | None = None
    account: Account | None = None


class Frame(msgspec.Struct, gc=False):
    """A frame of v2, or an error."""

    type: str = msgspec.field(name="$type", default="")
    payload: PayloadV2 | None = None
    did: str | None = None


class Link(msgspec.Struct, gc=False):
    uri: str = ""


class External(msgspec.Struct, gc=False):
    uri: str = ""
    title: str = ""
    description: str = ""


class Image(msgspec.Struct, gc=False):
    alt: str = ""


class Reply(msgspec.Struct, gc=False):
    parent: Link
    root: Link | None = None


class Feature(msgspec.Struct, gc=False):
    type: str = msgspec.field(name="$type", default="")
    uri: str = ""
    did: str = ""
    tag: str = ""


class Facet(msgspec.Struct, gc=False):
    features: list[Feature] = []


class Embedded(msgspec.Struct, gc=False):
    """`embed.record`: of a plain quote it has the `uri`, of a quote with media one more `record` inside."""

    uri: str = ""
    record: Link | None = None


class Embed(msgspec.Struct, gc=False):
    type: str = msgspec.field(name="$type", default="")
    external: External | None = None
    images: list[Image] | None = None
    items: list[Image] | None = None
    alt: str | None = None
    record: Embedded | None = None
    media: "Embed | None" = None


class Label(msgspec.Struct, gc=False):
    val: str = ""


class Labels(msgspec.Struct, gc=False):
    values: list[Label] = []


class Record(msgspec.Struct, gc=False):
    text: Text
    createdAt: Time = None  # noqa: N815  (the lexicon's spelling)
    langs: list[str] | None = None
    reply: Reply | None = None
    embed: Embed | None = None
    facets: list[Facet] | None = None
    labels: Labels | None = None
    tags: list[str] | None = None


class Reaction(msgspec.Struct, gc=False):
    subject: Link


class ReactionCommit(msgspec.Struct, gc=False):
    operation: str
    collection: str
    rkey: str
    record: Reaction | None = None


class ReactionFrame(msgspec.Struct, gc=False):
    """A frame of v1 about a like or a repost, which are most of the stream: decoded at once, its record included."""

    did: str
    time_us: Micros
    commit: ReactionCommit


_REACTION_FRAME = msgspec.json.Decoder(ReactionFrame)
_FRAME_V1 = msgspec.json.Decoder(FrameV1)
_FRAME = msgspec.json.Decoder(Frame)
_RECORD = msgspec.json.Decoder(Record)
_REACTION = msgspec.json.Decoder(Reaction)


def parse(line: bytes, notes: Notes | None = None, _: object = None) -> list[Event]:
    """Events of one frame; [] for what is no post, like or repost, and for notices.

    Raises `Malformed` and nothing else."""
    if not line or line.isspace():
        return []
    if b'"time_us"' in line:
        if (_IS_LIKE in line or _IS_REPOST in line) and (reacted := _reaction_frame(line)) is not None:
            return reacted
        frame = decode(_FRAME_V1, line, notes)
        did = _did(frame.did, "did")
        if frame.commit:
            return _commit(did, frame.time_us, frame.commit, "commit.", notes)
        if frame.identity:
            return _identity(did, frame.time_us, frame.identity)
        if frame.account:
            return _account(did, frame.time_us, frame.account)
        if frame.kind in ("commit", "identity", "account"):
            raise Malformed(f"{frame.kind}: missing from an event of that kind")
        return []
    envelope = decode(_FRAME, line, notes)
    if envelope.type == "error":
        return []
    if envelope.type != "message" or envelope.payload is None:
        raise Malformed("$type: neither a Jetstream message nor an error, and no `time_us` beside it")
    return _payload(envelope.payload, notes)


_IS_LIKE, _IS_REPOST = (f'"collection":"{name}"'.encode() for name in (LIKE, REPOST))


def _reaction_frame(line: bytes) -> list[Event] | None:
    """Events of a frame about a like or a repost; None for one that is not as usual, which needs a closer look."""
    try:
        frame = _REACTION_FRAME.decode(line)
    except UNREADABLE:
        return None
    commit = frame.commit
    if commit.collection not in (LIKE, REPOST) or not commit.rkey or not frame.did.startswith("did:"):
        return None
    uri = f"at://{frame.did}/{commit.collection}/{commit.rkey}"
    if commit.operation == "delete":
        return [Unreacted(at=frame.time_us, network="bluesky", record=uri)]
    if commit.record is None or commit.operation not in ("create", "update"):
        return None
    return _reaction(uri, frame.time_us, commit.collection, commit.record.subject.uri)


def _payload(payload: PayloadV2, notes: Notes | None) -> list[Event]:
    kind = payload.type.removeprefix(_V2).removeprefix("#")
    if kind not in ("commit", "identity", "account", "sync"):
        return []
    did = _did(payload.did, "payload.did")
    try:
        at = times.rfc3339(payload.time)
    except ValueError as error:
        raise Malformed(f"payload.time: {error}") from None
    if kind == "commit":
        commit = Commit(payload.operation, payload.collection, payload.rkey, payload.record)
        return _commit(did, at, commit, "payload.", notes)
    if kind == "identity" and payload.identity:
        return _identity(did, at, payload.identity)
    if kind == "account" and payload.account:
        return _account(did, at, payload.account)
    if kind == "sync":
        return [AccountGone(at=at, network="bluesky", author_id=did, diverged=True)]
    raise Malformed(f"payload.{kind}: missing from an event of that kind")


def _did(did: str, field: str) -> str:
    if not did.startswith("did:"):
        raise Malformed(f"{field}: expected a DID, got {did[:40]!r}")
    return did


def _commit(did: str, at: int, commit: Commit, path: str, notes: Notes | None) -> list[Event]:
    collection, operation = commit.collection, commit.operation
    if collection not in (POST, LIKE, REPOST):
        return []
    if not commit.rkey:
        raise Malformed(f"{path}rkey: missing from a commit")
    uri = f"at://{did}/{collection}/{commit.rkey}"
    if operation == "delete":
        if collection == POST:
            return [Deleted(at=at, network="bluesky", id=uri)]
        return [Unreacted(at=at, network="bluesky", record=uri)]
    if operation not in ("create", "update"):
        raise Malformed(f"{path}operation: expected create, update or delete, got {operation[:40]!r}")
    if not (record := bytes(commit.record)):
        raise Malformed(f"{path}record: missing from a {operation}")
    try:
        if collection == POST:
            post = _post(did, commit.rkey, at, decode(_RECORD, record, notes), notes)
            kind = Edited if operation == "update" else Created
            return [kind(at=at, network="bluesky", post=post)]
        return _reaction(uri, at, collection, decode(_REACTION, record, notes).subject.uri)
    except Malformed as error:
        raise Malformed(f"{path}record.{error}") from None


def _reaction(uri: str, at: int, collection: str, subject: str) -> list[Event]:
    if f"/{POST}/" not in subject:
        return []  # a like of a feed, a list, a labeller
    what = "like" if collection == LIKE else "repost"
    return [Reacted(at=at, network="bluesky", id=subject, record=uri, what=what)]


def record_post(did: str, rkey: str, at: int | None, raw: bytes, notes: Notes | None = None) -> Post:
    """The post of a record `app.bsky.feed.post`; `at` is its time where the record has none. Raises `Malformed`."""
    return _post(did, rkey, at, decode(_RECORD, raw, notes), notes)


def _post(did: str, rkey: str, at: int | None, record: Record, notes: Notes | None) -> Post:
    uri = f"at://{did}/{POST}/{rkey}"
    created_at = moment(record.createdAt, "createdAt", notes)
    languages = {language(tag) for tag in record.langs or ()}
    urls: list[str] = []
    mentions: list[str] = []
    tags = list(record.tags or ())
    for facet in record.facets or ():
        for feature in facet.features:
            if feature.uri:
                urls.append(feature.uri)
            elif feature.did:
                mentions.append(feature.did)
            elif feature.tag:
                tags.append(feature.tag)
    quote_of, media, link, attached = _embedded(record.embed) if record.embed else _NO_EMBED
    if link:
        urls.append(link)
    parent, root = "", uri
    if record.reply:
        parent, root = record.reply.parent.uri, record.reply.root.uri if record.reply.root else ""
    labels = record.labels.values if record.labels else ()
    return Post(
        network="bluesky",
        id=uri,
        created_at=at if created_at is None else created_at,
        text=record.text,
        # Several claimed languages: the detector decides.
        lang=languages.pop() if len(languages) == 1 else "und",
        author_id=did,
        url=f"https://bsky.app/profile/{did}/post/{rkey}",
        reply_to=parent,
        reply_to_author=parent[5:].partition("/")[0],
        quote_of=quote_of,
        conversation_id=root,
        urls=tuple(dict.fromkeys(urls)),
        media=(media,) if media else (),
        mentions=tuple(mentions),
        tags=tuple(tags),
        attached=attached,
        sensitive=any(label.val in _SENSITIVE for label in labels),
    )


_NO_EMBED: tuple[str, str, str, tuple[Attached, ...]] = ("", "", "", ())


def _embedded(embed: Embed) -> tuple[str, str, str, tuple[Attached, ...]]:
    """(post quoted, kind of media, link, texts of images and link) of an embed."""
    quote_of, link = "", ""
    if embed.record:
        # A quote may be of a list or a feed, which are no posts.
        quoted = embed.record.uri or (embed.record.record.uri if embed.record.record else "")
        quote_of = quoted if f"/{POST}/" in quoted else ""
    shown = embed.media or embed
    texts = [Attached("image", image.alt) for image in shown.images or shown.items or () if image.alt]
    if shown.alt:
        texts.append(Attached("image", shown.alt))
    if shown.external:
        link = shown.external.uri
        texts += [
            Attached("card", text) for text in (shown.external.title, shown.external.description) if text
        ]
    return quote_of, _MEDIA.get(shown.type.rpartition(".")[2], ""), link, tuple(texts)


_MEDIA = {"images": "image", "video": "video", "gallery": "image"}
_SENSITIVE = {"porn", "sexual", "nudity", "graphic-media", "gore", "nsfl"}
"""Labels an author can put on their own post (com.atproto.label.defs), with two older spellings."""


def _identity(did: str, at: int, identity: Identity) -> list[Event]:
    handle = identity.handle
    if not handle or handle == "handle.invalid":
        return []
    return [AccountRenamed(at=at, network="bluesky", author_id=did, author=handle)]


_HIDDEN_AS = {"deactivated": "deactivated", "suspended": "suspended", "takendown": "suspended"}


def _account(did: str, at: int, account: Account) -> list[Event]:
    """An active account does not say what it was before, so every reason is lifted. `desynchronized` and
    `throttled` concern the hosting of an account, not what is visible."""
    status = account.status or "deactivated"
    if account.active:
        return [
            AccountRestored(at=at, network="bluesky", author_id=did, reason=reason)
            for reason in ("deactivated", "suspended")
        ]
    if status == "deleted":
        return [AccountGone(at=at, network="bluesky", author_id=did)]
    if status in ("desynchronized", "throttled"):
        return []
    reason = _HIDDEN_AS.get(status, "deactivated")
    return [AccountHidden(at=at, network="bluesky", author_id=did, reason=reason)]
