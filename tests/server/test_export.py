"""`/v1/export`: the posts of a search as a file, over HTTP."""

import csv
import io
import json

import httpx
import pytest

QUERY = {"q": "Esker lang:fr"}


def test_every_format_holds_the_same_posts(http: httpx.Client) -> None:
    total = http.get("/v1/search", params=QUERY | {"limit": 1, "total": "true"}).json()["total"]["posts"]
    lines = http.get("/v1/export", params=QUERY)
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert lines.headers["content-disposition"] == 'attachment; filename="posts.jsonl"'
    posts = [json.loads(line) for line in lines.text.splitlines()]
    assert len(posts) == total > 100
    rows = list(csv.DictReader(io.StringIO(http.get("/v1/export", params=QUERY | {"format": "csv"}).text)))
    assert [row["id"] for row in rows] == [post["id"] for post in posts]
    assert [row["text"] for row in rows] == [post["text"] for post in posts]


def test_a_parquet_file(http: httpx.Client) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    found = http.get("/v1/export", params=QUERY | {"format": "parquet"})
    table = pq.read_table(io.BytesIO(found.content))
    lines = http.get("/v1/export", params=QUERY).text.splitlines()
    assert table.column("id").to_pylist() == [json.loads(line)["id"] for line in lines]


def test_no_match(http: httpx.Client) -> None:
    assert http.get("/v1/export", params={"q": "nobodywritesthis"}).text == ""
    header = http.get("/v1/export", params={"q": "nobodywritesthis", "format": "csv"}).text
    assert header.startswith("at,")
    assert len(header.splitlines()) == 1


@pytest.mark.parametrize(
    ("params", "param"),
    [({"q": "since:x"}, "q"), ({"q": "x", "format": "xls"}, "format")],
)
def test_a_bad_request_is_a_status_and_no_file(
    http: httpx.Client, params: dict[str, str], param: str
) -> None:
    found = http.get("/v1/export", params=params)
    assert found.status_code == 400
    assert found.json()["error"]["param"] == param
