"""Posts are found as people write: tags without their sign, text behind links, numbers and letters of any script."""

from pathlib import Path

import pytest

from tests.store.test_search import created, ingested
from trinch.store.store import Store

POSTS = [
    created("1500000000", "all about #LundBridge now"),
    created("1500000777", "#lundbridge again"),
    created("9", "عاجل: وصول السفينة ٢٠٢٣", lang="ar"),
    created("1724551110993117185", "@tanaka_ichiroさん、詳細はhttps://t.co/abc123をご覧ください", lang="ja"),
    created("at://did:plc:a/app.bsky.feed.post/1", 'gulls on a 6" pipe: re:Invent'),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return ingested(tmp_path, POSTS)


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("lundbridge", {"1500000000", "1500000777"}),
        ("#lundbridge", {"1500000000", "1500000777"}),
        ("Lund Bridge", {"1500000000"}),
        ("again -lundbridge", set()),
        ("2023 عاجل", {"9"}),
        ("ご覧ください", {"1724551110993117185"}),
        ("@tanaka_ichiro", {"1724551110993117185"}),
        ('6" pipe', {"at://did:plc:a/app.bsky.feed.post/1"}),
        ("re:Invent", {"at://did:plc:a/app.bsky.feed.post/1"}),
        ("since_id:1500000000 max_id:1500000777", {"1500000777"}),  # ids of before November 2010
        ("max_id:1724551110993117184", {"1500000000", "1500000777", "9"}),  # of the same millisecond
        ("-max_id:1724551110993117184", {"1724551110993117185"}),
    ],
)
def test_found(store: Store, query: str, ids: set[str]) -> None:
    assert {hit.post.id for hit in store.search(query)} == ids
