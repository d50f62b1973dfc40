"""Poll options, image descriptions, cards and notes: found as words of the post, shown apart from its text."""

from pathlib import Path

import pytest

from tests.store.test_search import created, ingested
from trinch.posts.schema import Attached
from trinch.service.serialize import post_json
from trinch.store.store import Store

OPTIONS = (
    Attached("poll", "New gantry"),
    Attached("poll", "crane repairs"),
    Attached("image", "a red dredger"),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return ingested(
        tmp_path, [created("1", "What next for the port?", attached=OPTIONS), created("2", "gantry")]
    )


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("gantries", {"1", "2"}),
        ("port repair", {"1"}),
        ('"new gantry"', {"1"}),
        ("+dredger", {"1"}),
        ('"gantry crane"', set()),  # the end of one option and the beginning of the next
        ('"port new"', set()),
        ("port -dredger", set()),
        ("-dredger", {"2"}),
    ],
)
def test_it_is_found_within_one_text(store: Store, query: str, ids: set[str]) -> None:
    assert {hit.post.id for hit in store.search(query)} == ids


def test_it_is_shown_as_what_it_is(store: Store) -> None:
    (hit,) = store.search("dredger")
    shown = post_json(hit)
    assert shown["text"] == "What next for the port?"
    assert shown["attached"][2] == {"kind": "image", "text": "a red dredger"}
