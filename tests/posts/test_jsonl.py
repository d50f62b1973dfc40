"""Our own lines: rows of collected posts, and events there and back."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.posts.samples import ID, ROW, line
from trinch.posts import schema as event
from trinch.posts import times
from trinch.posts.jsonl import dump, parse
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Deleted, Event, Malformed, Post

AT = times.rfc3339("2025-03-12T18:39:19.001Z")


def post(**fields: object) -> Post:
    (event,) = parse(line({**ROW, **fields}))
    assert isinstance(event, Created)
    assert event.post.created_at in (None, event.at)
    return event.post


def test_a_row() -> None:
    assert post() == Post(
        network="x",
        id=str(ID),
        created_at=AT,
        text="tides & ferries",
        lang="en",
        author="tidewatch",
        url=f"https://x.com/tidewatch/status/{ID}",
        conversation_id="7",
        urls=("https://lund.example/?a=1&b=2",),
        likes=4,
    )


def test_rows_of_other_networks() -> None:
    uri = "at://did:plc:abc/app.bsky.feed.post/3k"
    assert post(platform="bluesky", id=uri).url == "https://bsky.app/profile/did:plc:abc/post/3k"
    assert post(platform="bluesky", id=uri).text == "tides &amp; ferries"
    assert post(platform="reddit", id="1bdyci").url == "https://www.reddit.com/comments/1bdyci"
    assert post(platform="web", id="https://a.example/").url == ""
    assert post(platform="web", url="https://a.example/").url == "https://a.example/"


def test_a_row_without_a_time_is_undated_unless_its_id_has_one() -> None:
    assert post(id="ar-train-0", created_at=None).created_at is None
    assert post(created_at=None).created_at == AT
    assert post(id=ID).id == str(ID)


texts = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
moments = st.integers(times.EARLIEST, times.LATEST)
counts = st.none() | st.integers(-(2**63), 2**63 - 1)
many = st.lists(texts, max_size=3).map(tuple)
posts = st.builds(
    Post,
    network=st.just("mastodon"),
    id=names,
    created_at=moments,
    text=texts,
    lang=names,
    **dict.fromkeys(("author_id", "author", "author_name", "url", "reply_to", "reply_to_author"), texts),
    **dict.fromkeys(("repost_of", "quote_of", "conversation_id"), texts),
    **dict.fromkeys(("urls", "media", "mentions", "tags"), many),
    **dict.fromkeys(("author_followers", "likes", "reposts", "replies", "quotes"), counts),
    author_verified=st.none() | st.booleans(),
    sensitive=st.booleans(),
    place=st.sampled_from(["", "Pier 2, Port Esker"]),
    country=st.sampled_from(["", "FR"]),
    latitude=st.none() | st.floats(0.5, 90),
    longitude=st.floats(-180, 180),
).map(lambda post: post if post.latitude is not None else msgspec.structs.replace(post, longitude=None))
FIELDS = {
    "at": moments,
    "network": st.just("mastodon"),
    "post": posts,
    "replaces": many,
    "replaced_by": many,
    "upto": st.sampled_from(["", "1700"]),
    **dict.fromkeys(("id", "reason", "author_id", "author", "record"), names),
    **dict.fromkeys(("likes", "reposts", "replies", "quotes"), counts),
    "diverged": st.booleans(),
    "what": st.sampled_from(["like", "repost"]),
}
KINDS = Event.__args__  # type: ignore[attr-defined]  # a union of types
events = st.one_of(
    [st.builds(kind, **{name: FIELDS[name] for name in kind.__struct_fields__}) for kind in KINDS]
)


@given(event=events)
def test_every_event_comes_back(event: Event) -> None:
    text = dump(event)
    assert b"\n" not in text
    assert json.loads(text)["kind"] == event.__struct_config__.tag
    assert parse(text) == [event]


def test_an_event_line_as_a_person_writes_it() -> None:
    (deleted,) = parse(b'{"kind": "deleted", "platform": "x", "id": 5, "at": "2025-03-12"}')
    assert deleted == Deleted(at=times.rfc3339("2025-03-12T00:00:00Z"), network="x", id="5")
    (edited,) = parse(line({**ROW, "kind": "edited", "replaces": ["4"]}))
    assert isinstance(edited, event.Edited)
    assert edited.at == edited.post.created_at
    assert edited.replaces == ("4",)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({**ROW, "platform": None}, "platform"),
        ({**ROW, "id": None}, "id"),
        ({**ROW, "text": None}, "text"),
        ({"kind": "vanished", "platform": "x"}, "kind"),
        ({"kind": "hidden", "platform": "x", "id": "5"}, "reason"),
        ({"kind": "account_gone", "platform": "x"}, "author_id"),
        ({"kind": "account_renamed", "platform": "x", "author_id": "6"}, "author"),
        ({"kind": "reacted", "platform": "x", "id": "5", "record": "r", "what": "wink"}, "what"),
        ({"kind": "unreacted", "platform": "x"}, "record"),
    ],
)
def test_complaints_name_the_field(value: object, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(line(value))
    assert str(caught.value).startswith(field)


@pytest.mark.parametrize("platform", ["a:b", "my net", "x\n", "", "a" * 65])
def test_a_platform_is_a_plain_name(platform: str) -> None:
    with pytest.raises(Malformed, match="platform"):
        parse(json.dumps({"platform": platform, "id": "1", "text": "t"}).encode())


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"created_at": "last week"}, "created_at"),
        ({"likes": "many"}, "likes"),
        ({"urls": "https://a.example"}, "urls"),
    ],
)
def test_an_optional_field_that_cannot_be_read_is_forgiven_and_counted(
    fields: dict[str, object], kind: str
) -> None:
    notes = Notes()
    (event,) = parse(line({**ROW, **fields}), notes)
    assert isinstance(event, Created)
    assert event.post.text == "tides & ferries"
    assert notes.forgiven == {kind: 1}
    assert event.post.created_at == AT  # of the X id where the field cannot be read
    assert event.post.likes == (None if "likes" in fields else ROW.get("likes"))
    if "urls" in fields:
        assert event.post.urls == ("https://a.example",)


def test_a_deletion_with_an_unreadable_time_deletes() -> None:
    notes = Notes()
    (event,) = parse(line({"kind": "deleted", "platform": "x", "id": "5", "at": "soon"}), notes)
    assert isinstance(event, Deleted)
    assert event.id == "5"
    assert notes.forgiven == {"at": 1}
