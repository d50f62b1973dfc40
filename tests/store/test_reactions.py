"""Likes of posts that are edited, dropped, recovered or joined: each counts once, and can be taken back."""

from pathlib import Path

import pytest

from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.store import maintenance
from trinch.store.database import DATABASE
from trinch.store.log import Log

NOON, SECOND = 1_366_000_000_000_000, 1_000_000


def post(id: str, text: str, likes: int | None = None) -> Post:
    return Post(network="x", id=id, text=text, created_at=NOON, author_id="a", likes=likes)


def created(id: str, likes: int | None = None) -> ev.Created:
    return ev.Created(at=NOON, network="x", post=post(id, f"post {id}", likes))


def edited(id: str, at: int, replaces: tuple[str, ...] = ()) -> ev.Edited:
    return ev.Edited(at=NOON + at * SECOND, network="x", post=post(id, f"version {at}"), replaces=replaces)


def like(id: str, record: str, at: int = 5) -> ev.Reacted:
    return ev.Reacted(at=NOON + at * SECOND, network="x", id=id, record=record, what="like")


def unlike(record: str, at: int = 9) -> ev.Unreacted:
    return ev.Unreacted(at=NOON + at * SECOND, network="x", record=record)


def likes(log: Log) -> dict[str, int | None]:
    found = log.visible(list(range(1, log.last_seq + 1)))
    return {version.post.id: version.post.likes for version in found.values()}


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / DATABASE)


@pytest.mark.parametrize("size", [1, 2])
def test_a_like_of_an_older_version_is_taken_back_beside_a_new_like(log: Log, size: int) -> None:
    log.append([created("1"), like("1", "first")])
    log.append([edited("1", 6), ev.CountsChanged(at=NOON + 7 * SECOND, network="x", id="1", likes=0)])
    events = [unlike("first", 8), like("1", "second", 9)]
    for start in range(0, len(events), size):
        log.append(events[start : start + size])
    assert likes(log) == {"1": 1}


def test_a_like_outlives_the_version_that_retention_drops(log: Log) -> None:
    log.append([created("1"), like("1", "first")])
    log.append([edited("1", 6)])
    log.append([created("2")])
    log.drop([1])
    log.drop_counts(1)
    assert log.append([like("1", "first")]).duplicates == 1
    assert likes(log)["1"] == 1
    assert log.append([unlike("first")]).accepted == 1
    assert likes(log)["1"] == 0


def test_a_like_can_be_taken_back_after_a_repair(tmp_path: Path, log: Log) -> None:
    """Also where the count is that of the post itself, so that nothing says that it changed."""
    log.append([created("1", likes=1)])
    log.append([like("1", "first")])
    log.append([like("1", "second")])
    log.append([unlike("second", 6), ev.CountsChanged(at=NOON + 7 * SECOND, network="x", id="1", likes=1)])
    log.close()
    maintenance._recover_log(tmp_path / DATABASE)
    recovered = Log(tmp_path / DATABASE)
    assert likes(recovered) == {"1": 1}
    recovered.append([unlike("first")])
    assert likes(recovered) == {"1": 0}


def test_two_connections_that_append_in_turns_know_what_the_other_did(tmp_path: Path, log: Log) -> None:
    other = Log(tmp_path / DATABASE)
    log.append([created("1"), like("1", "first")])
    other.append([like("1", "second"), edited("1", 6)])
    assert log.append([like("1", "second"), like("1", "third")]).duplicates == 1
    assert other.append([unlike("first"), created("1")]).duplicates == 1
    assert likes(log) == likes(other) == {"1": 2}


def test_what_a_failed_append_had_learnt_is_forgotten(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append([created("1")])

    def fail(_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("trinch.store.tallies.Tallies.flush", fail)
        with pytest.raises(OSError, match="full"):
            log.append([created("2"), like("1", "first"), like("2", "second")])
    assert log.append([created("2"), like("1", "first"), like("2", "second")]).duplicates == 0
    assert likes(log) == {"1": 1, "2": 1}


@pytest.mark.parametrize("other", ["deleted", "visible"])
def test_a_version_sent_again_after_its_account_was_gone_can_be_joined(log: Log, other: str) -> None:
    """Its position was both that of the newest version and that of an old one, and the batch could never be stored."""
    log.append([created("1")])
    log.append([ev.AccountGone(at=NOON + SECOND, network="x", author_id="a", diverged=True)])
    log.append([ev.Edited(at=NOON, network="x", post=post("1", "post 1"))])
    if other == "deleted":
        log.append([ev.Deleted(at=NOON + 2 * SECOND, network="x", id="2")])
        log.append([edited("2", 3, replaces=("1",))])
        assert likes(log) == {}
    else:
        log.append([created("2")])
        log.append([edited("3", 3, replaces=("2", "1"))])
        assert likes(log).keys() == {"3"}
