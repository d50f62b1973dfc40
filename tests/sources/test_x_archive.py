"""X's own archive: its account is the author, its long texts complete the posts, messages are not read."""

import json
import zipfile
from pathlib import Path

import pytest

from trinch.posts.schema import Created
from trinch.sources.files import Reject, events

LONG = "the ferry docks at noon " * 20
ACCOUNT = [{"account": {"username": "quay", "accountId": "77", "accountDisplayName": "Quay"}}]
TWEETS = [
    {"tweet": {"id_str": "20", "created_at": "Wed Mar 12 18:39:19 +0000 2025", "full_text": text}}
    for text in (LONG[:275] + "…",)
]
FILES = {
    "tweets.js": ("tweets", TWEETS),
    "account.js": ("account", ACCOUNT),
    "note-tweet.js": ("note_tweet", [{"noteTweet": {"core": {"text": LONG}}}]),
    "direct-messages.js": ("direct_messages", [{"dmConversation": {"text": "private"}}]),
}


@pytest.mark.parametrize("indent", [None, 2])
def test_an_archive_in_a_zip(indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, (part, value) in FILES.items():
            archive.writestr(f"data/{name}", f"window.YTD.{part}.part0 = {json.dumps(value, indent=indent)}")
    found = []
    for item in events(path):
        assert not isinstance(item, Reject), item
        found += [event.post for event in item if isinstance(event, Created)]
    (post,) = found
    assert (post.id, post.author, post.author_id) == ("20", "quay", "77")
    assert post.text.split() == LONG.split()
