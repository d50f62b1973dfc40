"""Where a quotable sentence of a post starts and ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.answers.spans import MAX_QUOTE, reposted_from, spans


def quotes(text: str) -> list[str]:
    return [text[span.start : span.end] for span in spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two boats collided. Nobody was hurt.", ["Two boats collided.", "Nobody was hurt."]),
        (
            "The U.S. Coast Middleware arrived at 6 p.m. local time.",
            ["The U.S. Coast Middleware arrived at 6 p.m. local time."],
        ),
        (
            "Dr. Olsen of St. Mary says 3.5 tons were lost.",
            ["Dr. Olsen of St. Mary says 3.5 tons were lost."],
        ),
        ("RT @haldennews: Ferry hits the pier http://t.co/abc", ["Ferry hits the pier"]),
        ("so sad RT @haldennews: Ferry hits the pier", ["Ferry hits the pier"]),
        ("“@haldennews: Ferry hits the pier” terrible", ["Ferry hits the pier” terrible"]),
        ("so sad “@ann: “@bob: Ferry hits the pier", ["Ferry hits the pier"]),
        ("@ann @bob Ferry hits the pier", ["Ferry hits the pier"]),
        ("Ferry hits the pier #halden #ferry #news", ["Ferry hits the pier"]),
        ("Ferry hits the pier in #Halden #ferry", ["Ferry hits the pier in #Halden #ferry"]),
        ("Ferry sinks: Authorities say it may take another five days to clear the wre... http://t.co/x", []),
        (
            "Ferry sinks off Halden: Authorities say it may take days to cl... http://t.co/x",
            ["Ferry sinks off Halden"],
        ),
        (
            "Ferry sinks near pier: HALDEN, Norway (AP) — Rescuers worked all night long.",
            ["Ferry sinks near pier", "Rescuers worked all night long."],
        ),
        ("フェリーが桟橋に衝突。", []),
        ("http://t.co/x", []),
        ("", []),
    ],
)
def test_known_cuts(text: str, expected: list[str]) -> None:
    assert quotes(text) == expected


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("RT @Halden_News: boom", "halden_news"),
        ("“@a.b: boom”", "a.b"),
        ("wow RT @x: y", "x"),
        ("hello @x", ""),
    ],
)
def test_who_is_repeated(text: str, who: str) -> None:
    assert reposted_from(text) == who


@given(st.text(max_size=600))
def test_spans_are_ordered_and_inside(text: str) -> None:
    last = 0
    for span in spans(text):
        assert last <= span.start < span.end <= len(text)
        assert span.end - span.start <= MAX_QUOTE
        assert "\n" not in text[span.start : span.end]
        last = span.end


@given(
    st.lists(
        st.sampled_from(
            [
                "RT @a: ",
                "http://x.y/z ",
                "#tag ",
                "Boat sinks. ",
                "“@b: ",
                "... ",
                "@c ",
                "12 dead, ",
                "\u202e",
                "\x1b[31m",
                "(AP) — ",
            ]
        ),
        max_size=25,
    )
)
def test_hostile_mixes_still_cut(parts: list[str]) -> None:
    text = "".join(parts)
    for quote in quotes(text):
        assert not quote.startswith(("RT @", "http"))
        assert "http://" not in quote
