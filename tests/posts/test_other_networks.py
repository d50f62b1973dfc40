"""Mastodon, Reddit and Telegram, and forms of X posts that other programs write; on invented payloads."""

from typing import Any

import pytest

from tests.posts.samples import line
from trinch.posts import formats, times
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Deleted, Malformed, Post

AT = times.rfc3339("2025-03-12T18:39:19Z")


def post(value: dict[str, Any], network: str) -> Post:
    (event,) = formats.parser("auto")(line(value), Notes())
    assert isinstance(event, Created)
    assert event.network == event.post.network == network
    return event.post


def test_a_mastodon_status() -> None:
    status = {
        "uri": "https://sea.example/users/ann/statuses/1",
        "created_at": "2025-03-12T18:39:19Z",
        "content": "<p>Ferry <b>docks</b></p><p>at noon</p>",
        "language": "en",
        "account": {"acct": "ann@sea.example", "display_name": "Ann"},
        "media_attachments": [{"type": "image", "description": "a white ferry"}],
        "poll": {"options": [{"title": "pier one"}]},
    }
    read = post(status, "mastodon")
    assert (read.text.split(), read.author, read.created_at) == (
        ["Ferry", "docks", "at", "noon"],
        "ann@sea.example",
        AT,
    )
    assert [(one.kind, one.text) for one in read.attached] == [
        ("image", "a white ferry"),
        ("poll", "pier one"),
    ]


def test_reddit_submissions_comments_and_removals() -> None:
    own = {"id": "abc", "created_utc": AT // 1_000_000, "author": "ann"}
    submission = post({**own, "title": "Ferry", "selftext": "it &amp; docks", "score": 4}, "reddit")
    assert (submission.id, submission.text, submission.likes) == ("t3_abc", "Ferry\nit & docks", 4)
    comment = post({**own, "body": "indeed", "parent_id": "t3_abc"}, "reddit")
    assert (comment.id, comment.reply_to, comment.created_at) == ("t1_abc", "t3_abc", AT)
    (gone,) = formats.parser("auto")(line({**own, "body": "[removed]"}))
    assert isinstance(gone, Deleted)


def test_a_telegram_export_rejects_its_bad_message_alone() -> None:
    message = {
        "id": 1,
        "type": "message",
        "date": "2025-03-12T18:39:19",
        "from": "Ann",
        "text": "Ferry docks",
    }
    export = {"name": "Harbour", "id": 9, "messages": [message, {**message, "id": 2, "text": ""}]}
    notes = Notes()
    (event,) = formats.parser("auto")(line(export), notes)
    assert isinstance(event, Created)
    assert (event.post.network, event.post.id, event.post.text) == ("telegram", "9/1", "Ferry docks")
    ((reason, _),) = notes.take_rejected()
    assert reason.startswith("messages[1].text")


def test_twint_and_snscrape_lines_are_posts_on_x() -> None:
    twint = {
        "id": 20,
        "username": "ann",
        "user_id": 5,
        "tweet": "Ferry docks",
        "date": "2025-03-12",
        "link": "l",
    }
    assert post(twint, "x").text == "Ferry docks"
    scraped = {
        "id": 20,
        "date": "2025-03-12T18:39:19+00:00",
        "rawContent": "Ferry",
        "user": {"username": "ann"},
    }
    read = post(scraped, "x")
    assert (read.text, read.author, read.created_at) == ("Ferry", "ann", AT)


def test_an_unknown_object_with_text_and_id_is_no_post() -> None:
    with pytest.raises(Malformed):
        formats.parser("auto")(line({"id": 5, "text": "hello", "colour": "red"}))
