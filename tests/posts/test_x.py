"""X's forms, on invented payloads."""

import pytest

from tests.posts.samples import ID, activity, line, v1_status, x_line, x_tweet, x_user
from trinch.posts import times
from trinch.posts.notes import Notes
from trinch.posts.schema import (
    AccountHidden,
    AccountRenamed,
    AccountRestored,
    CountsChanged,
    Created,
    Deleted,
    Edited,
    Event,
    Hidden,
    Malformed,
    PlacesErased,
    Post,
    Restored,
)
from trinch.posts.x import parse

AT = times.rfc3339("2025-03-12T18:39:19.001Z")


def one(value: object) -> Event:
    (event,) = parse(line(value))
    return event


def post(value: object) -> Post:
    event = one(value)
    assert isinstance(event, Created)
    return event.post


def test_a_stream_line() -> None:
    assert one(x_line()) == Created(
        at=AT,
        network="x",
        post=Post(
            network="x",
            id=str(ID),
            created_at=AT,
            text="Ferry #Aurelia docks at Port Lund & all 87 are safe @mayor_lund https://t.co/abc",
            lang="en",
            author_id="11",
            author="tidewatch",
            author_name="Tidewatch",
            author_followers=321,
            author_verified=False,
            url=f"https://x.com/tidewatch/status/{ID}",
            conversation_id=str(ID),
            urls=("https://lund.example/ferry?a=1&b=2",),
            mentions=("mayor_lund",),
            tags=("Aurelia",),
            likes=5,
            reposts=3,
            replies=2,
            quotes=1,
        ),
    )


def test_the_barest_post() -> None:
    bare = post({"data": {"id": "20", "text": "just setting up"}})
    assert bare.created_at is None
    assert (bare.lang, bare.url, bare.likes) == ("und", "https://x.com/i/status/20", None)
    assert post({"data": {"id": str(ID), "text": ""}}).created_at == AT


def test_entities_are_decoded_once() -> None:
    assert (
        post(x_line(x_tweet(text="a &amp;lt; b &lt;i&gt; &copy; &#39;"))).text == "a &lt; b <i> &copy; &#39;"
    )


def test_a_long_post_is_read_whole() -> None:
    note = {"text": "the whole &gt; story", "entities": {"hashtags": [{"tag": "far"}]}}
    long = post(x_line(x_tweet(text="the wh…", note_tweet=note)))
    assert (long.text, long.tags, long.urls) == ("the whole > story", ("far",), ())


def test_media_and_the_links_to_them() -> None:
    links = [
        {
            "url": "https://t.co/1",
            "expanded_url": "https://x.com/a/photo/1",
            "display_url": "pic.twitter.com/1",
        },
        {"url": "https://t.co/2", "expanded_url": "https://x.com/a/video/1", "media_key": "7_2"},
        {"url": "https://t.co/3", "expanded_url": f"https://twitter.com/i/web/status/{ID}"},
        {"url": "https://t.co/4"},
        {"url": "https://t.co/5", "expanded_url": "https://lund.example/"},
        {"url": "https://t.co/6", "expanded_url": "https://lund.example/"},
    ]
    keys = {"media_keys": ["3_1", "3_2", "16_3", "13_4"]}
    seen = post(x_line(x_tweet(entities={"urls": links}, attachments=keys)))
    assert seen.urls == ("https://t.co/4", "https://lund.example/")
    assert seen.media == ("image", "gif", "video")


def test_a_reply_with_a_quote() -> None:
    refers = [{"type": "quoted", "id": "8"}, {"type": "replied_to", "id": "9"}]
    reply = post(x_line(x_tweet(referenced_tweets=refers, in_reply_to_user_id="12")))
    assert (reply.reply_to, reply.quote_of, reply.reply_to_author) == ("9", "8", "mayor_lund")
    unknown = post({"data": x_tweet(referenced_tweets=refers, in_reply_to_user_id="99", entities=None)})
    assert (unknown.reply_to_author, unknown.author, unknown.author_id) == ("99", "", "11")


