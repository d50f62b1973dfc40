"""The log: what each kind of event does, through append and visible."""

from pathlib import Path

import msgspec
import pytest

from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.posts.times import now
from trinch.store.log import Log

NOON = 1_366_000_000_000_000
MINUTE = 60_000_000


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "ocean.db")


def post(id: str, text: str = "hello", *, author: str = "ann", **more: object) -> Post:
    given: dict[str, object] = {"author_id": f"id-{author}", "author": author, "created_at": NOON} | more
    return Post(network="x", id=id, text=text, **given)  # type: ignore[arg-type]  # keyword bag of a test


def created(id: str, text: str = "hello", at: int = NOON, **more: object) -> ev.Created:
    return ev.Created(at=at, network="x", post=post(id, text, **more))


def texts(log: Log, as_of: int | None = None) -> dict[str, str]:
    seqs = [entry.seq for entry in log.read(0)]
    return {v.post.id: v.post.text for v in log.visible(seqs, as_of).values()}


def test_a_post_counts_once_however_often_it_arrives(log: Log) -> None:
    first = log.append([created("1"), created("2"), created("1")])
    assert (first.accepted, first.duplicates, first.last_seq) == (2, 1, 2)
    again = log.append([created("2", "other words")])
    assert (again.accepted, again.duplicates, again.last_seq) == (0, 1, 2)
    assert texts(log) == {"1": "hello", "2": "hello"}


def test_the_same_id_on_two_networks_is_two_posts(log: Log) -> None:
    other = ev.Created(at=NOON, network="reddit", post=msgspec.structs.replace(post("1"), network="reddit"))
    assert log.append([created("1"), other]).accepted == 2
    assert log.networks() == ["reddit", "x"]
    assert len(log.seqs_of("1")) == 2
    assert len(log.seqs_of("reddit:1")) == 1


def test_a_deletion_erases_every_version_and_bars_the_id(log: Log, tmp_path: Path) -> None:
    secret = "zebra crossing at midnight"
    log.append([created("1", secret), ev.Edited(at=NOON + MINUTE, network="x", post=post("1", secret + "!"))])
    stored = log.stored_bodies([1, 2])
    assert len(stored) == 2
    done = log.append([ev.Deleted(at=NOON + 2 * MINUTE, network="x", id="1")])
    assert (done.accepted, done.deleted) == (1, 1)
    assert texts(log) == {}
    assert texts(log, as_of=NOON + MINUTE) == {}, "a deletion counts for every as-of"
    assert log.append([created("1", secret)]).duplicates == 1, "a late copy does not come back"
    assert log.append([ev.Deleted(at=NOON, network="x", id="1")]).duplicates == 1
    log.close()  # the last connection folds the write-ahead log into the file
    content = (tmp_path / "ocean.db").read_bytes()
    assert not any(bytes_ in content for bytes_ in (secret.encode(), *stored))


def test_a_deletion_before_its_post_holds(log: Log) -> None:
    log.append([ev.Deleted(at=NOON, network="x", id="9")])
    assert log.append([created("9")]).duplicates == 1
    assert texts(log) == {}


def test_an_edit_under_the_same_id_is_seen_from_its_time_on(log: Log) -> None:
    edit = ev.Edited(at=NOON + MINUTE, network="x", post=post("1", "new"))
    log.append([created("1", "old"), edit])
    assert texts(log, as_of=NOON) == {"1": "old"}
    assert texts(log, as_of=NOON + MINUTE) == {"1": "new"}
    assert texts(log) == {"1": "new"}
    assert log.append([edit]).duplicates == 1


def test_an_edit_under_a_new_id_replaces_the_old_one(log: Log) -> None:
    edit = ev.Edited(at=NOON + MINUTE, network="x", post=post("2", "new"), replaces=("1",))
    log.append([created("1", "old"), edit, edit])
    assert texts(log) == {"2": "new"}
    assert texts(log, as_of=NOON) == {"1": "old"}
    assert [v.post.text for v in log.visible(log.seqs_of("1")).values()] == ["new"], "the old id leads there"
    log.append([ev.Deleted(at=NOON + 2 * MINUTE, network="x", id="2")])
    assert texts(log) == {} == texts(log, as_of=NOON)


@pytest.mark.parametrize("first", ["word", "edit"])
def test_a_word_that_a_post_was_edited_hides_the_old_version_only(log: Log, first: str) -> None:
    word = ev.Hidden(at=NOON + 2 * MINUTE, network="x", id="1", reason="edited")
    edit = ev.Edited(at=NOON + MINUTE, network="x", post=post("2", "new"), replaces=("1",))
    log.append([created("1", "old")])
    if first == "word":
        log.append([word])
        assert texts(log) == {}, "its new text is not known yet"
    log.append([edit, word, word])
    assert texts(log) == {"2": "new"}


def test_edits_that_arrive_out_of_order_fall_into_place(log: Log) -> None:
    later = ev.Edited(at=NOON + 2 * MINUTE, network="x", post=post("1", "third"))
    earlier = ev.Edited(at=NOON + MINUTE, network="x", post=post("1", "second"))
    log.append([created("1", "first"), later, earlier])
    assert [texts(log, NOON + i * MINUTE)["1"] for i in range(3)] == ["first", "second", "third"]
    assert texts(log) == {"1": "third"}


def test_hiding_needs_every_reason_lifted(log: Log) -> None:
    log.append([created("1")])
    log.append(
        [ev.Hidden(at=NOON, network="x", id="1", reason=r) for r in ("withheld", "dropped", "dropped")]
    )
    assert texts(log) == {}
    log.append([ev.Restored(at=NOON, network="x", id="1", reason="withheld")])
    assert texts(log) == {}
    log.append([ev.Restored(at=NOON, network="x", id="1", reason="dropped")])
    assert texts(log) == {"1": "hello"}


