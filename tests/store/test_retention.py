"""Retention: what the rules do not keep leaves the log, the index files and the search; the rest stays."""

import json
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.store.test_erase import files_with
from trinch.cli.main import main
from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.posts.times import now
from trinch.store import indexer, retention
from trinch.store.maintenance import check
from trinch.store.query import QueryError
from trinch.store.retention import RetentionError, Rule, Settings
from trinch.store.store import Store
from trinch.store.writer import Rejected, Writer

DAY = 86_400 * 1_000_000


def created(n: int, word: str, network: str = "x", author: str = "ann") -> ev.Created:
    post = Post(
        network=network, id=f"id{n}", text=f"ferry {word} {n}", created_at=now() - 900 * DAY,
        author_id=f"a-{author}", author=author, lang="en",
    )  # fmt: skip
    return ev.Created(at=post.created_at, network=network, post=post)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Forty old posts (ingested 40 days ago, as far as the log says), then forty new ones; half of each on Bluesky."""
    store = Store.open(tmp_path)
    for word, age in (("oldmarker", 40), ("newmarker", 0)):
        first = 0 if age else 100
        events = [created(first + n, word, "bluesky" if n % 2 else "x") for n in range(40)]
        like = ev.CountsChanged(at=now(), network="x", id=f"id{first}", likes=3)
        store.ingest([*events, like])
        store.log._db.execute("UPDATE commits SET at = at - ? WHERE at > ?", (age * DAY, now() - DAY))
    store.catch_up()
    return store


def bodies(store: Store, word: str) -> list[bytes]:
    """What the log stores of the posts that a search for a word finds."""
    return store.log.stored_bodies([hit.seq for hit in store.search(word, limit=1000)])


def found(store: Store) -> dict[str, int]:
    return {word: len(store.search(word, limit=1000)) for word in ("oldmarker", "newmarker")}


def apply_rules(store: Store, *rules: Rule, hidden_days: float = 30) -> None:
    retention.save(store.data, Settings(hidden_days, rules))
    indexer.request_purge(store.data)
    assert indexer.purge_if_requested(store.log, store.index, store.data)
    store.log.checkpoint()


def test_days(store: Store) -> None:
    old = bodies(store, "oldmarker")
    assert len(old) == 40
    assert files_with(store.data, "oldmarker", *old)
    apply_rules(store, Rule(days=30))
    assert found(store) == {"oldmarker": 0, "newmarker": 40}
    assert files_with(store.data, "oldmarker", *old) == []
    assert store.doc_freq("oldmark") == 0
    assert len([*store.log.read(0)]) == 42, (
        "40 posts, their counts, and the removal: old parts fall off whole"
    )
    assert store.search("newmarker id100 OR newmarker", limit=100)[0].post.likes in (None, 3)
    certificates = [json.loads(line) for line in (store.data / "erasures.jsonl").read_text().splitlines()]
    assert [(c["requested"], c["versions"]) for c in certificates] == [
        ("retention: keep 30 days of all posts", 40)
    ]
    assert check(store.data).problems == []
    apply_rules(store, Rule(days=30))
    assert len((store.data / "erasures.jsonl").read_text().splitlines()) == 1, "nothing more was due"


@pytest.mark.parametrize(
    ("rule", "left"),
    [
        (Rule(days=30, network="bluesky"), 20),
        (Rule(days=30, query="from:ann -oldmarker"), 40),
        (Rule(days=30, query='"oldmarker 3"', network="bluesky"), 39),
        (Rule(days=50), 40),
        (Rule(days=30, network="reddit"), 40),
    ],
    ids=str,
)
def test_by_network_and_query(store: Store, rule: Rule, left: int) -> None:
    apply_rules(store, rule)
    assert found(store) == {"oldmarker": left, "newmarker": 40}


def test_gigabytes(store: Store) -> None:
    apply_rules(store, Rule(gigabytes=100))
    assert found(store) == {"oldmarker": 40, "newmarker": 40}
    used = store.log.bytes_used + sum(file.stat().st_size for file in (store.data / "text").rglob("*"))
    apply_rules(store, Rule(gigabytes=used / 2 / 1e9))
    assert 0 <= found(store)["oldmarker"] < 10
    assert found(store)["newmarker"] == 40, "the oldest go first"
    apply_rules(store, Rule(gigabytes=0))
    assert found(store) == {"oldmarker": 0, "newmarker": 0}


def test_the_index_can_be_built_again_and_positions_are_never_given_twice(store: Store) -> None:
    apply_rules(store, Rule(days=0))
    last = store.log.last_seq
    assert store.ingest([created(500, "again")]).last_seq == last + 1
    store.catch_up()
    assert len(store.search("again")) == 1
    assert store.ingest([created(1, "oldmarker", "bluesky")]).accepted == 1, "its id is not barred"


def test_what_was_hidden_for_longer_than_the_limit_is_erased_and_stays_hidden(store: Store) -> None:
    store.ingest([ev.AccountHidden(at=now(), network="x", author_id="a-ann", reason="protected")])
    store.ingest([ev.Hidden(at=now(), network="bluesky", id="id1", reason="withheld")])
    apply_rules(store)
    assert store.log.stored_bodies(store.log.seqs_of("x:id0")), "hidden just now"
    store.log._db.execute("UPDATE commits SET at = at - ?", (31 * DAY,))
    store.ingest([ev.AccountHidden(at=now(), network="bluesky", author_id="a-ann", reason="suspended")])
    apply_rules(store)
    assert store.log.seqs_of("x:id0") == []
    assert store.log.seqs_of("bluesky:id1") == []
    assert store.log.seqs_of("bluesky:id3"), "not hidden for so long"
    store.ingest([created(0, "oldmarker")])
    assert store.get("x:id0") is None, "a copy that comes again is still hidden"
    store.ingest([ev.AccountRestored(at=now(), network="x", author_id="a-ann", reason="protected")])
    assert store.get("x:id0") is not None


def test_a_running_indexer_removes_and_erases_within_a_day_over_restarts(store: Store) -> None:
    retention.save(store.data, Settings(30, (Rule(days=30),)))
    writer = Writer(store.data)
    writer.reject(Rejected("f", 1, "broken", b'{"id": "id101", "text": "half of a deleted post"'))
    writer.reject(Rejected("f", 2, "broken", b'{"id": "id1010"'))
    writer.close()
    stored = store.log.stored_bodies(store.log.seqs_of("bluesky:id101"))
    store.ingest([ev.Deleted(at=now(), network="bluesky", id="id101")])
    (store.data / "text" / "purged").write_text(f"0 {now() - 19 * 3600 * 1_000_000}")
    with indexer.running(store.data):
        time.sleep(0.5)
    assert found(store)["oldmarker"] == 40, "not due yet"
    (store.data / "text" / "purged").write_text(f"0 {now() - 21 * 3600 * 1_000_000}")
    with indexer.running(store.data) as process:
        _wait_until_purged(store.data, process)
    assert found(store) == {"oldmarker": 0, "newmarker": 39}
    assert files_with(store.data, "newmarker 101", *stored) == []
    lines = (store.data / "rejected.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in lines] == [2]


def _wait_until_purged(data: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while now() - int((data / "text" / "purged").read_text().split()[1]) > 3600 * 1_000_000:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_rules_that_cannot_be_used_remove_nothing(store: Store) -> None:
    for rule in (Rule(), Rule(days=1, gigabytes=1), Rule(days=-1), Rule(days=float("nan"))):
        with pytest.raises(RetentionError):
            retention.set_rule(store.data, rule)
    with pytest.raises(QueryError):
        retention.set_rule(store.data, Rule(days=1, query="min_faves:many"))
    (store.data / "retention.json").write_text('{"rules": [{"days": "all"}]}')
    indexer.request_purge(store.data)
    assert indexer.purge_if_requested(store.log, store.index, store.data), "the purge itself goes on"
    assert found(store) == {"oldmarker": 40, "newmarker": 40}


def test_the_command(store: Store) -> None:
    data = str(store.data)
    store.close()

    def run(*arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(main, ["retain", *arguments, "--data", data])
        assert result.exit_code == status, result.output
        return result.stdout

    assert "hidden 30 days" in run()
    assert json.loads(run("--days", "30", "--json"))[0] == {"rule": "keep 30 days of all posts", "due": 40}
    assert json.loads(run("--days", "35", "--json"))[0] == {"rule": "keep 35 days of all posts", "due": 40}
    run("--gigabytes", "1", "--network", "x")
    assert len(json.loads(run("--json"))) == 3
    run("--forever", "--network", "x")
    assert json.loads(run("--hidden-days", "7", "--now", "--json")) == [
        {"rule": "keep 35 days of all posts", "removed": 40},
        {"rule": "erase what was hidden 7 days", "removed": 0},
    ]
    assert files_with(store.data, "oldmarker") == []
    run("--network", "x", status=2)
    run("--days", "1", "--gigabytes", "1", status=2)
    run("--days", "1", "--query", "min_faves:many", status=2)
