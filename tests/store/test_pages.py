"""Pages and scans: every match once, in order, whatever is deleted or arrives between two pages."""

from pathlib import Path

import pytest

from tests.store.test_search import MINUTE, NOON, created, ingested
from trinch.posts import schema as ev
from trinch.posts.times import now
from trinch.store import pages
from trinch.store.budget import Budget
from trinch.store.pages import CursorError
from trinch.store.store import Store

COUNT = 530  # more than two blocks that are ranked together


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Some posts share their time; every third is about something else."""
    posts = [
        created(str(n), "calm" if n % 3 == 0 else f"storm number {n}", NOON + n // 7 * MINUTE)
        for n in range(COUNT)
    ]
    return ingested(tmp_path_factory.mktemp("pages"), posts)


def all_pages(store: Store, query: str, **options: object) -> list[list[str]]:
    found, cursor = [], ""
    while True:
        page = pages.page(store, query, cursor=cursor, **options)  # type: ignore[arg-type]
        found.append([hit.post.id for hit in page.hits])
        cursor = page.next
        if not cursor:
            return found


STORMS = {str(n) for n in range(COUNT) if n % 3}


@pytest.mark.parametrize("sort", ["relevance", "latest"])
@pytest.mark.parametrize("limit", [7, 60, 400])
@pytest.mark.parametrize(
    ("query", "ids"), [("storm", STORMS), ("from:ann -calm", STORMS), ("nothing", set())]
)
def test_every_match_is_on_one_page(store: Store, sort: str, limit: int, query: str, ids: set[str]) -> None:
    found = all_pages(store, query, sort=sort, limit=limit)
    assert all(len(page) == limit for page in found[:-1])
    flat = [id for page in found for id in page]
    assert len(flat) == len(set(flat))
    assert set(flat) == ids


@pytest.mark.parametrize("sort", ["relevance", "latest"])
def test_the_first_page_is_that_of_a_search_without_pages(store: Store, sort: str) -> None:
    first = pages.page(store, "storm", limit=20, sort=sort).hits
    whole = store.search("storm", limit=20, sort=sort)
    assert [hit.at for hit in first] == [hit.at for hit in whole]
    if sort == "relevance":
        assert [hit.post.id for hit in first] == [hit.post.id for hit in whole]


def test_the_newest_come_first_across_pages(store: Store) -> None:
    flat = [int(id) for page in all_pages(store, "storm", sort="latest", limit=9) for id in page]
    assert flat == sorted(flat, reverse=True)


@pytest.mark.parametrize("sort", ["relevance", "latest"])
def test_what_comes_and_goes_between_pages(tmp_path: Path, sort: str) -> None:
    store = ingested(tmp_path, [created(str(n), "storm", NOON + n * MINUTE) for n in range(30)])
    first = pages.page(store, "storm", sort=sort, limit=10)
    shown = {hit.post.id for hit in first.hits}
    left = {str(n) for n in range(30)} - shown
    gone = min(left)
    store.ingest([created("new", "storm", NOON + 99 * MINUTE), ev.Deleted(at=now(), network="x", id=gone)])
    store.catch_up()
    rest, cursor = set[str](), first.next
    while cursor:
        page = pages.page(store, "storm", sort=sort, limit=10, cursor=cursor)
        rest |= {hit.post.id for hit in page.hits}
        cursor = page.next
    assert rest == left - {gone}


@pytest.mark.parametrize("sort", ["relevance", "latest"])
def test_a_page_that_ran_out_of_time_goes_on_where_it_stopped(store: Store, sort: str) -> None:
    class Few(Budget):
        """A budget that ends after 50 looks."""

        def __init__(self) -> None:
            super().__init__()
            self._looks = 0

        def check(self) -> bool:
            self._looks += 1
            self.is_used_up = self._looks > 50
            return self.is_used_up

    found, cursor = [], ""
    while not found or cursor:
        with store.within(Few()):
            page = pages.page(store, "storm", sort=sort, limit=25, cursor=cursor)
        found.append([hit.post.id for hit in page.hits])
        cursor = page.next
    flat = [id for page in found for id in page]
    assert len(flat) == len(set(flat))
    assert set(flat) == STORMS


@pytest.mark.parametrize("cursor", ["?", "abc", "bm90IGpzb24"])
def test_a_made_up_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(CursorError, match="cannot be read"):
        pages.page(store, "storm", cursor=cursor)


def test_a_cursor_belongs_to_its_search(store: Store) -> None:
    cursor = pages.page(store, "storm").next
    with pytest.raises(CursorError, match="another search"):
        pages.page(store, "calm", cursor=cursor)


def test_a_scan_finds_all_in_the_order_of_the_log(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SLICE", 64)
    monkeypatch.setattr(pages, "CHUNK", 10)
    found = [int(hit.post.id) for hit in pages.scan(store, "storm")]
    assert found == [n for n in range(COUNT) if n % 3]
    assert len(list(pages.scan(store, ""))) == COUNT
