"""The bundled sample tells its story: the number moves, the rumour is denied, both languages speak."""

import re
from collections import Counter

from trinch.posts.schema import AccountHidden, Created, Deleted, Edited, Post
from trinch.simulator import sample
from trinch.simulator.reference_state import fold
from trinch.simulator.sample_cast import CAST

EVENTS = list(sample.sample())
POSTS = [event.post for event in EVENTS if isinstance(event, Created)]
CAST_POSTS = [post for post in POSTS if post.author_id.startswith("cast-")]


def by(handle: str) -> list[Post]:
    return [post for post in CAST_POSTS if post.author == handle]


def test_the_sample_is_always_the_same_and_in_order() -> None:
    assert list(sample.sample()) == EVENTS
    assert [event.at for event in EVENTS] == sorted(event.at for event in EVENTS)
    assert all(sample.BEGINS <= event.at < sample.ENDS for event in EVENTS)
    assert len({post.id for post in POSTS}) == len(POSTS)


def test_about_three_thousand_posts_in_several_languages() -> None:
    assert 2_800 < len(POSTS) < 3_300
    languages = Counter(post.lang for post in POSTS)
    assert languages["en"] > languages["fr"] > 600
    assert len({post.text for post in CAST_POSTS}) == len(CAST_POSTS) > 95
    assert {post.author for post in CAST_POSTS} == CAST.keys()


def test_the_prefecture_states_each_number_when_the_truth_says_so() -> None:
    for at, dead in sample.TOLL:
        stated = [post for post in by("PrefVerrane") if at <= post.created_at < at + 60_000_000]
        assert len(stated) == 1
        assert re.search(rf"\b{dead} morts\b", stated[0].text)
        english = [post for post in by("EskerCityHall") if at <= post.created_at < at + 600_000_000]
        assert any(
            re.search(rf"\b{dead} (people )?(have )?(died|dead)\b|\bto {dead}\b", p.text) for p in english
        )


def test_what_is_taken_back_is_not_visible() -> None:
    state = fold(EVENTS)
    seen = [post.text for post in state.visible().values()]
    assert not any(text.startswith("14 dead in the Port Esker") for text in seen)
    assert not any("Marrow Quay" in post.text for post in state.visible().values() if not post.repost_of)
    assert any(text.startswith("CORRECTION: we published a figure of 14") for text in seen)
    assert not any(post.author == "TruthHarbour77" for post in state.visible().values())
    kinds = {type(event) for event in EVENTS}
    assert {Edited, Deleted, AccountHidden} <= kinds


def test_the_rumour_spreads_by_copying_and_is_denied_later() -> None:
    rumours = [post for post in POSTS if "This was NO accident" in post.text]
    authors = {post.author for post in rumours}
    assert len(authors) > 5
    denial = by("EskerPolice")[0]
    assert "no evidence of sabotage" in denial.text
    assert min(post.created_at for post in rumours) < denial.created_at


def test_questions_have_their_answers_in_the_stream_by_then() -> None:
    for question in sample.QUESTIONS:
        assert sample.BEGINS < question.as_of <= sample.ENDS
        known = [post for post in POSTS if post.created_at <= question.as_of and "Esker" in post.text]
        assert len(known) > 50
    assert len({question.text for question in sample.QUESTIONS}) == 3
    assert not any("Tallow Point" in post.text for post in POSTS)


def test_posts_fit_and_replies_point_at_posts() -> None:
    ids = {post.id for post in POSTS}
    for post in CAST_POSTS:
        assert len(post.text) <= 280
        assert not post.reply_to or post.reply_to in ids
        assert not post.quote_of or post.quote_of in ids
