"""Collapsing copies into sources, counting who speaks, and following a number."""

from hypothesis import given
from hypothesis import strategies as st

from tests.answers.fake import FERRY, FakeCorpus, FakeHit, post, us
from trinch.answers.count_timeline import Report, curve
from trinch.answers.evidence import authors, collapse
from trinch.answers.quantities import figures
from trinch.answers.spans import Span


def hits(*posts: tuple[str, str, str]) -> list[FakeHit]:
    """From (author, time of 2 May, text)."""
    made = [
        post(f"{i:03}", f"2031-05-02T{at}+00:00", text, author) for i, (author, at, text) in enumerate(posts)
    ]
    return [hit._replace(score=1.0) for hit in FakeCorpus(made).hits]


LONG = "Ferry Aurelia hits pier at Port Halden and people are in the water tonight"


def test_reposts_and_cut_copies_are_one_source() -> None:
    found = collapse(
        hits(
            ("a", "10:00", LONG),
            ("b", "10:05", f"RT @a: {LONG}"),
            ("c", "10:10", f"RT @a: {LONG[:45]}…"),
            ("d", "10:12", f"{LONG} http://t.co/xyz #halden"),
        )
    )
    assert len(found) == 1
    assert len(found[0].hits) == 4
    assert found[0].best.post.id == "000"
    assert authors(found) == 1


def test_other_numbers_are_other_reports() -> None:
    found = collapse(
        hits(
            ("a", "10:00", "Toll in Port Halden ferry accident rises to 350"),
            ("b", "11:00", "Toll in Port Halden ferry accident rises to 352"),
        )
    )
    assert len(found) == 2


def test_a_source_is_as_old_as_its_first_copy_and_speaks_for_whom_it_repeats() -> None:
    (found,) = collapse(
        hits(("late", "19:00", f"RT @origin: {LONG}"), ("early", "09:00", f"RT @origin: {LONG}"))
    )
    assert found.first == us("2031-05-02T09:00+00:00")
    assert found.voice == "origin"


@given(st.permutations(range(len(FERRY))))
def test_the_order_of_hits_does_not_matter(order: list[int]) -> None:
    straight = [hit._replace(score=float(n % 5)) for n, hit in enumerate(FakeCorpus(FERRY).hits)]
    assert collapse([straight[i] for i in order]) == collapse(straight)


def line(*told: tuple[str, str, str]) -> list[float]:
    reports = []
    for source in collapse(hits(*told)):
        text = source.best.post.text
        reports += [Report(source, Span(0, len(text), False), f, 1.0) for f in figures(text)[:1]]
    return [state.value for state in curve(reports)]


def test_a_rise_is_followed() -> None:
    assert line(
        ("a", "09:00", "10 dead in Halden"),
        ("b", "09:30", "Police say 10 dead at the pier"),
        ("c", "11:00", "Toll now 14 dead says hospital"),
        ("d", "11:30", "14 dead, many hurt, coast guard says"),
    ) == [10, 14]


def test_one_wild_number_is_not_believed() -> None:
    assert line(
        ("a", "09:00", "10 dead in Halden"),
        ("b", "09:30", "Police say 10 dead at the pier"),
        ("c", "11:00", "I heard 900 dead in this thing"),
    ) == [10]


def test_what_is_feared_is_no_state() -> None:
    assert line(
        ("a", "09:00", "10 dead in Halden"),
        ("b", "09:30", "Police say 10 dead at the pier"),
        ("c", "11:00", "60 feared dead in Halden"),
        ("d", "11:10", "Officials fear 60 dead tonight"),
    ) == [10]


def test_another_event_does_not_take_over() -> None:
    """A number far off that few say, while the old one goes on being said, belongs to something else."""
    told = [
        (
            f"a{n}",
            f"{9 + n // 4:02}:{n % 4}0",
            f"Report number v{chr(97 + n)}: 10 dead at pier v{chr(97 + n)}",
        )
        for n in range(12)
    ]
    told += [
        ("z", "09:35", "Bomb kills 300 elsewhere"),
        ("y", "09:45", "Another country: 300 killed by bomb today"),
    ]
    assert line(*told)[-1] == 10


def test_without_agreement_the_most_said_is_given() -> None:
    assert line(("a", "09:00", "10 dead in Halden")) == [10]
    assert line() == []
