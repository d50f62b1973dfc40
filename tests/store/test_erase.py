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
from trinch.store.purge_marks import PurgeMarks
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


def files_with(folder: Path, word: str, *bodies: bytes) -> list[Path]:
    """The files that hold a word, in any case, or one of the bodies as the log stores them."""
    found = []
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        if word.encode() in content.lower() or any(body in content for body in bodies):
            found.append(path)
    return found


def bodies(store: Store) -> list[bytes]:
    """What the log stores of the posts that hold the marker."""
    return store.log.stored_bodies(store.log.seqs_of("id500"))


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
    assert len(files_with(tmp_path, MARKER, *bodies(store))) == 2, "in the log and in the rejected input"
    assert store.doc_freq(MARKER) == 2
    return store


@pytest.mark.parametrize("what", [{"id": "x:id500"}, {"author": "@Eve"}, {"query": MARKER}])
def test_nothing_of_an_erased_post_remains(store: Store, what: dict[str, str]) -> None:
    stored = bodies(store)
    assert len(stored) == 2
    certificate = erase(store, **what)  # type: ignore[arg-type]
    assert sorted(certificate.ids) == ["x:id500", "x:id501"]
    assert certificate.rejected_lines == 1
    assert certificate.files_with_text == []
    assert files_with(store.data, MARKER, *stored) == []
    assert store.doc_freq(MARKER) == 0
    assert store.num_posts == 200
    assert len(store.search("ferry", limit=300)) == 200
    assert (store.data / "rejected.jsonl").read_text().count("\n") == 1
    assert store.ingest([created(500, MARKER)]).duplicates == 1, "it does not come back"


def test_a_dry_run_changes_nothing(store: Store) -> None:
    certificate = erase(store, query=MARKER, dry_run=True)
    assert sorted(certificate.ids) == ["x:id500", "x:id501"]
    assert store.log.versions(store.log.seqs_of("id500"))
    assert len(files_with(store.data, MARKER, *bodies(store))) == 2


def test_erasing_while_an_indexer_runs(store: Store) -> None:
    with indexer.running(store.data):
        assert erase(store, query=MARKER).files_with_text == []
    assert files_with(store.data, MARKER) == []


def test_the_command_prints_its_certificate(store: Store) -> None:
    stored = bodies(store)
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
    assert files_with(store.data, MARKER, *stored) == []
    assert subprocess.run([*command[:4], "--data", str(store.data)], capture_output=True).returncode == 2


def test_only_segments_that_held_an_erased_post_are_written_anew(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    for group in range(3):
        numbers = range(group * 40, group * 40 + 40)
        store.ingest([created(n, f"the ferry {n} {MARKER if n == 50 else ''} is late") for n in numbers])
        store.catch_up()
    store.ingest([ev.Deleted(at=NOON, network="x", id="id3")])
    store.catch_up()
    assert store.index.try_write()
    first, second = files_of_segments(tmp_path), store.log.seqs_of("x:id50")
    store.ingest([ev.Deleted(at=NOON, network="x", id="id50")])
    store.index.close()
    store.catch_up()
    assert store.doc_freq(MARKER) == 1, "marked as deleted only"
    assert store.index.try_write()
    assert store.index.purge(store.log.versions, second) == 39
    assert store.doc_freq(MARKER) == 0
    assert len(first & files_of_segments(tmp_path)) == 2, "the other segments are as they were"
    assert store.index.purge(store.log.versions, second) == 0
    assert store.index.purge(store.log.versions) == 39, "the post deleted before"
    assert store.index.purge(store.log.versions) == 0
    store.index.close()
    assert len(store.search("ferry", limit=300)) == 118


def files_of_segments(data: Path) -> set[str]:
    return {path.stem for path in (data / "text").glob("*.term")}


def test_an_index_of_before_the_marks_is_purged_whole(store: Store) -> None:
    store.ingest([ev.Deleted(at=NOON, network="x", id="id500")])
    store.catch_up()
    (store.data / "text" / "erased.jsonl").unlink()
    indexer.request_purge(store.data)
    assert indexer.purge_if_requested(store.log, store.index, store.data)
    assert store.doc_freq(MARKER) == 0


def test_marks_of_segments_that_were_merged_count_for_those_made_since(tmp_path: Path) -> None:
    marks = PurgeMarks(tmp_path)
    marks.begin(is_empty=True)
    marks.add({1: "a", 2: "b", 3: None}, ["a", "b"])
    assert marks.marked(["a", "b"], None) == {"a", "b"}
    assert marks.marked(["a", "b"], [1]) == {"a"}
    assert marks.marked(["a", "b", "c"], [3]) == {"c"}, "it was written to a segment that came later"
    assert marks.marked(["b", "merged"], [1]) == {"merged"}, "the merge may have begun before the deletion"
    assert marks.marked(["b", "merged"], [7]) == set()
    marks.forget([1])
    assert marks.marked(["a", "b", "c"], None) == {"b", "c"}
    marks.forget(None)
    assert marks.marked(["a", "b", "c"], None) == set()
    (tmp_path / "erased.jsonl").unlink()
    marks.begin(is_empty=False)
    assert marks.marked(["a", "b"], None) == {"a", "b"}


def test_an_interrupted_erasure_is_finished_by_the_same_command(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    stored = bodies(store)
    with monkeypatch.context() as patched:
        patched.setattr(store.index, "purge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            erase(store, query=MARKER)
    assert store.doc_freq(MARKER)
    erase(store, query=MARKER)
    assert store.doc_freq(MARKER) == 0
    assert files_with(store.data, MARKER, *stored) == []
