"""The process that indexes: when it ends, which process it waits for, and what it does with an index of another log."""

import threading
import time
from pathlib import Path

import pytest

from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.store import indexer
from trinch.store.store import Store
from trinch.store.text_index import read_position

NOON = 1_366_000_000_000_000


def created(n: int, text: str = "ferry") -> ev.Created:
    return ev.Created(at=NOON + n, network="x", post=Post(network="x", id=str(n), text=text, created_at=NOON))


def test_catching_up_ends_however_much_is_written_meanwhile(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.ingest([created(0)])
    seen: list[int] = []

    def more(position: int, _: int) -> None:
        seen.append(position)
        store.ingest([created(len(seen))])
        assert len(seen) < 10, "it follows the writer for ever"

    assert store.catch_up(more)
    assert store.search("ferry")


def test_an_indexer_that_had_to_wait_still_leaves_nothing_unindexed(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    assert store.index.try_write()

    def beside() -> None:
        with indexer.running(tmp_path):
            other = Store.open(tmp_path)
            other.ingest([created(1)])

    thread = threading.Thread(target=beside)
    thread.start()
    time.sleep(1.5)
    assert thread.is_alive(), "nobody has indexed the post yet"
    store.index.close()
    thread.join(30)
    assert not thread.is_alive()
    assert read_position(tmp_path / "text") == 1


def test_an_indexer_that_fails_is_reported(tmp_path: Path) -> None:
    with pytest.raises(indexer.IndexerStopped, match="nothing is lost"), indexer.running(tmp_path) as process:
        process.kill()


def test_an_index_of_another_log_is_built_anew(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    store.ingest([created(n, "storm") for n in range(5)])
    store.catch_up()
    store.log.close()
    for file in tmp_path.glob("ocean.db*"):
        file.unlink()
    other = Store.open(tmp_path)
    other.ingest([created(9)])
    assert other.catch_up()
    assert [hit.post.id for hit in other.search("ferry")] == ["9"]
    assert other.num_posts == 1
