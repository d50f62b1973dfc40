"""Jetstream v1 and v2, on invented frames."""

import pytest

from tests.posts.samples import DID, LIKE, OTHER, TIME_US, line, sky_commit, sky_record, sky_v2
from trinch.posts import times
from trinch.posts.jetstream import parse
from trinch.posts.schema import (
    AccountGone,
    AccountHidden,
    AccountRenamed,
    AccountRestored,
    Created,
    Deleted,
    Edited,
    Event,
    Malformed,
    Post,
    Reacted,
    Unreacted,
)

URI = f"at://{DID}/app.bsky.feed.post/3mptbyplj5d2a"
QUOTED = f"at://{OTHER}/app.bsky.feed.post/3k"
TOLD = {"at": TIME_US, "network": "bluesky"}


def post(**record: object) -> Post:
    (event,) = parse(line(sky_commit(record=sky_record(**record))))
    assert isinstance(event, Created)
    return event.post


def test_a_post() -> None:
    (event,) = parse(line(sky_commit()))
    assert event == Created(
        **TOLD,
        post=Post(
            network="bluesky",
            id=URI,
            created_at=times.rfc3339("2026-07-04T14:38:07.999Z"),
            text="Ferry docks in Port Lund, 87 safe. #Aurelia lund.example/…",
            lang="en",
            author_id=DID,
            url=f"https://bsky.app/profile/{DID}/post/3mptbyplj5d2a",
            conversation_id=URI,
        ),
    )


def test_v2_says_the_same() -> None:
    for operation in ("create", "update", "delete"):
        v1 = sky_commit(operation)
        assert parse(line(sky_v2("commit", **v1["commit"]))) == parse(line(v1))


def test_facets_and_tags() -> None:
    facets = [
        {"index": {}, "features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "Aurelia"}]},
        {"features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://lund.example/long"}]},
        {"features": [{"$type": "app.bsky.richtext.facet#mention", "did": OTHER}, {"$type": "new.kind"}]},
    ]
    seen = post(facets=facets, tags=["quiet"])
    assert (seen.tags, seen.urls, seen.mentions) == (
        ("quiet", "Aurelia"),
        ("https://lund.example/long",),
        (OTHER,),
    )


def test_replies() -> None:
    parent, root = {"uri": QUOTED, "cid": "b"}, {"uri": f"at://{OTHER}/app.bsky.feed.post/3a", "cid": "b"}
    seen = post(reply={"parent": parent, "root": root})
    assert (seen.reply_to, seen.reply_to_author, seen.conversation_id) == (QUOTED, OTHER, root["uri"])


IMAGES = {"$type": "app.bsky.embed.images", "images": [{"alt": "a"}]}
CARD = {"$type": "app.bsky.embed.external", "external": {"uri": "https://lund.example/", "title": "t"}}
RECORD = {"$type": "app.bsky.embed.record", "record": {"uri": QUOTED, "cid": "b"}}
FEED = {"$type": "app.bsky.embed.record", "record": {"uri": f"at://{OTHER}/app.bsky.feed.generator/x"}}


@pytest.mark.parametrize(
    ("embed", "media", "urls", "quote"),
    [
        (IMAGES, ("image",), (), ""),
        ({"$type": "app.bsky.embed.video", "video": {}}, ("video",), (), ""),
        (CARD, (), ("https://lund.example/",), ""),
        (RECORD, (), (), QUOTED),
        (FEED, (), (), ""),
        (
            {"$type": "app.bsky.embed.recordWithMedia", "record": RECORD, "media": IMAGES},
            ("image",),
            (),
            QUOTED,
        ),
        (
            {"$type": "app.bsky.embed.recordWithMedia", "record": RECORD, "media": CARD},
            (),
            ("https://lund.example/",),
            QUOTED,
        ),
    ],
)
def test_embeds(embed: object, media: object, urls: object, quote: str) -> None:
    seen = post(embed=embed)
    assert (seen.media, seen.urls, seen.quote_of) == (media, urls, quote)


@pytest.mark.parametrize(
    ("langs", "lang"),
    [(["en-US", "en"], "en"), (["es", "en"], "und"), ([], "und"), (None, "und"), (["pt-BR"], "pt")],
)
def test_claimed_languages(langs: object, lang: str) -> None:
    assert post(langs=langs).lang == lang


@pytest.mark.parametrize("claim", ["0000-01-01T00:00:00Z", "yesterday", "", None])
def test_a_broken_clock_does_not_cost_the_post(claim: str | None) -> None:
    assert post(createdAt=claim).created_at == TIME_US


def test_a_lying_clock_is_only_the_claim() -> None:
    (event,) = parse(line(sky_commit(record=sky_record(createdAt="1776-07-04T00:00:00Z"))))
    assert isinstance(event, Created)
    assert event.post.created_at < 0 < event.at


