"""Whole answers through the public door, over an invented ferry accident."""

import itertools
import re

import pytest

from tests.answers.fake import FERRY, NOISE, FakeCorpus, post, us
from trinch.answers.answer import answer
from trinch.answers.types import Answer

OCEAN = FakeCorpus(FERRY + NOISE)


def ask(question: str, as_of: str, store: FakeCorpus = OCEAN) -> Answer:
    return answer(store, question, us(as_of))


def is_sound(given: Answer, store: FakeCorpus = OCEAN) -> bool:
    """Invariants 3 and 4, looked at from outside."""
    posts = {hit.post.id: hit for hit in store.hits}
    for claim in given.claims:
        assert claim.citations
        assert claim.text == claim.citations[0].quote
        for citation in claim.citations:
            hit = posts[citation.id]
            assert hit.post.text[citation.start : citation.end] == citation.quote
            assert hit.at <= given.as_of
    assert given.answer == "\n".join(claim.text for claim in given.claims)
    assert (given.outcome == "answer") == bool(given.claims)
    return True


def test_what_happened_is_told_in_quotes() -> None:
    given = ask("what happened in Port Halden", "2031-05-02T21:00+00:00")
    assert given.outcome == "answer"
    assert is_sound(given)
    assert 2 <= len(given.claims) <= 5
    assert "ferry" in given.answer
    assert "Praying" not in given.answer


@pytest.mark.parametrize(
    ("as_of", "dead"),
    [
        ("2031-05-02T10:30+00:00", "4"),
        ("2031-05-02T14:00+00:00", "9"),
        ("2031-05-02T18:00+00:00", "9"),  # the reposts of "4" an hour ago are old news
        ("2031-05-02T21:00+00:00", "11"),  # and "40 dead???" is a rumour of one
    ],
)
def test_the_newest_toll_comes_first(as_of: str, dead: str) -> None:
    given = ask("how many people died in the Port Halden ferry accident", as_of)
    assert is_sound(given)
    assert dead in re.findall(r"\w+", given.claims[0].text.replace("four", "4"))


def test_earlier_states_follow_with_their_dates() -> None:
    given = ask("how many people died in Port Halden", "2031-05-02T21:00+00:00")
    times = [claim.as_of for claim in given.claims]
    assert len(times) >= 2
    assert times[0] == max(times)
    assert "40" not in given.answer


def test_the_injured_are_not_the_dead() -> None:
    given = ask("how many people were injured in Port Halden", "2031-05-02T14:00+00:00")
    assert is_sound(given)
    assert any(number in given.claims[0].text for number in ("60", "62"))
    missing = ask("how many are missing in Port Halden", "2031-05-02T21:00+00:00")
    assert "two still missing" in missing.claims[0].text


def test_a_french_question_prefers_french_posts() -> None:
    given = ask("que s'est-il passé à Port Halden ?", "2031-05-02T21:00+00:00")
    assert is_sound(given)
    assert any("morts" in claim.text for claim in given.claims)


def test_a_french_question_is_answered_from_english_posts_too() -> None:
    store = FakeCorpus([p for p in FERRY if p.lang == "en"] + NOISE)
    given = ask("combien de morts à Port Halden", "2031-05-02T21:00+00:00", store)
    assert is_sound(given, store)
    assert "11 dead" in given.claims[0].text


@pytest.mark.parametrize(
    "question",
    [
        "who won the 2040 world cup",
        "what happened to Zanthippe Quillfeather",
        "how many people died in the Larkfield earthquake",
        "what happened in Port Halden yesterday",
        "how many people were arrested in Port Halden",
        "did the volcano on Mount Orrin erupt",
        "",
        "what happened?",
        "???",
    ],
)
def test_without_evidence_there_is_no_prose(question: str) -> None:
    given = ask(question, "2031-05-02T21:00+00:00")
    assert given.outcome == "not_enough_evidence"
    assert given.answer == ""
    assert given.claims == ()
    assert given.sources == ()


def test_nothing_later_than_as_of_is_said() -> None:
    assert ask("what happened in Port Halden", "2031-05-02T09:00+00:00").outcome == "not_enough_evidence"
    given = ask("what happened in Port Halden", "2031-05-02T09:30+00:00")
    assert "dead" not in given.answer
    assert is_sound(given)


def test_a_year_in_the_question_is_a_period() -> None:
    assert ask("what happened in Port Halden in 2031", "2032-01-01T00:00+00:00").outcome == "answer"
    assert (
        ask("what happened in Port Halden in 2029", "2032-01-01T00:00+00:00").outcome == "not_enough_evidence"
    )
    assert any("since_time:" in where for _, where in OCEAN.asked)


