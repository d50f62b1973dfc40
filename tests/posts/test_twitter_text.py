"""Handles, hashtags, cashtags and links against the conformance suite of twitter-text, X's own library.

Each difference is listed with its reason; a new one, or one that is gone, fails.
"""

from pathlib import Path
from typing import Any

import pytest

from trinch.posts.schema import Post
from trinch.posts.text import fold, tokens
from trinch.store.facets import mentions

SUITE = "payloads/twitter_text_conformance"

DIFFERENCES = {
    "DO NOT extract username followed by accented latin characters": "accents are folded before handles are sought",
    "DO NOT extract hashtag if it's a part of URL": "only links with a protocol or www. are recognised as links",
    "Extract hashtag with letter plus marker from astral plane (U+16f04 U+16f51)": "vowel signs of Miao are not known",
    "Do not extract cashtags if there is no space before $": "cashtags in brackets and lists ($AAPL,$GOOG) are wanted",
}
SAME_LINK = {
    "Extract a t.co URL with a trailing apostrophe": "the 's behind it is no word",
    "Extract URLs beginning with a space": "a protocol alone is no link; what follows is text",
    "Extract URLs beginning with a non-breaking space (U+00A0)": "the same",
}


def cases(suite: Path, kind: str) -> list[dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    tests = yaml.safe_load((suite / "conformance" / "extract.yml").read_text())["tests"]
    found: list[dict[str, Any]] = tests[kind]
    return found


@pytest.mark.needs(SUITE)
@pytest.mark.parametrize(
    ("kind", "sign", "count"),
    [("mentions", "@", 23), ("hashtags", "#", 65), ("hashtags_from_astral", "#", 3), ("cashtags", "$", 8)],
)
def test_signed_words(shared: Path, kind: str, sign: str, count: int) -> None:
    found = cases(shared, kind)
    assert len(found) == count
    for case in found:
        signed = [token[1:] for token in tokens(case["text"]) if token[0] == sign and len(token) > 1]
        same = signed == [fold(name) for name in case["expected"]]
        assert same != (case["description"] in DIFFERENCES), (case, signed)


@pytest.mark.needs(SUITE)
def test_mentions_as_operators_find_them(shared: Path) -> None:
    for case in cases(shared, "mentions"):
        found = mentions(Post(network="x", id="1", text=case["text"]))
        assert found == {name.lower() for name in case["expected"]}, case


@pytest.mark.needs(SUITE)
@pytest.mark.parametrize(("kind", "count"), [("urls", 91), ("tco_urls_with_params", 5)])
def test_links_are_no_words(shared: Path, kind: str, count: int) -> None:
    """Links that have no protocol, and what follows a character that is not ASCII or a comma, are taken for text."""
    found = cases(shared, kind)
    assert len(found) == count
    checked = 0
    for case in found:
        links = [one if isinstance(one, str) else one["url"] for one in case["expected"]]
        text = case["text"]
        rest = text
        for link in sorted(links, key=len, reverse=True):
            rest = rest.replace(link, " ")
        if case["description"] in SAME_LINK or any(
            not link.lower().startswith(("http://", "https://", "www.")) or not link.isascii() or "," in link
            for link in links
        ):
            continue
        assert tokens(text) == tokens(rest), case
        checked += 1
    assert checked >= count * 0.7
