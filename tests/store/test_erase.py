"""Erasing: afterwards no file of the folder contains the erased words, and the index does not know them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.store import indexer
from trinch.store.erase import erase
from trinch.store.store import Store
from trinch.store.writer import Rejected, Writer

NOON = 1_366_000_000_000_000
MARKER = "zyxwvut77"


def created(n: int, text: str, author: str = "ann") -> ev.Created:
    post = Post(
        network="x",
        id=f"id{n}",
        text=text,
        created_at=NOON,
        author_id=f"a-{author}",
        author=author,
        lang="en",
    )
    return ev.Created(at=NOON + n, network="x", post=post)


def files_with(folder: Path, word: str) -> list[Path]:
    return [
        path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes().lower()
    ]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store.open(tmp_path)
    store.ingest([created(n, f"the ferry {n} is late") for n in range(200)])
    store.ingest([created(500, f"my secret {MARKER} word", author="eve")])
    store.catch_up()
    edited = created(501, f"my other {MARKER} word", author="eve").post
    store.ingest([ev.Edited(at=NOON + 501, network="x", post=edited, replaces=("id500",))])
    store.ingest([ev.AccountHidden(at=NOON, network="x", author_id="a-eve", reason="suspended")])
    writer = Writer(tmp_path)
    writer.reject(Rejected("f", 1, "broken", b'{"id": "id500", "text": "' + MARKER.encode() + b'"'))
    writer.reject(Rejected("f", 2, "broken", b'{"id": "other"'))
    writer.close()
    store.catch_up()
    assert len(files_with(tmp_path, MARKER)) == 2, "in the log and in the rejected input"
    assert store.doc_freq(MARKER) == 2
    return store


@pytest.mark.parametrize("what", [{"id": "x:id500"}, {"author": "@Eve"}, {"query": MARKER}])
def test_nothing_of_an_erased_post_remains(store: Store, what: dict[str, str]) -> None:
    certificate = erase(store, **what)  # type: ignore[arg-type]
    assert sorted(certificate.ids) == ["x:id500", "x:id501"]
    assert certificate.rejected_lines == 1
    assert certificate.files_with_text == []
    assert files_with(store.data, MARKER) == []
    assert store.doc_freq(MARKER) == 0
    assert store.num_posts == 200
    assert len(store.search("ferry", limit=300)) == 200
    assert (store.data / "rejected.jsonl").read_text().count("\n") == 1
    assert store.ingest([created(500, MARKER)]).duplicates == 1, "it does not come back"


def test_a_dry_run_changes_nothing(store: Store) -> None:
    certificate = erase(store, query=MARKER, dry_run=True)
    assert sorted(certificate.ids) == ["x:id500", "x:id501"]
    assert store.log.versions(store.log.seqs_of("id500"))
    assert files_with(store.data, MARKER)


def test_erasing_while_an_indexer_runs(store: Store) -> None:
    with indexer.running(store.data):
        assert erase(store, query=MARKER).files_with_text == []
    assert files_with(store.data, MARKER) == []


def test_the_command_prints_its_certificate(store: Store) -> None:
    store.close()
    command = [
        sys.executable,
        "-m",
        "trinch.cli.main",
        "erase",
        "--author",
        "eve",
        "--json",
        "--data",
        str(store.data),
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout)["versions"] == 2
    assert files_with(store.data, MARKER) == []
    assert subprocess.run([*command[:4], "--data", str(store.data)], capture_output=True).returncode == 2
