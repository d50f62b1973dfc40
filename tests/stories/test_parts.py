"""The parts of the stories: terms, day counts and their cache, bursts, clusters, trends."""

import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stories.invented import AS_OF, DAY, FERRY, HOUR, NEWS_DAY, post
from trinch.posts.schema import Deleted
from trinch.posts.times import now
from trinch.store.store import Store
from trinch.stories import baseline, bursts, clusters
from trinch.stories.baseline import Baseline, count, hashed
from trinch.stories.counter import count_days
from trinch.stories.detect import stories
from trinch.stories.trends import trends
from trinch.stories.words import marks, surface, topical


def test_terms_are_content_words_and_pairs_of_them() -> None:
    assert topical("The ferry Corvina ran aground at 12:40 on 5/4", "en") == (
        "ferri", "corvina", "ferri corvina", "ran", "corvina ran", "aground", "ran aground",
    )  # fmt: skip
    assert "boston strong" in topical("#BostonStrong", "en")
    assert topical("I love you so much, please look @anna https://example.org/a", "en") == ()


@given(st.text(max_size=400))
def test_any_text_has_terms_and_marks(text: str) -> None:
    found = topical(text, "en")
    assert len(set(found)) == len(found)
    assert all(term == term.strip() and term.count(" ") <= 1 for term in found)
    made = post("1", 0, text).post
    assert all(mark[0] == "#" or mark.startswith("link:") for mark in marks(made))


def test_marks_are_tags_and_links() -> None:
    made = post("1", 0, "look #News https://www.example.org/Path/?a=1, and #news").post
    assert marks(made) == ("#news", "link:example.org/Path/?a=1,")


def test_terms_are_shown_as_most_posts_write_them() -> None:
    texts = [("Port Esker burns", "en"), ("in Port Esker", "en"), ("port esker", "en"), ("elsewhere", "en")]
    assert surface("port esker", texts) == "Port Esker"
    assert surface("nowher", texts) == "nowher"


@given(st.lists(st.lists(st.sampled_from("abcdefg"), unique=True), max_size=30))
def test_day_counts_are_exact_from_two_texts_on(texts: list[list[str]]) -> None:
    counted = count(texts)
    for term in "abcdefgh":
        held = sum(term in text for text in texts)
        assert counted.held(term) == (held if held >= baseline.REPEATED else 0)


def test_a_day_is_counted_once_and_again_when_its_posts_change(store: Store) -> None:
    day = NEWS_DAY // DAY - 3
    first = Baseline(store)
    counted = first.day(day)
    assert counted.texts > 100
    assert counted.held("brinholm") > 2
    first.close()
    rows = sqlite3.connect(store.data / baseline.CACHE).execute("SELECT day, texts FROM days").fetchall()
    assert rows == [(day, counted.texts)]
    deleted = [f"talk7-{n}" for n in range(40)]
    store.ingest([Deleted(at=now(), network="x", id=id) for id in deleted])
    store.catch_up()
    again = Baseline(store)
    assert again.day(day).texts == counted.texts - 40
    again.close()


def test_the_cache_holds_no_text_and_can_be_lost(store: Store) -> None:
    before = stories(store, AS_OF, DAY)
    cache = store.data / baseline.CACHE
    assert b"brinholm" not in cache.read_bytes().lower()
    for file in store.data.glob(f"{baseline.CACHE}*"):
        file.unlink()
    assert stories(store, AS_OF, DAY) == before
    cache.write_bytes(b"not a database" * 1000)
    for file in store.data.glob(f"{baseline.CACHE}-*"):
        file.unlink()
    assert stories(store, AS_OF, DAY) == before


def test_a_process_killed_while_it_counts_leaves_nothing_wrong(store: Store) -> None:
    expected = stories(store, AS_OF, DAY)
    for file in store.data.glob(f"{baseline.CACHE}*"):
        file.unlink()
    program = (
        "import sys, os, signal\n"
        "from trinch.store.store import Store\n"
        "from trinch.stories.detect import stories\n"
        "def progress(done, days):\n"
        "    if done == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"stories(Store.open(sys.argv[1]), {AS_OF}, {DAY}, progress=progress)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(store.data)], check=False)
    assert killed.returncode == -9
    assert stories(store, AS_OF, DAY) == expected


