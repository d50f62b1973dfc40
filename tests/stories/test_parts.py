"""The parts of the stories: terms, day counts and their cache, bursts, clusters, trends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stories.invented import AS_OF, DAY, FERRY, HOUR, post
from trinch.store.store import Store
from trinch.stories import baseline, bursts, clusters, packed
from trinch.stories.baseline import count
from trinch.stories.detect import stories
from trinch.stories.trends import trends
from trinch.stories.words import marks, surface, topical

WORDS = ["ferry", "mayor", "piano", "garden", "bridge"]


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


def terms_of(texts: list[list[str]]) -> packed.Terms:
    """The terms of texts, in the shape of `unpack`."""
    rows = [(place, packed.term_hash(term)) for place, terms in enumerate(texts) for term in sorted(terms)]
    places, hashes = zip(*rows, strict=True) if rows else ((), ())
    of = np.array(hashes, dtype=np.uint32)
    return packed.Terms(np.array(places, dtype=np.int64), of, of, of)


@given(st.lists(st.lists(st.sampled_from(WORDS), unique=True), max_size=30))
def test_day_counts_are_exact_from_two_texts_on(texts: list[list[str]]) -> None:
    counted = count(len(texts), terms_of(texts).hash)
    for term in (*WORDS, "absent"):
        held = sum(term in text for text in texts)
        assert counted.held(term) == (held if held >= baseline.REPEATED else 0)


@given(st.lists(st.tuples(st.text(max_size=200), st.sampled_from(["en", "fr", "ja", "und"])), max_size=8))
def test_packed_terms_are_those_of_the_text(texts: list[tuple[str, str]]) -> None:
    unpacked = packed.unpack([packed.pack(text, lang) for text, lang in texts])
    for place, (text, lang) in enumerate(texts):
        expected = {packed.term_hash(term) for term in topical(text, lang)}
        assert set(unpacked.hash[unpacked.text == place].tolist()) == expected


def test_copies_have_one_opening_and_other_texts_another() -> None:
    text = "the ferry Corvina ran aground off Tarnish Point on Monday with eighty people aboard"
    copies = [text, f"RT @anna: {text}", text[:70], f"{text} https://t.co/abc"]
    openings = packed.openings(
        [packed.pack(one, "en") for one in [*copies, "another ferry ran aground", "so"]]
    )
    assert len(set(openings[:4].tolist())) == 1
    assert len(set(openings.tolist())) == 3


def days_of(counts: list[dict[str, int]], texts: int = 100) -> list[baseline.DayCounts]:
    """Days of so many texts, in which each term is held by so many."""
    made = []
    for day in counts:
        terms = sorted(day, key=packed.term_hash)
        hashes = np.array([packed.term_hash(term) for term in terms], dtype=np.uint32)
        made.append(baseline.DayCounts(texts, hashes, np.array([day[t] for t in terms], dtype=np.uint32)))
    return made


NOTHING = baseline.DayCounts(0, np.array([], dtype=np.uint32), np.array([], dtype=np.uint32))


def bursts_of(
    held: dict[str, int],
    days: list[baseline.DayCounts],
    store: baseline.DayCounts = NOTHING,
) -> dict[str, bursts.Burst]:
    """The bursts among terms that so many of 100 texts hold."""
    texts = [[term for term in held if place < held[term]] for place in range(100)]
    names = {packed.term_hash(term): term for term in held}
    found = bursts.bursts(terms_of(texts), 100, days, store)
    return {names[hash]: burst for hash, burst in found.items()}


def test_a_term_bursts_against_its_own_past() -> None:
    days = days_of([{"always": 18, "news": 0}] * 14)
    found = bursts_of({"news": 10, "always": 20, "few": 2}, days, days_of([{"news": 1, "always": 18}])[0])
    assert list(found) == ["news"]
    assert found["news"].found == 10
    assert found["news"].expected < 1


def test_a_story_of_four_days_still_bursts() -> None:
    burst = bursts_of({"news": 10}, days_of([{"news": 0}] * 10 + [{"news": 12}] * 4))["news"]
    assert burst.quiet < burst.expected < burst.usual


def test_a_word_of_everyday_use_needs_more_where_little_is_known_of_the_past() -> None:
    days = days_of([{"today": 0}] * 2, texts=150)
    assert bursts_of({"today": 10}, days)
    assert not bursts_of({"today": 10}, days, days_of([{"today": 12}])[0])


def test_uneven_is_large_for_what_happens_at_once() -> None:
    parts = np.repeat(np.arange(12), 10)
    assert bursts.uneven(list(range(100, 120)), parts) > 20
    assert bursts.uneven(list(range(0, 120, 6)), parts) < 3


def test_terms_that_go_together_make_one_story_and_others_another() -> None:
    one, other = ["ferri", "corvina", "aground"], ["mayor", "velden"]
    texts = [one] * 6 + [one[:2]] * 3 + [other] * 5 + [["piano"]] * 40
    holders = {term: [place for place, terms in enumerate(texts) if term in terms] for term in [*one, *other]}
    found = {term: bursts.Burst(len(held), 0.5, 0.5, 20.0) for term, held in holders.items()}
    made = clusters.group(len(texts), found, holders)
    assert sorted(cluster.texts for cluster in made) == [list(range(9)), list(range(9, 14))]


def test_trends_name_the_story_behind_them(store: Store) -> None:
    found = trends(store, AS_OF, DAY)
    leading = stories(store, AS_OF, DAY)
    by_text = {trend.text: trend for trend in found}
    assert by_text["ferry Corvina"].story == leading[0].id
    assert by_text["mayor Ostrander"].story == leading[1].id
    assert by_text["mayor Ostrander"].headline == leading[1].headline.text
    assert all(trend.growth > 1 and trend.posts >= 3 for trend in found)
    assert "piano" not in by_text
    assert not {"Corvina", "ferry", "mayor", "Ostrander"} & set(by_text)  # the name holds them


def test_a_link_that_was_cut_off_is_no_trend(store: Store) -> None:
    texts = [f"{text} https://example.org/corv…" for text in FERRY]
    store.ingest([post(f"cut{n}", AS_OF - HOUR + n, text, f"cutter{n}") for n, text in enumerate(texts)])
    store.catch_up()
    assert trends(store, AS_OF, DAY, kind="link") == []


@pytest.mark.parametrize("kind", ["tag", "link"])
def test_tags_and_links_trend(store: Store, kind: str) -> None:
    texts = [f"{text} #corvina https://example.org/corvina" for text in FERRY]
    store.ingest([post(f"tag{n}", AS_OF - HOUR + n, text, f"tagger{n}") for n, text in enumerate(texts)])
    store.catch_up()
    found = trends(store, AS_OF, DAY, kind=kind)  # type: ignore[arg-type]
    assert [trend.text for trend in found] == [{"tag": "#corvina", "link": "example.org/corvina"}[kind]]
    assert found[0].headline
