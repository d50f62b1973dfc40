"""How an answer looks."""

import io

from rich.console import Console

from tests.answers.fake import FERRY, NOISE, FakeCorpus, post, us
from trinch.answers.answer import answer
from trinch.answers.render import as_json, clean, plain, rfc3339, terminal

AS_OF = us("2031-05-02T21:00+00:00")
GIVEN = answer(FakeCorpus(FERRY + NOISE), "how many people died in Port Halden", AS_OF)
NOTHING = answer(FakeCorpus(FERRY + NOISE), "who won the 2040 world cup", AS_OF)


def shown(given: object) -> str:
    out = io.StringIO()
    Console(file=out, force_terminal=True, width=100, color_system="truecolor").print(given)
    return out.getvalue()


def test_json_has_the_promised_fields_and_times() -> None:
    value = as_json(GIVEN)
    assert {"question", "as_of", "outcome", "answer", "claims", "sources", "took_ms"} <= set(value)
    assert value["as_of"] == "2031-05-02T21:00:00Z"
    assert {"text", "as_of", "authors", "citations"} <= set(value["claims"][0])
    citation = value["claims"][0]["citations"][0]
    assert {"id", "url", "author", "created_at", "quote", "start", "end"} <= set(citation)
    assert citation["created_at"].endswith("Z")
    assert {c["id"] for claim in value["claims"] for c in claim["citations"]} == {
        s["id"] for s in value["sources"]
    }


def test_plain_text_numbers_its_sources() -> None:
    text = plain(GIVEN)
    assert "[1]" in text.split("\n\n")[1 if GIVEN.headline else 0]
    assert "@haldennews" in text
    assert "3 authors" in text
    assert "https://example.org/f" in text


def test_a_terminal_gets_links() -> None:
    text = shown(terminal(GIVEN))
    assert "\x1b]8;" in text
    assert "https://example.org/f" in text


def test_no_evidence_is_said_plainly() -> None:
    assert plain(NOTHING).startswith("Not enough evidence")
    assert "Not enough evidence" in shown(terminal(NOTHING))
    assert as_json(NOTHING)["claims"] == []


def test_markup_and_escapes_of_posts_stay_text() -> None:
    evil = "[bold red]Port Halden[/] ferry accident \x1b]0;owned\x07 \u202e11 dead, police say"
    url = "javascript:alert(1)"
    store = FakeCorpus(
        [post(f"e{n}", "2031-05-02T20:00+00:00", f"{evil} {n}", f"a[link=x]{n}", url=url) for n in range(2)]
        + NOISE
    )
    given = answer(store, "what happened in Port Halden", AS_OF)
    assert given.claims[0].citations[0].quote in store.hits[0].post.text + store.hits[1].post.text
    for text in (plain(given), shown(terminal(given))):
        assert "[bold red]Port Halden[/]" in text
        assert "\x07" not in text
        assert "\u202e" not in text
        assert "owned" not in text.split("\x1b]")[-1] or "\x1b]0;" not in text
        assert "javascript:" not in text


def test_clean_keeps_letters_and_drops_control() -> None:
    assert clean("a\x00b\u202ec\n d é 👨‍👩‍👧") == "a b c d é 👨‍👩‍👧"


def test_times_outside_the_calendar_are_held_at_its_ends() -> None:
    assert rfc3339(10**30).startswith("9999-12-31")
    assert rfc3339(-(10**30)).startswith("0001-01-01")
    assert rfc3339(1_500_000) == "1970-01-01T00:00:01.500000Z"