def test_the_counter_counts_the_days_before_the_newest(store: Store) -> None:
    assert count_days(store) == 10
    cached = sqlite3.connect(store.data / baseline.CACHE).execute("SELECT count(*) FROM days").fetchone()
    assert cached == (10,)


def days_of(counts: list[dict[str, int]], texts: int = 100) -> list[baseline.DayCounts]:
    """Days of so many texts, in which each term is held by so many."""
    made = []
    for day in counts:
        terms = sorted(day, key=lambda term: int(hashed([term])[0]))
        made.append(
            baseline.DayCounts(texts, hashed(terms), np.array([day[term] for term in terms], dtype=np.uint32))
        )
    return made


def test_a_term_bursts_against_its_own_past() -> None:
    holders = {"news": list(range(10)), "always": list(range(20)), "few": [1, 2]}
    days = days_of([{"always": 18, "news": 0}] * 14)
    found = bursts.bursts(holders, 100, days, {"news": 0.01, "always": 0.18, "few": 0.0}.__getitem__)
    assert list(found) == ["news"]
    assert found["news"].found == 10
    assert found["news"].expected < 1


def test_a_story_of_four_days_still_bursts() -> None:
    holders = {"news": list(range(10))}
    days = days_of([{"news": 0}] * 10 + [{"news": 12}] * 4)
    burst = bursts.bursts(holders, 100, days, lambda _: 0.0)["news"]
    assert burst.quiet < burst.expected < burst.usual


def test_a_word_of_everyday_use_needs_more_where_little_is_known_of_the_past() -> None:
    holders = {"today": list(range(10))}
    days = days_of([{"today": 0}] * 2, texts=150)
    assert bursts.bursts(holders, 100, days, lambda _: 0.0)
    assert not bursts.bursts(holders, 100, days, lambda _: 0.12)


def test_uneven_is_large_for_what_happens_at_once() -> None:
    parts = np.repeat(np.arange(12), 10)
    assert bursts.uneven(list(range(100, 120)), parts) > 20
    assert bursts.uneven(list(range(0, 120, 6)), parts) < 3


def test_terms_that_go_together_make_one_story_and_others_another() -> None:
    one, other = ["ferri", "corvina", "aground"], ["mayor", "velden"]
    texts = [one] * 6 + [one[:2]] * 3 + [other] * 5 + [["piano"]] * 40
    holders: dict[str, list[int]] = {}
    for place, terms in enumerate(texts):
        for term in terms:
            holders.setdefault(term, []).append(place)
    found = bursts.bursts(holders, len(texts), [], lambda word: 0.8 if word == "piano" else 0.0)
    made = clusters.group(texts, found, holders)
    assert sorted(cluster.texts for cluster in made) == [list(range(9)), list(range(9, 14))]


def test_trends_name_the_story_behind_them(store: Store) -> None:
    found = trends(store, AS_OF, DAY)
    leading = stories(store, AS_OF, DAY)
    by_text = {trend.text: trend for trend in found}
    assert by_text["Corvina"].story == leading[0].id
    assert by_text["mayor Ostrander"].story == leading[1].id
    assert by_text["mayor Ostrander"].headline == leading[1].headline.text
    assert all(trend.growth > 1 and trend.posts >= 3 for trend in found)
    assert "piano" not in by_text


@pytest.mark.parametrize("kind", ["tag", "link"])
def test_tags_and_links_trend(store: Store, kind: str) -> None:
    texts = [f"{text} #corvina https://example.org/corvina" for text in FERRY]
    store.ingest([post(f"tag{n}", AS_OF - HOUR + n, text, f"tagger{n}") for n, text in enumerate(texts)])
    store.catch_up()
    found = trends(store, AS_OF, DAY, kind=kind)  # type: ignore[arg-type]
    assert [trend.text for trend in found] == [{"tag": "#corvina", "link": "example.org/corvina"}[kind]]
    assert found[0].headline
