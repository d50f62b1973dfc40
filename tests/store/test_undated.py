"""A post without a time is undated: found by its words, in no period, and never shown with the time of reading."""

from pathlib import Path

import pytest

from tests.store.test_search import NOON, created, ingested
from trinch.posts.jsonl import parse
from trinch.posts.schema import UNDATED, Created
from trinch.posts.times import now
from trinch.service.serialize import post_json
from trinch.store.stats import stats
from trinch.store.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (undated,) = parse(b'{"platform": "table", "id": "u", "text": "the ferry sinks"}')
    assert isinstance(undated, Created)
    return ingested(tmp_path, [created("1", "the ferry sails", NOON), undated])


def found(store: Store, query: str, **more: object) -> set[str]:
    return {hit.post.id for hit in store.search(query, **more)}  # type: ignore[arg-type]


def test_it_is_found_by_its_words_and_marked(store: Store) -> None:
    assert found(store, "ferry") == {"1", "u"}
    assert found(store, "is:undated") == {"u"}
    assert found(store, "ferry -is:undated") == {"1"}
    hit = store.get("u")
    assert hit
    assert hit.at == UNDATED
    shown = post_json(hit)
    assert (shown["created_at"], shown["at"], shown["undated"]) == (None, None, True)


@pytest.mark.parametrize(
    "period", ["since:1970-01-01", "until:2200-01-01", "within_time:1d", "max_id:99999999999999"]
)
@pytest.mark.parametrize("sign", ["", "-"])
def test_it_is_in_no_period(store: Store, period: str, sign: str) -> None:
    assert "u" not in found(store, f"ferry {sign}{period}")


def test_it_is_not_among_the_latest(store: Store) -> None:
    assert found(store, "ferry", sort="latest") == {"1"}
    assert found(store, "is:undated", sort="latest") == set()


def test_a_past_view_does_not_have_it(store: Store) -> None:
    assert found(store, "ferry", as_of=NOON + 1) == {"1"}
    assert store.get("u", NOON + 1) is None
    assert "u" in found(store, "ferry", as_of=now())  # by then it had been read


def test_statistics_count_it_apart(store: Store) -> None:
    counted = stats(store)
    assert (counted.posts, counted.undated) == (2, 1)
    assert counted.days == {"2013-04-15": 1}