def test_a_repost_brings_the_original_first() -> None:
    original = x_tweet(ID - 2**40, author_id="12", created_at=None)
    again = x_tweet(referenced_tweets=[{"type": "retweeted", "id": original["id"]}])
    first, main, *counts = parse(line(x_line(again, tweets=[original])))
    assert isinstance(first, Created)
    assert isinstance(main, Created)
    assert (first.post.id, first.post.author, first.post.likes) == (original["id"], "mayor_lund", None)
    assert first.at == first.post.created_at < main.at
    assert (main.post.repost_of, main.post.reposts) == (original["id"], None)
    at_main = {"at": main.at, "network": "x", "id": original["id"]}
    assert counts == [
        CountsChanged(**at_main, reposts=3),
        CountsChanged(**at_main, likes=5, reposts=3, replies=2, quotes=1),
    ]


def test_an_edit_replaces_what_came_before() -> None:
    history = [str(ID - 2**32), str(ID - 2**31), str(ID)]
    edited = one(x_line(x_tweet(edit_history_tweet_ids=history)))
    assert isinstance(edited, Edited)
    assert edited.replaces == tuple(history[:-1])
    older = one(x_line(x_tweet(ID - 2**31, created_at=None, edit_history_tweet_ids=history)))
    assert isinstance(older, Edited)
    assert (older.replaces, older.replaced_by) == (tuple(history[:1]), tuple(history[2:]))


def test_withheld_posts_and_authors_are_hidden() -> None:
    held = {"copyright": False, "country_codes": ["XY"]}
    tail = parse(line(x_line(x_tweet(withheld=held))))[1:]
    assert tail == [Hidden(at=AT, network="x", id=str(ID), reason="withheld")]
    users = [x_user("11", "tidewatch", withheld=held)]
    tail = parse(line({"data": x_tweet(), "includes": {"users": users}}))[1:]
    assert tail == [AccountHidden(at=AT, network="x", author_id="11", reason="withheld")]


def test_a_page_comes_oldest_first_and_once_each() -> None:
    old, new = x_tweet(ID), x_tweet(ID + 2**40, created_at=None)
    events = parse(line({"data": [new, old], "includes": {"tweets": [old]}, "meta": {"result_count": 2}}))
    assert [event.post.id for event in events if isinstance(event, Created)] == [old["id"], new["id"]]
    assert len(events) == 2


def test_a_flattened_post() -> None:
    inside = {"type": "quoted", **x_tweet(ID - 2**40, created_at=None), "author": x_user("12", "mayor_lund")}
    first, main, _ = parse(line(x_tweet(author=x_user("11", "tidewatch"), referenced_tweets=[inside])))
    assert isinstance(first, Created)
    assert isinstance(main, Created)
    assert (main.post.author, main.post.quote_of, first.post.id) == ("tidewatch", first.post.id, inside["id"])


@pytest.mark.parametrize(
    ("code", "lang"),
    [("iw", "he"), ("in", "id"), ("qme", "und"), ("zxx", "und"), ("zh-TW", "zh"), ("ckb", "ckb")],
)
def test_languages(code: str, lang: str) -> None:
    assert post(x_line(x_tweet(lang=code))).lang == lang


