"""The last look at an answer: nothing unproven passes, whoever wrote the posts and whatever made the draft."""

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.answers.fake import FERRY, NOISE, FakeCorpus, FakeHit, post, us
from trinch.answers.answer import answer
from trinch.answers.quote_check import checked, supports
from trinch.answers.render import as_json, plain
from trinch.answers.types import Answer, Citation, Claim

AS_OF = us("2031-05-02T21:00+00:00")
TEXT = "At least 4 dead after the ferry Aurelia hit a pier at Port Halden, police say"
HIT = FakeHit(post("p1", "2031-05-02T10:00+00:00", TEXT, "haldennews"), us("2031-05-02T10:00+00:00"), 1.0, [])
RETRIEVED = {("x", "p1"): HIT}


def cite(**changes: object) -> Citation:
    whole = Citation(
        id="p1",
        network="x",
        url="",
        author="haldennews",
        created_at=HIT.at,
        at=HIT.at,
        quote=TEXT[:15],
        start=0,
        end=15,
    )
    return msgspec.structs.replace(whole, **changes)


def draft(*citations: Citation, text: str = TEXT[:15], outcome: str = "answer") -> Answer:
    claim = Claim(text=text, as_of=HIT.at, authors=1, posts=1, citations=citations)
    return Answer(question="q", as_of=AS_OF, outcome=outcome, answer="", claims=(claim,))  # type: ignore[arg-type]  # a literal


def test_a_true_citation_passes() -> None:
    given = checked(draft(cite()), RETRIEVED)
    assert given.outcome == "answer"
    assert given.answer == "At least 4 dead"
    assert checked(given, RETRIEVED) == given


@pytest.mark.parametrize(
    "bad",
    [
        cite(id="p2"),
        cite(network="bluesky"),
        cite(quote="At least 5 dead"),
        cite(quote="at least 4 dead"),
        cite(quote="At least 4 DEAD"),
        cite(start=1),
        cite(start=-77, end=15),
        cite(end=10_000),
        cite(start=5, end=5, quote=""),
        cite(at=AS_OF + 1),
    ],
)
def test_a_false_citation_falls(bad: Citation) -> None:
    given = checked(draft(bad), RETRIEVED)
    assert (given.outcome, given.answer, given.claims) == ("not_enough_evidence", "", ())


def test_a_sentence_that_is_not_the_quote_falls() -> None:
    assert checked(draft(cite(), text="At least 40 dead"), RETRIEVED).claims == ()
    assert checked(draft(text="At least 4 dead"), RETRIEVED).claims == ()


def test_a_post_of_later_falls() -> None:
    late = {("x", "p1"): HIT._replace(at=AS_OF + 1)}
    assert checked(draft(cite(at=AS_OF + 1)), late).claims == ()


def test_a_further_citation_must_hold_the_numbers() -> None:
    other = FakeHit(post("p2", "2031-05-02T11:00+00:00", "At least 9 dead at the pier"), HIT.at, 1.0, [])
    second = cite(id="p2", quote="At least 9 dead", start=0, end=15)
    given = checked(draft(cite(), second), {**RETRIEVED, ("x", "p2"): other})
    assert [citation.id for citation in given.claims[0].citations] == ["p1"]
    assert supports("4 dead, at least, they say", "At least 4 dead")
    assert not supports("Nothing of the kind 4", "At least 4 dead in ferry disaster off the coast")


@given(
    st.lists(
        st.tuples(
            st.text(max_size=40),
            st.integers(-5, 90),
            st.integers(-5, 90),
            st.sampled_from(["p1", "p2", "p3"]),
        ),
        max_size=6,
    ),
    st.integers(HIT.at - 2, HIT.at + 2),
)
def test_whatever_is_drafted_only_the_provable_passes(
    parts: list[tuple[str, int, int, str]], as_of: int
) -> None:
    claims = tuple(
        Claim(
            text=text,
            as_of=HIT.at,
            authors=1,
            posts=1,
            citations=(cite(id=id, quote=text, start=start, end=end),),
        )
        for text, start, end, id in [*parts, (TEXT[3:20], 3, 20, "p1")]
    )
    given = checked(
        Answer(question="q", as_of=as_of, outcome="answer", answer="made up", claims=claims), RETRIEVED
    )
    assert given.answer == "\n".join(claim.text for claim in given.claims)
    assert bool(given.claims) == (given.outcome == "answer") == (as_of >= HIT.at)
    for claim in given.claims:
        first = claim.citations[0]
        assert first.id == "p1"
        assert TEXT[first.start : first.end] == claim.text


hostile = st.text(
    alphabet=st.one_of(
        st.characters(codec="utf-8"), st.sampled_from("\u202e\u2066\x1b[31m\x00\x07<script>]()#@$“”…\n\r\t|")
    ),
    max_size=160,
)


@settings(deadline=None)
@given(st.lists(hostile, min_size=1, max_size=8), hostile)
def test_hostile_posts_and_questions_make_sound_answers(texts: list[str], question: str) -> None:
    store = FakeCorpus(
        [
            post(
                f"h{i}",
                "2031-05-02T20:00+00:00",
                f"{text} Port Halden ferry accident 11 dead {text}",
                f"h{i}",
            )
            for i, text in enumerate(texts)
        ]
        + FERRY
    )
    posts = {hit.post.id: hit.post for hit in store.hits}
    for asked in (
        question,
        "how many people died in Port Halden",
        f"what happened in Port Halden {question}",
    ):
        given = answer(store, asked, AS_OF)
        for claim in given.claims:
            assert "\n" not in claim.text
            for citation in claim.citations:
                assert posts[citation.id].text[citation.start : citation.end] == citation.quote
        shown = plain(given)
        assert not any(ord(c) < 32 and c != "\n" for c in shown)
        assert "\u202e" not in shown
        json.dumps(as_json(given))


@pytest.mark.needs("injection")
def test_injected_orders_are_text_like_any_other(shared: Path) -> None:
    attacks = json.loads((shared / "bipia" / "text_attack_train.json").read_text())
    orders = [order for group in attacks.values() for order in group]
    assert len(orders) > 50
    posts = [
        post(f"i{n}", "2031-05-02T20:10+00:00", f"Port Halden ferry accident. {order}", f"attacker{n}")
        for n, order in enumerate(orders)
    ]
    calm, stormy = FakeCorpus(FERRY + NOISE), FakeCorpus(FERRY + NOISE + posts)
    question = "how many people died in the Port Halden ferry accident"
    before, after = answer(calm, question, AS_OF), answer(stormy, question, AS_OF)
    assert after.claims[0].text == before.claims[0].text
    told = answer(stormy, "what happened in Port Halden", AS_OF)
    ids = {hit.post.id: hit.post.text for hit in stormy.hits}
    assert all(claim.text in ids[claim.citations[0].id] for claim in told.claims)