def test_reposts_add_posts_but_no_authors() -> None:
    given = ask("how many people died in Port Halden", "2031-05-02T10:05+00:00")
    assert given.claims[0].authors == 1
    later = ask("Aurelia hits pier", "2031-05-02T09:30+00:00")
    claim = next(claim for claim in later.claims if claim.text.startswith("BREAKING"))
    assert (claim.authors, claim.posts) == (2, 4)  # the newsroom and an eyewitness; two reposts
    assert claim.citations[0].id == "f02"  # the original, neither the repost nor the one cut off


def test_independent_authors_are_counted() -> None:
    given = ask("how many people died in Port Halden", "2031-05-02T21:00+00:00")
    assert given.claims[0].authors == 3
    assert len(given.claims[0].citations) >= 2


def test_unknown_authors_count_as_one() -> None:
    store = FakeCorpus(
        [
            post(p.id, "2031-05-02T09:00+00:00", p.text, "", p.lang)
            for p in FERRY
            if not p.text.startswith("RT")
        ]
        + NOISE
    )
    given = ask("how many people died in Port Halden", "2031-05-02T21:00+00:00", store)
    assert given.claims[0].authors == 1


def test_the_same_question_has_the_same_answer() -> None:
    question = "what happened in Port Halden"
    first = ask(question, "2031-05-02T21:00+00:00")
    for turn in itertools.islice(itertools.permutations(range(4)), 0, 24, 5):
        shuffled = [p for part in turn for p in (FERRY + NOISE)[part::4]]
        again = ask(question, "2031-05-02T21:00+00:00", FakeCorpus(shuffled))
        assert again.claims == first.claims


def test_a_correction_downwards_needs_and_gets_several_sources() -> None:
    fall = [
        post(
            "c1",
            "2031-05-02T22:00+00:00",
            "Coast guard corrects toll of Port Halden ferry accident to 7 dead",
            "coastradio",
        ),
        post(
            "c2",
            "2031-05-02T22:10+00:00",
            "Correction: 7 dead in Port Halden ferry accident, not 11",
            "drolsen",
        ),
        post(
            "c3",
            "2031-05-02T22:20+00:00",
            "Port Halden ferry accident: toll revised to 7 dead after double count",
            "mira_k",
        ),
    ]
    question, at = "how many people died in Port Halden", "2031-05-02T23:00+00:00"
    alone = ask(question, at, FakeCorpus(FERRY + NOISE + fall[:1]))
    assert "11" in alone.claims[0].text
    corrected = ask(question, at, FakeCorpus(FERRY + NOISE + fall))
    assert "7 dead" in corrected.claims[0].text


@pytest.mark.parametrize(
    "question",
    [
        "how many are missing in Port Halden",
        "combien de disparus à Port Halden ?",
        "is anyone still missing in Port Halden?",
    ],
)
def test_nobody_missing_is_the_newest_count(question: str) -> None:
    found = [
        post("z1", "2031-05-03T08:00+00:00", "Port Halden ferry accident: 11 dead, nobody is missing any more", "mira_k"),
        post("z2", "2031-05-03T08:20+00:00", "Port Halden: fin des recherches, plus aucun disparu", "echo", lang="fr"),
    ]  # fmt: skip
    given = ask(question, "2031-05-03T12:00+00:00", FakeCorpus([*FERRY, *found, *NOISE]))
    assert given.outcome == "answer"
    assert re.search(r": 0, (the newest|le chiffre)|: ?0, ", given.headline.replace(" : ", ": "))
    assert not any("two still missing" in claim.text for claim in given.claims[:1])


def test_nobody_hurt_at_first_is_no_count_once_somebody_is() -> None:
    found = [
        post("z1", "2031-05-02T09:06+00:00", "Port Halden ferry accident: no injuries reported", "mira_k"),
        post("z2", "2031-05-02T09:07+00:00", "Ferry hits pier in Port Halden, no injuries so far", "lenna"),
    ]
    store = FakeCorpus([*FERRY, *found, *NOISE])
    first = ask("how many people were injured in Port Halden", "2031-05-02T09:15+00:00", store)
    assert ": 0" in first.headline
    later = ask("how many people were injured in Port Halden", "2031-05-02T14:00+00:00", store)
    assert any(number in later.headline for number in ("60", "62"))