def test_self_labels() -> None:
    labels = {"$type": "com.atproto.label.defs#selfLabels", "values": [{"val": "graphic-media"}]}
    assert post(labels=labels).sensitive
    assert not post(labels={"values": [{"val": "!no-unauthenticated"}]}).sensitive


def test_edit_and_delete() -> None:
    (edited,) = parse(line(sky_commit("update")))
    assert isinstance(edited, Edited)
    assert (edited.post.id, edited.replaces, edited.at) == (URI, (), TIME_US)
    assert parse(line(sky_commit("delete"))) == [Deleted(**TOLD, id=URI)]


@pytest.mark.parametrize("what", ["like", "repost"])
def test_reactions(what: str) -> None:
    record = URI.replace("feed.post", f"feed.{what}")
    given = parse(line(sky_commit(kind=what, record=LIKE)))
    assert given == [Reacted(**TOLD, id=QUOTED, record=record, what=what)]
    assert parse(line(sky_commit("delete", kind=what))) == [Unreacted(**TOLD, record=record)]
    feed = {"subject": {"uri": f"at://{OTHER}/app.bsky.feed.generator/x"}}
    assert parse(line(sky_commit(kind=what, record=feed))) == []
    spaced = line(sky_commit(kind=what, record=LIKE)).replace(b":", b": ").replace(b"at: ", b"at:")
    assert parse(spaced.replace(b"did: plc: ", b"did:plc:")) == given, (
        "the general way and the short one agree"
    )


def frame(kind: str, version: int, **body: object) -> bytes:
    if version == 2:
        return line(sky_v2(kind, **{kind: {"did": DID, "seq": 9, "time": "2026-07-04T14:38:00Z", **body}}))
    return line({"did": DID, "time_us": TIME_US, "kind": kind, kind: {"did": DID, "seq": 9, **body}})


RESTORED: list[Event] = [
    AccountRestored(**TOLD, author_id=DID, reason="deactivated"),
    AccountRestored(**TOLD, author_id=DID, reason="suspended"),
]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("account", "events"),
    [
        ({"active": True}, RESTORED),
        ({"active": False, "status": "deleted"}, [AccountGone(**TOLD, author_id=DID)]),
        (
            {"active": False, "status": "takendown"},
            [AccountHidden(**TOLD, author_id=DID, reason="suspended")],
        ),
        (
            {"active": False, "status": "suspended"},
            [AccountHidden(**TOLD, author_id=DID, reason="suspended")],
        ),
        (
            {"active": False, "status": "deactivated"},
            [AccountHidden(**TOLD, author_id=DID, reason="deactivated")],
        ),
        ({"active": False}, [AccountHidden(**TOLD, author_id=DID, reason="deactivated")]),
        ({"active": False, "status": "throttled"}, []),
    ],
)
def test_accounts(version: int, account: dict[str, object], events: list[Event]) -> None:
    assert parse(frame("account", version, **account)) == events


@pytest.mark.parametrize("version", [1, 2])
def test_identities(version: int) -> None:
    renamed = AccountRenamed(**TOLD, author_id=DID, author="tide.example")
    assert parse(frame("identity", version, handle="tide.example")) == [renamed]
    assert parse(frame("identity", version)) == []
    assert parse(frame("identity", version, handle="handle.invalid")) == []


def test_v2_sync_and_notices() -> None:
    assert parse(line(sky_v2("sync", sync={}))) == [AccountGone(**TOLD, author_id=DID, diverged=True)]
    info = {"$type": "network.bsky.jetstream.subscribeEvents#info", "name": "OutdatedCursor"}
    assert parse(line({"$type": "message", "payload": info})) == []
    assert parse(line({"$type": "error", "error": "ConsumerTooSlow", "message": "m"})) == []


def test_foreign_records_are_none_of_ours() -> None:
    frame = sky_commit()
    frame["commit"] |= {"collection": "fm.example.status", "record": {"text": 5, "subject": "did:x"}}
    assert parse(line(frame)) == []


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({**sky_commit(), "did": "you"}, "did"),
        ({**sky_commit(), "time_us": -1}, "time_us"),
        ({**sky_commit(), "commit": None}, "commit"),
        (sky_commit("move"), "commit.operation"),
        (sky_commit(record={"createdAt": "2026-07-04T14:38:07.999Z"}), "commit.record"),
        (sky_commit(record=sky_record(text=None)), "commit.record.text"),
        (sky_commit(kind="like", record={"subject": "x"}), "commit.record.subject"),
        (sky_v2("commit", operation="create", collection="app.bsky.feed.post", rkey="a"), "payload.record"),
        (sky_v2("account"), "payload.account"),
        (sky_v2("sync", time="now"), "payload.time"),
        ({"hello": 1}, "$type"),
    ],
)
def test_complaints_name_the_field(value: object, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(line(value))
    assert field in str(caught.value)
