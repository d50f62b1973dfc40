"""Personal data leaves the text; what is not personal stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.training.pii import scrub

REMOVED = [
    ("write to ann.lee+x@mail.example.org today", "write to <email> today"),
    ("ann (at) example.org", "<email>"),
    ("thanks @ann_lee and @bob.bsky.social!", "thanks @user and @user!"),
    ("hi @ann@social.example", "hi @user"),
    ("see https://example.org/ann?id=3&token=secret ok", "see <link> ok"),
    ("www.example.org/me", "<link>"),
    ("did:plc:ewvi7nxzyoun6zhxrhs64oiz said", "<link> said"),
    ("call +49 30 1234567 now", "call <phone> now"),
    ("call (212) 555-0187", "call <phone>"),
    ("call 212-555-0187!", "call <phone>!"),
    ("06 12 34 56 78", "<phone>"),
    ("07700900123", "<phone>"),
    ("card 4111 1111 1111 1111", "card <account>"),
    ("pay DE89 3704 0044 0532 0130 00", "pay <account>"),
    ("from 192.168.7.44", "from <ip>"),
    ("from 2001:db8:0:1:1:1:1:1", "from <ip>"),
]
KEPT = [
    "3 dead, 180 injured at 14:50 on 2013-04-15",
    "population 1 234 567, budget $12,500,000.50",
    "from 2019-2021 and on 15.04.2013",
    "magnitude 6.6, 30.3°N 103.0°E",
    "a score of 3:2 in 90 minutes",
    "#storm2013 costs 100000000 euros",
    "it's 5 o'clock :: see you",
]


@pytest.mark.parametrize(("text", "wanted"), REMOVED)
def test_removed(text: str, wanted: str) -> None:
    assert scrub(text) == wanted


@pytest.mark.parametrize("text", KEPT)
def test_kept(text: str) -> None:
    assert scrub(text) == text


parts = st.sampled_from(
    [
        "@ann",
        "a@b.co",
        "+1 212 555 0187",
        "www.a.b",
        "4111111111111111",
        "10.0.0.1",
        " ",
        "x",
        "@",
        "(",
        ":",
        ".",
        "5",
        "<",
    ]
)


@given(st.lists(parts | st.text(max_size=4), max_size=8).map("".join))
def test_scrubbing_twice_changes_nothing_more(text: str) -> None:
    once = scrub(text)
    assert scrub(once) == once


@given(st.text(alphabet="ab ", max_size=20), st.emails(), st.text(alphabet="ab ", max_size=20))
def test_no_plain_address_survives(before: str, email: str, after: str) -> None:
    name, _, host = email.partition("@")
    if name.isalnum() and "." in host and host.isascii():
        assert email not in scrub(f"{before} {email} {after}")