def test_an_account_hides_and_comes_back(log: Log) -> None:
    log.append([created("1"), created("2", author="bob")])
    log.append([ev.AccountHidden(at=NOON, network="x", author_id="id-ann", reason="protected")])
    assert texts(log) == {"2": "hello"}
    log.append([ev.AccountRestored(at=NOON, network="x", author_id="id-ann", reason="protected")])
    assert texts(log) == {"1": "hello", "2": "hello"}


def test_a_gone_account_takes_what_it_posted_before(log: Log) -> None:
    log.append([created("1"), created("2", author="bob")])
    log.append([ev.AccountGone(at=NOON + MINUTE, network="x", author_id="id-ann")])
    late, new = created("3"), created("4", at=NOON + 2 * MINUTE)
    log.append([late, new, created("1")])
    assert texts(log) == {"2": "hello", "4": "hello"}


def test_a_gone_account_takes_nothing_of_others_and_nothing_it_posts_later(log: Log) -> None:
    """What precedes the event in the log goes, also from a clock that is a year ahead; what the account posts after
    its return stays. Other authors, and the same author id on another network, are not concerned."""
    year = 365 * 24 * 60 * MINUTE
    other = msgspec.structs.replace(post("5"), network="reddit")
    log.append([created("1"), created("2", author="bob"), created("3", at=NOON + year)])
    log.append([ev.Created(at=NOON, network="reddit", post=other)])
    gone = ev.AccountGone(at=NOON + MINUTE, network="x", author_id="id-ann")
    log.append([gone])
    assert texts(log) == {"2": "hello", "5": "hello"}
    assert texts(log, as_of=NOON) == {"2": "hello", "5": "hello"}
    log.append([created("6", at=NOON + 2 * MINUTE)])
    assert log.append([gone]).duplicates == 1, "the same event again takes nothing more"
    assert texts(log) == {"2": "hello", "5": "hello", "6": "hello"}
    assert sorted(log.erase_posts_of("x", "id-ann", [1, 2, 3, 4])) == [1, 3]
    assert texts(log) == {"2": "hello", "5": "hello", "6": "hello"}


def test_a_diverged_account_is_sent_again(log: Log) -> None:
    log.append([created("1", "old"), created("2", "stale")])
    log.append([ev.AccountGone(at=NOON + MINUTE, network="x", author_id="id-ann", diverged=True)])
    assert texts(log) == {}
    assert log.append([created("1", "authoritative", at=NOON + 2 * MINUTE)]).accepted == 1
    assert texts(log) == {"1": "authoritative"}


def test_counts_follow_reactions_and_their_undoing(log: Log) -> None:
    like = ev.Reacted(at=NOON + MINUTE, network="x", id="1", record="like/1", what="like")
    unknown = ev.Reacted(at=NOON, network="x", id="99", record="like/2", what="like")
    done = log.append([created("1"), like, like, unknown])
    assert (done.accepted, done.duplicates, done.ignored) == (2, 1, 1)
    assert log.visible([1])[1].post.likes == 1
    assert log.visible([1], as_of=NOON)[1].post.likes is None, "not yet liked then"
    log.append([ev.Unreacted(at=NOON + 2 * MINUTE, network="x", record="like/1")])
    assert log.visible([1])[1].post.likes == 0


def test_counts_seen_later_replace_earlier_ones(log: Log) -> None:
    log.append([created("1", likes=3, reposts=1)])
    assert log.visible([1])[1].post.likes == 3
    assert log.visible([1], as_of=NOON)[1].post.likes is None, "read today, not known then"
    seen = ev.CountsChanged(at=NOON + MINUTE, network="x", id="1", likes=10)
    stale = ev.CountsChanged(at=NOON, network="x", id="1", likes=7)
    done = log.append([seen, stale, seen])
    assert (done.accepted, done.duplicates) == (1, 2)
    counted = log.visible([1])[1].post
    assert (counted.likes, counted.reposts) == (10, 1)


def test_a_new_handle_shows_on_old_posts(log: Log) -> None:
    log.append([created("1"), ev.AccountRenamed(at=NOON, network="x", author_id="id-ann", author="Anna")])
    assert log.visible([1])[1].post.author == "Anna"
    assert log.accounts_named("anna") == ["id-ann"]


def test_nobody_posts_tomorrow(log: Log) -> None:
    log.append([created("1", at=now() + 10**12)])
    assert texts(log) == {"1": "hello"}


def test_the_cursor_moves_with_its_events_or_not_at_all(log: Log) -> None:
    log.append([created("1")], {"live": "100"})
    assert log.cursor("live") == "100"
    broken = msgspec.structs.replace(post("2"), likes=object())
    with pytest.raises(TypeError):
        log.append([created("3"), ev.Created(at=NOON, network="x", post=broken)], {"live": "200"})
    assert log.cursor("live") == "100"
    assert texts(log) == {"1": "hello"}
    assert log.append([created("3")], {"live": "150"}).accepted == 1


def test_a_reaction_that_is_taken_back_in_the_batch_of_its_post_counts_as_none(tmp_path: Path) -> None:
    post = ev.Post(network="bluesky", id="p", text="x", likes=3)
    events = [
        ev.Created(at=1, network="bluesky", post=post),
        ev.Reacted(at=2, network="bluesky", id="p", record="r", what="like"),
        ev.Unreacted(at=3, network="bluesky", record="r"),
    ]
    together, apart = Log(tmp_path / "together.db"), Log(tmp_path / "apart.db")
    together.append(events)
    for event in events:
        apart.append([event])
    for log in (together, apart):
        assert [version.post.likes for version in log.visible([1]).values()] == [3]
