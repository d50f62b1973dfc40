"""`GET /v1/export`: the same posts as the other interfaces, part by part."""

import csv
import io
from pathlib import Path

import httpx
import pytest

import trinch
from trinch.posts import jsonl
from trinch.posts.schema import Created
from trinch.service import export
from trinch.service.export import export_part
from trinch.store.store import Store


def test_all_posts_come_back_as_they_are_stored(http: httpx.Client, sample_data: Path) -> None:
    answer = http.get("/v1/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert answer.headers["cache-control"] == "no-store"
    read = [event for line in answer.content.splitlines() for event in jsonl.parse(line)]
    with trinch.open(sample_data) as store:
        assert [event.post.id for event in read if isinstance(event, Created)] == [
            hit.post.id for hit in store.matches()
        ]


def test_a_query_a_filter_and_csv(http: httpx.Client, sample_data: Path) -> None:
    asked = {"q": "explosion", "where": "lang:en", "format": "csv"}
    answer = http.get("/v1/export", params=asked)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    with trinch.open(sample_data) as store:
        wanted = [hit.post.id for hit in store.matches("explosion", where="lang:en")]
    assert wanted
    assert [row["id"] for row in rows] == wanted


@pytest.mark.parametrize(
    ("asked", "param"),
    [({"q": "(storm"}, "q"), ({"format": "xml"}, "format"), ({"as_of": "lately"}, "as_of")],
)
def test_what_cannot_be_exported_is_an_error_before_the_stream(
    http: httpx.Client, asked: dict[str, str], param: str
) -> None:
    answer = http.get("/v1/export", params=asked)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_parts_joined_are_the_whole(sample_data: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    store = Store.open(sample_data)
    whole = io.BytesIO()
    export.WRITERS[format](trinch.open(sample_data).matches("the"), whole)
    monkeypatch.setattr(export, "PART_ROWS", 1)
    part, joined, count = export_part(store, "the", format), b"", 1
    while part.next is not None:
        joined += part.data
        part, count = export_part(store, "the", format, after=part.next), count + 1
    assert joined + part.data == whole.getvalue()
    assert count > 1
