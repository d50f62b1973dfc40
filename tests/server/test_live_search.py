"""`/v1/live/search`: the posts that match a search, as they arrive."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.running import Running
from trinch.posts.jsonl import dump_post
from trinch.posts.schema import Created, Deleted, Event, Post
from trinch.service.live_search import end_of_index, new_matches
from trinch.store.store import Store


def _created(n: int, text: str) -> Created:
    at = time.time_ns() // 1000
    return Created(at=at, network="n", post=Post(network="n", id=str(n), created_at=at, text=text, lang="en"))


def test_what_arrived_since_a_position(tmp_path: Path) -> None:
    store = Store.open(tmp_path)

    def take(*events: Event) -> None:
        store.ingest(events)
        store.catch_up()

    take(_created(1, "storm before"))
    start = end_of_index(store)
    assert new_matches(store, "storm", "", start, 5)["hits"] == []
    take(*(_created(n, "storm" if n % 2 else "calm") for n in range(10, 20)), _created(99, "storm gone"))
    take(Deleted(at=2, network="n", id="99"))
    found = new_matches(store, "storm", "", start, 3)
    assert [hit["id"] for hit in found["hits"]] == ["15", "17", "19"], (
        "the newest, oldest first, none deleted"
    )
    assert (found["matched"], found["skipped"], found["partial"]) == (5, 2, False)
    assert new_matches(store, "storm", "", found["position"], 3)["matched"] == 0
    assert new_matches(store, "storm", "from:nobody", start, 3)["matched"] == 0


def test_an_index_that_is_ahead_of_its_position_repeats_nothing(tmp_path: Path) -> None:
    """The index is committed just before its position is written."""
    store = Store.open(tmp_path)
    store.ingest([_created(n, "storm") for n in range(4)])
    store.catch_up()
    last = end_of_index(store)
    (tmp_path / "text" / "position").write_text(str(last - 2))
    found = new_matches(store, "storm", "", last - 4, 9)
    assert (found["position"], len(found["hits"])) == (last - 2, 2)
    (tmp_path / "text" / "position").write_text(str(last))
    assert [hit["id"] for hit in new_matches(store, "storm", "", found["position"], 9)["hits"]] == ["2", "3"]


def _events(stream: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in stream.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_posts_arrive_while_the_stream_is_open(tmp_path: Path) -> None:
    Store.open(tmp_path / "store").ingest([_created(1, "storm before")])
    with Running(tmp_path / "store") as own:
        with own.stream("/v1/live/search?q=storm&limit=2", timeout=60) as stream:
            events = _events(stream)
            assert next(events) == ("status", {"matched": 0, "skipped": 0, "partial": False, "hints": []})
            lines = [dump_post(_created(n, f"storm number {n}").post, None) for n in range(2, 7)]
            posted = own.post(
                "/v1/ingest", content=b"\n".join(lines), headers={"Content-Type": "application/x-ndjson"}
            )
            assert posted.json()["accepted"] == 5
            _name, post = next((name, data) for name, data in events if name == "post")
            assert post["text"].startswith("storm number")
            status = next(data for name, data in events if name == "status" and data["matched"] == 5)
            assert status["skipped"] >= 1
        status_code, seconds = own.stop()
    assert status_code == 0
    assert seconds < 10


@pytest.mark.parametrize("query", ["q=since:x", "limit=0", "limit=51", "nonsense=1"])
def test_a_bad_request_is_a_status(http: httpx.Client, query: str) -> None:
    assert http.get(f"/v1/live/search?{query}").status_code == 400
