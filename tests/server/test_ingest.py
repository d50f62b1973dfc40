"""Posts sent by HTTP: what is acknowledged is durable, whatever happens next."""

import gzip
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server.running import AUTH, Running
from trinch.store.store import Store

LINES = {"Content-Type": "application/x-ndjson"}


def post(number: int, text: str = "the lighthouse at Noss is lit again") -> dict[str, str]:
    return {
        "platform": "x", "id": f"{number}", "created_at": "2026-02-01T10:00:00Z", "text": f"{text} {number}",
        "author": f"keeper{number}",
    }  # fmt: skip


def body(*posts: object) -> str:
    return "\n".join(one if isinstance(one, str) else json.dumps(one) for one in posts)


def found(url: str, query: str, wanted: int) -> int:
    """How many posts match, once as many as wanted do, or after two seconds."""
    deadline = time.monotonic() + 2
    while True:
        count = len(
            httpx.get(f"{url}/v1/search", headers=AUTH, params={"q": query, "limit": 100}).json()["hits"]
        )
        if count >= wanted or time.monotonic() > deadline:
            return count
        time.sleep(0.02)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of an empty store; each test sends posts of its own."""
    with Running(tmp_path_factory.mktemp("ingest") / "store") as one:
        yield one


def test_lines_become_posts_or_are_set_aside_with_their_place(running: Running) -> None:
    sent = body(post(1), "not json", "", post(2), post(1), '{"platform": "x"}')
    done = running.post("/v1/ingest", content=sent, headers=LINES).json()
    counts = {name: done[name] for name in ("read", "accepted", "duplicates", "rejected")}
    assert counts == {"read": 5, "accepted": 2, "duplicates": 1, "rejected": 2}
    assert [reject["line"] for reject in done["rejects"]] == [2, 6]
    assert found(running.url, "lighthouse", 2) == 2
    again = running.post("/v1/ingest", content=sent, headers=LINES).json()
    assert (again["accepted"], again["duplicates"]) == (0, 3)
    for url, headers, status in (
        ("/v1/ingest", {"Content-Type": "application/json"}, 415),
        ("/v1/ingest?format=morse", LINES, 400),
    ):
        assert running.post(url, content=sent, headers=headers).status_code == status


def test_a_line_over_the_limit_is_rejected_alone_and_a_body_over_the_limit_is_refused(
    running: Running,
) -> None:
    packed = {**LINES, "Content-Encoding": "gzip"}
    sent = gzip.compress(body(post(11), '{"text": "' + "x" * 17_000_000, post(12)).encode())
    done = running.post("/v1/ingest", content=sent, headers=packed).json()
    assert (done["accepted"], done["rejected"]) == (2, 1)
    assert done["rejects"] == [{"line": 2, "reason": "longer than 16 MiB"}]
    bomb = gzip.compress(b"x" * 64_000_001)
    assert running.post("/v1/ingest", content=bomb, headers=packed).status_code == 413
    unknown = {**LINES, "Content-Encoding": "br"}
    assert running.post("/v1/ingest", content=b"", headers=unknown).status_code == 415


def test_what_is_forgiven_is_counted(running: Running) -> None:
    sent = body({**post(21), "likes": "many"}, {**post(22), "likes": "few"})
    done = running.post("/v1/ingest", content=sent, headers=LINES).json()
    assert (done["accepted"], done["rejected"], done["forgiven"]) == (2, 0, {"likes": 2})


@pytest.mark.long
def test_what_is_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "store"
    with Running(data) as running:
        acknowledged = 0
        for start in range(1, 2001, 400):
            sent = body(*(post(i) for i in range(start, start + 400)))
            acknowledged += running.post("/v1/ingest", content=sent, headers=LINES).json()["accepted"]
        running.kill()
    assert acknowledged == 2000
    with Running(data) as running:
        assert running.get("/v1/posts/x:1999").status_code == 200
        deadline = time.monotonic() + 10
        while running.get("/v1/stats").json()["posts"] < 2000:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_deletion_sent_by_http_is_seen_at_once(sample_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "store"
    shutil.copytree(sample_data, data)
    with Running(data) as running:
        ask = {"question": "How many people died in the Port Esker explosion?"}
        before = running.post("/v1/ask", json=ask).json()
        cited = before["sources"][0]
        gone = {
            "kind": "deleted",
            "platform": cited["network"],
            "id": cited["id"],
            "at": "2026-03-19T00:00:00Z",
        }
        done = running.post("/v1/ingest", content=json.dumps(gone), headers=LINES).json()
        assert done["deleted"] == 1
        assert running.get(f"/v1/posts/{cited['key']}").status_code == 404
        after = running.post("/v1/ask", json=ask).json()
        assert cited["key"] not in {source["key"] for source in after["sources"]}
        hits = running.get("/v1/search", params={"q": "Port Esker", "limit": 100}).json()["hits"]
        assert cited["key"] not in {hit["key"] for hit in hits}
    assert Store.open(data).get(cited["key"]) is None
