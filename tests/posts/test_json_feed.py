"""JSON Feed: items are posts; a bad one does not cost the others."""

import json
from typing import Any

import pytest

from trinch.posts.formats import detect, parser
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Malformed
from trinch.posts.times import parse as time

ITEM = {
    "id": "https://harbour.example/1",
    "url": "https://harbour.example/1",
    "title": "Ferry docks",
    "content_html": "<p>At <a href='https://port.example/'>noon</a> &amp; on time.</p>",
    "date_published": "2026-05-01T10:00:00-02:00",
    "authors": [{"name": "Ada"}],
    "tags": ["ferry"],
    "attachments": [{"url": "https://harbour.example/1.mp3", "mime_type": "audio/mpeg"}],
}


def feed(*items: Any, **fields: Any) -> bytes:
    head = {"version": "https://jsonfeed.org/version/1.1", "title": "Harbour", "language": "en-GB"}
    return json.dumps(head | fields | {"home_page_url": "https://harbour.example/", "items": items}).encode()


def test_an_item_is_a_post() -> None:
    assert detect(feed(ITEM)) == detect(feed(ITEM).replace(b"/", rb"\/")) == "json-feed"
    (event,) = parser("auto")(feed(ITEM))
    assert isinstance(event, Created)
    post = event.post
    assert (post.network, post.id, post.text) == ("feed", ITEM["id"], "Ferry docks\nAt noon & on time.")
    assert post.created_at == event.at == time("2026-05-01T12:00:00Z")
    assert (post.author, post.author_name, post.lang) == ("harbour.example", "Ada", "en")
    assert post.urls == ("https://harbour.example/1", "https://port.example/")
    assert (post.media, post.tags) == (("audio",), ("ferry",))


def test_what_is_optional_may_be_missing_and_what_is_not_costs_the_item_alone() -> None:
    notes = Notes()
    found = parser("json-feed")(
        feed({"id": 7, "content_text": "Bare"}, {"id": "8"}, {"title": "no id"}, "x", ITEM), notes
    )
    assert [(event.post.id, event.post.created_at) for event in found if isinstance(event, Created)] == [
        ("7", None), (ITEM["id"], time("2026-05-01T12:00:00Z")),
    ]  # fmt: skip
    assert [reason.split()[0] for reason, _ in notes.rejected] == ["items[1]", "items[2]", "items[3]"]
    with pytest.raises(Malformed, match="neither title nor content"):
        parser("json-feed")(feed({"id": "8"}))
