"""The index of terms: it follows the log, exactly once over any crash, bounded, without what is deleted or hidden."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.stories.invented import AS_OF, DAY, HOUR, NEWS_DAY, START, post, small_talk, store_of
from trinch.posts.schema import (
    AccountGone,
    AccountHidden,
    AccountRestored,
    Created,
    Deleted,
    Edited,
    Hidden,
    Restored,
)
from trinch.posts.times import now
from trinch.store.budget import Budget
from trinch.store.store import Store
from trinch.stories import packed, term_index
from trinch.stories.detect import stories
from trinch.stories.term_index import FILE, Only, TermIndex


@contextmanager
def index_of(store: Store) -> Iterator[TermIndex]:
    """The index, up to date."""
    index = TermIndex(store.data, store.log)
    assert index.catch_up()
    yield index
    index.close()


def content(store: Store) -> list[tuple[object, ...]]:
    """Every row of the index."""
    with index_of(store):
        db = sqlite3.connect(store.data / FILE)
        select = "SELECT seq, at, account, source, network, lang, hidden, words, marks FROM texts JOIN origins ON id = origin"
        rows = db.execute(f"{select} ORDER BY seq").fetchall()
        db.close()
    return rows


def held(store: Store, term: str, day: int) -> int:
    with index_of(store) as index:
        return index.day(day).held(term)


def test_a_day_is_counted_once_and_again_when_its_posts_change(store: Store) -> None:
    day = NEWS_DAY // DAY - 3
    with index_of(store) as index:
        counted = index.day(day)
        assert counted.texts > 100
        assert counted.held("brinholm") > 2
        rows = sqlite3.connect(store.data / FILE).execute("SELECT day, texts FROM days").fetchall()
        assert rows == [(day, counted.texts)]
        store.ingest([Deleted(at=now(), network="x", id=f"talk7-{n}") for n in range(40)])
        index.catch_up()
        assert index.day(day).texts == counted.texts - 40


def test_the_index_holds_no_text_and_can_be_lost(store: Store) -> None:
    before = stories(store, AS_OF, DAY)
    file = store.data / FILE
    assert b"brinholm" not in file.read_bytes().lower()
    for part in store.data.glob(f"{FILE}*"):
        part.unlink()
    assert stories(store, AS_OF, DAY) == before
    file.write_bytes(b"not a database" * 1000)
    for part in store.data.glob(f"{FILE}-*"):
        part.unlink()
    assert stories(store, AS_OF, DAY) == before


def test_an_index_of_another_store_is_built_again(store: Store, tmp_path: object) -> None:
    content(store)
    other = store_of(tmp_path / "other", small_talk(days=2))  # type: ignore[operator]
    expected = content(other)
    for part in other.data.glob(f"{FILE}*"):
        part.unlink()
    (other.data / FILE).write_bytes((store.data / FILE).read_bytes())
    assert content(other) == expected
    other.close()


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_a_process_killed_while_it_follows_loses_and_repeats_nothing(store: Store, batches: int) -> None:
    expected = content(store)
    for part in store.data.glob(f"{FILE}*"):
        part.unlink()
    program = (
        "import sys, os, signal\n"
        "from trinch.store.store import Store\n"
        "from trinch.stories import term_index\n"
        "from trinch.stories.term_index import TermIndex\n"
        "term_index.BATCH = 400\n"
        "class Killed(TermIndex):\n"
        "    done = 0\n"
        "    def _apply(self, entries):\n"
        "        super()._apply(entries)\n"
        f"        if Killed.done == {batches}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        Killed.done += 1\n"
        "store = Store.open(sys.argv[1])\n"
        "Killed(store.data, store.log).catch_up()\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(store.data)], check=False)
    assert killed.returncode == -9
    assert content(store) == expected


def test_deleted_and_hidden_posts_do_not_count_and_come_back(store: Store) -> None:
    day = NEWS_DAY // DAY
    before = held(store, "corvina", day)

    def after(*events: object) -> int:
        store.ingest(events)  # type: ignore[arg-type]
        return before - held(store, "corvina", day)

    ferry, author = {"network": "x", "id": "ferry2"}, {"network": "x", "author_id": "ferry-author3"}
    assert after(Hidden(at=now(), reason="withheld", **ferry)) == 1
    assert after(AccountHidden(at=now(), reason="protected", **author)) == 2
    assert after(Restored(at=now(), reason="withheld", **ferry)) == 1
    assert after(AccountRestored(at=now(), reason="protected", **author)) == 0
    assert after(Deleted(at=now(), **ferry)) == 1
    assert after(AccountGone(at=now(), **author)) == 2


def test_a_replaced_version_counts_until_it_was_replaced(store: Store) -> None:
    edited = post("ferry0b", AS_OF - HOUR, "the Corvina is afloat again").post
    store.ingest([Edited(at=AS_OF - HOUR, network="x", post=edited, replaces=("ferry0",))])
    with index_of(store) as index:
        early = index.texts(NEWS_DAY, AS_OF, 10_000, AS_OF - 2 * HOUR)
        late = index.texts(NEWS_DAY, AS_OF, 10_000, AS_OF)
    old = packed.pack("Ferry Corvina runs aground off Tarnish Point", "en")
    assert old in early.words
    assert old not in late.words
    assert packed.pack(edited.text, "en") in late.words


def test_the_same_events_in_any_batches_make_the_same_index(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = list(small_talk(days=3))
    events += [Deleted(at=START + DAY, network="x", id=f"talk0-{n}") for n in range(0, 150, 7)]
    made = []
    for name, batch in (("one", 2000), ("many", 37)):
        monkeypatch.setattr(term_index, "BATCH", batch)
        store = store_of(tmp_path / name, events)  # type: ignore[operator]
        made.append(content(store))
        store.close()
    assert made[0] == made[1]


def test_of_a_busy_hour_an_even_sample_is_kept_whatever_the_batches(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term_index, "HOURLY", 200)
    chance = random.Random(3)
    events: list[Created] = [
        post(str(n), START + n * 1_000_000, f"the {chance.choice(['garden', 'piano'])} sings {n}", f"a{n}")
        for n in range(3000)
    ]
    kept = []
    for name, batch in (("one", 5000), ("many", 50)):
        monkeypatch.setattr(term_index, "BATCH", batch)
        store = store_of(tmp_path / name, events)  # type: ignore[operator]
        kept.append([row[0] for row in content(store)])
        with index_of(store) as index:
            assert index.day(START // DAY).texts == 2  # all are copies of two texts
        store.close()
    assert kept[0] == kept[1]
    assert 100 <= len(kept[0]) <= 200
    assert abs(sum(kept[0]) / len(kept[0]) - 1500) < 200  # over the whole hour


def test_a_budget_ends_the_work_and_the_next_call_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term_index, "BATCH", 100)
    index = TermIndex(store.data, store.log)
    assert not index.catch_up(Budget(0))
    behind = index.behind
    assert behind == store.log.last_seq
    assert index.catch_up()
    assert index.behind == 0
    index.close()


def test_posts_of_one_language_or_network_are_read_alone(store: Store) -> None:
    store.ingest(
        [post(f"fr{n}", AS_OF - HOUR, f"le pont de Velden est ferme {n}", lang="fr") for n in range(3)]
    )
    with index_of(store) as index:
        assert len(index.texts(NEWS_DAY, AS_OF, 10_000, AS_OF, Only(lang="fr")).seq) == 3
        assert len(index.texts(NEWS_DAY, AS_OF, 10_000, AS_OF, Only(lang="de")).seq) == 0
        assert len(index.texts(NEWS_DAY, AS_OF, 10_000, AS_OF, Only(network="x")).seq) > 100
        assert index.day(NEWS_DAY // DAY, Only(lang="fr")).texts == 1  # copies but for a number count once