@pytest.mark.parametrize(
    "value",
    [
        {"errors": [{"title": "operational-disconnect", "type": "https://api.twitter.com/2/problems/x"}]},
        {"title": "ConnectionException", "detail": "too many", "type": "about:blank"},
        {
            "data": [x_user("1", "a"), {"id": "1", "name": "list", "member_count": 3}],
            "meta": {"result_count": 2},
        },
        {
            "data": [
                {"end": "2021-10-16T19:00:00.000Z", "start": "2021-10-16T18:00:00.000Z", "tweet_count": 3}
            ]
        },
        {"data": {"deleted": True}},
        {"meta": {"sent": "2020-07-09T21:13:18.284Z"}},
        {"limit": {"track": 5}},
        {"id": 5, "id_str": "5", "screen_name": "a"},
        [],
    ],
)
def test_what_is_no_post_is_nothing(value: object) -> None:
    assert parse(line(value)) == []


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (x_line(x_tweet(id="ID")), "data.id"),
        (x_line(x_tweet(text=5)), "data.text"),
        ({"data": {**x_tweet(), "text": None}}, "data.text"),
        (x_line(tweets=[{**x_tweet(5), "id": "five"}]), "includes.tweets.id"),
        (v1_status(retweeted_status=v1_status(id_str="x")), "retweeted_status.id_str"),
        ({"data": {"delete": {"tweet": {"id": None}}}}, "delete"),
        ({"colour": "red"}, "colour"),
        ("text", "the line"),
    ],
)
def test_complaints_name_the_field(value: object, field: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(line(value))
    assert field in str(caught.value)


def test_v11_status() -> None:
    media = {"media": [{"type": "photo"}, {"type": "photo"}, {"type": "animated_gif"}]}
    seen = post(
        v1_status(extended_entities=media, in_reply_to_status_id_str="9", in_reply_to_screen_name="zoe")
    )
    assert seen == Post(
        network="x",
        id=str(ID),
        created_at=AT,
        text="Ferry #Aurelia docks > all 87 are safe @mayor_lund https://t.co/abc",
        lang="en",
        author_id="11",
        author="tidewatch",
        author_name="Tidewatch",
        author_followers=321,
        author_verified=False,
        url=f"https://x.com/tidewatch/status/{ID}",
        reply_to="9",
        reply_to_author="zoe",
        urls=("https://lund.example/f",),
        media=("image", "gif"),
        mentions=("mayor_lund",),
        tags=("Aurelia",),
        likes=5,
        reposts=3,
    )


def test_v11_long_texts() -> None:
    extended = {"full_text": "the whole story", "entities": {"hashtags": [{"text": "far"}]}}
    stream = post(v1_status(text="the wh…", truncated=True, extended_tweet=extended))
    assert (stream.text, stream.tags) == ("the whole story", ("far",))
    status = v1_status(full_text="@zoe all of it", display_text_range=[5, 14])
    del status["text"]
    assert post(status).text == "@zoe all of it"


def test_v11_nests_originals() -> None:
    quoted = v1_status(ID - 2**41, created_at=None)
    original = v1_status(
        ID - 2**40, created_at=None, quoted_status=quoted, quoted_status_id_str=quoted["id_str"]
    )
    events = parse(line(v1_status(retweeted_status=original, quoted_status=quoted)))
    posts = [event.post for event in events if isinstance(event, Created)]
    assert [post.id for post in posts] == [quoted["id_str"], original["id_str"], str(ID)]
    assert [post.quote_of for post in posts] == ["", quoted["id_str"], ""]
    assert [post.repost_of for post in posts] == ["", "", original["id_str"]]
    assert [post.likes for post in posts] == [None, None, None]
    assert [(e.id, e.at, e.likes) for e in events if isinstance(e, CountsChanged)] == [
        (original["id_str"], AT, 5),
        (quoted["id_str"], AT, 5),
    ]


def test_v11_collections_edits_and_withheld() -> None:
    statuses = [v1_status(), v1_status(ID + 1)]
    assert len(parse(line(statuses))) == len(parse(line({"statuses": statuses}))) == 2
    history = {"edit_tweet_ids": ["7", str(ID)]}
    edited = one(v1_status(edit_history=history))
    assert isinstance(edited, Edited)
    assert edited.replaces == ("7",)
    events = parse(line(v1_status(withheld_in_countries=["XY"])))
    assert events[1:] == [Hidden(at=AT, network="x", id=str(ID), reason="withheld")]


def test_activities_are_read_like_v11() -> None:
    assert parse(line(activity())) == parse(line(v1_status()))
    answer = activity(
        inReplyTo={"link": "http://twitter.com/zoe/statuses/9"}, long_object={"body": "all of it"}
    )
    seen = post(answer)
    assert (seen.text, seen.reply_to, seen.reply_to_author) == ("all of it", "9", "zoe")
    first, second, counts = parse(line(activity(verb="share", object=activity(ID - 2**40, postedTime=None))))
    assert isinstance(first, Created)
    assert isinstance(second, Created)
    assert isinstance(counts, CountsChanged)
    assert first.post.id == second.post.repost_of == counts.id


WHEN = {"event_at": "2025-03-12T18:39:19.250Z"}
MS = {"timestamp_ms": "1741804759250"}
TOLD = {"at": times.rfc3339(WHEN["event_at"]), "network": "x"}


@pytest.mark.parametrize(
    ("value", "event"),
    [
        ({"data": {"delete": {"tweet": {"id": "5"}, **WHEN}}}, Deleted(**TOLD, id="5")),
        ({"data": {"withheld": {"tweet": {"id": "5"}, **WHEN}}}, Hidden(**TOLD, id="5", reason="withheld")),
        ({"data": {"drop": {"tweet": {"id": "5"}, **WHEN}}}, Hidden(**TOLD, id="5", reason="dropped")),
        ({"data": {"undrop": {"tweet": {"id": "5"}, **WHEN}}}, Restored(**TOLD, id="5", reason="dropped")),
        (
            {"data": {"tweet_edit": {"tweet": {"id": "6"}, "edit_tweet_ids": ["5", "6"], **WHEN}}},
            Hidden(**TOLD, id="5", reason="edited"),
        ),
        (
            {"data": {"user_suspend": {"user": {"id": "6"}, **WHEN}}},
            AccountHidden(**TOLD, author_id="6", reason="suspended"),
        ),
        (
            {
                "data": {
                    "user_profile_modification": {
                        "user": {"id": "6"},
                        "profile_field": "profile.screen_name",
                        "new_value": "tide2",
                        **WHEN,
                    }
                }
            },
            AccountRenamed(**TOLD, author_id="6", author="tide2"),
        ),
        ({"delete": {"status": {"id": 500, "id_str": "501"}, **MS}}, Deleted(**TOLD, id="501")),
        (
            {"status_withheld": {"id": 5, "withheld_in_countries": ["DE"], **MS}},
            Hidden(**TOLD, id="5", reason="withheld"),
        ),
        ({"user_delete": {"id": 6, **MS}}, AccountHidden(**TOLD, author_id="6", reason="deleted")),
        ({"user_undelete": {"id": 6, **MS}}, AccountRestored(**TOLD, author_id="6", reason="deleted")),
        ({"user_protect": {"id": 6, **MS}}, AccountHidden(**TOLD, author_id="6", reason="protected")),
        ({"user_unprotect": {"id": 6, **MS}}, AccountRestored(**TOLD, author_id="6", reason="protected")),
        (
            {"data": {"scrub_geo": {"user": {"id": "6"}, "up_to_tweet_id": "5", **WHEN}}},
            PlacesErased(**TOLD, author_id="6", upto="5"),
        ),
        (
            {"scrub_geo": {"user_id": 6, "up_to_status_id_str": "5", **MS}},
            PlacesErased(**TOLD, author_id="6", upto="5"),
        ),
    ],
)
def test_compliance(value: object, event: Event) -> None:
    assert one(value) == event


def test_compliance_that_asks_nothing_of_us() -> None:
    bio = {"user": {"id": "6"}, "profile_field": "profile.description", "new_value": "x", **WHEN}
    assert parse(line({"data": {"user_profile_modification": bio}})) == []


def test_batch_results_hide_post_and_account() -> None:
    result = {"id": "5", "action": "delete", "created_at": "2019-09-06T17:25:54.667Z", "reason": "protected"}
    hidden, account = parse(line({**result, "redacted_at": WHEN["event_at"]}))
    assert hidden == Hidden(**TOLD, id="5", reason="protected")
    assert account == AccountHidden(**TOLD, author_id="5", reason="protected")
    assert isinstance(parse(line({**result, "reason": "deleted"}))[0], Deleted)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (x_line(x_tweet(created_at="soon")), "data.created_at"),
        (x_line(x_tweet(entities={"urls": [{"expanded_url": 5}]})), "entities.urls.expanded_url"),
        (x_line(x_tweet(public_metrics={"like_count": 2**70})), "public_metrics.like_count"),
        (v1_status(created_at="soon"), "created_at"),
    ],
)
def test_an_optional_field_that_cannot_be_read_is_forgiven_and_counted(value: object, kind: str) -> None:
    notes = Notes()
    created = [event for event in parse(line(value), notes) if isinstance(event, Created)]
    assert [event.post.id for event in created] == [str(ID)]
    assert created[0].post.created_at == AT
    assert kind in notes.forgiven


def test_an_iso_time_in_a_v11_post_is_read() -> None:
    notes = Notes()
    (event,) = parse(line(v1_status(created_at="2025-03-12T18:39:19Z")), notes)
    assert event.at == AT
    assert not notes.forgiven


def test_an_account_deletion_with_an_unreadable_time_hides() -> None:
    notes = Notes()
    (event,) = parse(line({"user_delete": {"id": 5, "timestamp_ms": "now"}}), notes)
    assert isinstance(event, AccountHidden)
    assert sum(notes.forgiven.values()) == 1
