"""Ids of posts come from outside: whatever they hold, a question is answered."""

from pathlib import Path

import pytest

from trinch.answers.answer import answer
from trinch.posts.schema import Created, Post
from trinch.store.store import Store

AT = 1_780_000_000_000_000


@pytest.mark.parametrize(
    "id", ['1" OR from:x', "2)", "(3", "4 5", '"', "6 -storm", "at://did:plc:a/app.bsky.feed.post/b"]
)
def test_an_id_is_never_read_as_a_query(tmp_path: Path, id: str) -> None:
    store = Store.open(tmp_path)
    text = "Bridge collapse in Zorvane, police say two people were hurt"
    post = Post(network="n", id=id, created_at=AT, text=text, lang="en", author="ann", conversation_id=id)
    store.ingest([Created(at=AT, network="n", post=post)])
    store.catch_up()
    found = answer(store, "What happened to the bridge in Zorvane?", AT)
    assert [claim.citations[0].id for claim in found.claims] == [id]
