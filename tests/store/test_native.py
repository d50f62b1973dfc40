"""The native part returns the terms and the facets that Python returns: terms byte for byte, facets in any order."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.posts.test_text import languages, texts
from trinch.posts import text
from trinch.posts.schema import Created, Post
from trinch.sources import files
from trinch.store.facets import facets, mentions, url_terms

Native = Callable[[str, str], str]


@pytest.fixture(scope="module")
def native(native_module: ModuleType) -> Native:
    made: Any = native_module.Terms(text.stemmers(), text.read_chunk)
    found: Native = made.terms
    return found


def expected(written: str, lang: str) -> str:
    return text.python_terms(written, lang)


ASCII_PIECES = """
    # @ $ ' . , - _ / : ; ( ) [ ] " ! ? + * & % ~ = \\ http:// https:// www www. t.co/ RT C++ c# 1,021 3.5 U.S. running
    Houses l'eau don't #BostonMarathon $TSLA 1,234,567.8 1.234.567,8 12.5.3 e.g. a.b @a.b.c @x-y RT@ rt@ wRT@u @@ :// ++
    @Nasa: (http ftp://a.b a@b.c https: http
"""
ascii_pieces = st.sampled_from([*ASCII_PIECES.split(), "x" * 63, "Y" * 70, "\x00", "\x1c", "\t", "\n", " "])
ascii_texts = st.lists(
    st.one_of(ascii_pieces, st.text(st.characters(max_codepoint=127), max_size=5)), max_size=10
)


@given(written=texts, lang=languages)
@example("a\ud800 b", "en")
def test_any_text(native: Native, written: str, lang: str) -> None:
    try:
        written.encode()
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            native(written, lang)
        return
    for _ in range(2):  # the second time from the cache
        assert native(written, lang) == expected(written, lang)


@given(written=ascii_texts.map("".join), lang=st.sampled_from(["en", "fr", "de", "und"]))
@example("http:// (http:// http:/// https://a.b/c?d= httpx://e www WWW. www.a.b (www) WWW/", "en")
@example(
    "#NASA2013Launch (#1st) #2013 #x #http #https:// “Boston” …www… —https:// $BRK $brk.b $abcdefgh '#tag'",
    "en",
)
@example('F-16 non-available a/b:c "x"=y ~z~ {k} a|b ^ a\\b (x)http://y z://w', "en")
def test_any_ascii_text(native: Native, written: str, lang: str) -> None:
    for _ in range(2):
        assert native(written, lang) == expected(written, lang)


def test_all_white_space_ends_a_chunk(native: Native) -> None:
    for point in range(0x110000):
        sign = chr(point)
        if sign.isspace() or point in (0x84, 0x86, 0x9F, 0xA1, 0x200B, 0x2027, 0x2FFF, 0x3001, 0x10000):
            assert native(f"one{sign}two", "en") == expected(f"one{sign}two", "en"), hex(point)


def test_more_words_than_the_cache_holds(native: Native) -> None:
    words = [f"w{number}s" for number in range(400_000)]
    for start in (0, 200_000, 0):
        written = " ".join(words[start : start + 200_000])
        assert native(written, "fr") == written


def test_errors_of_a_callback_are_passed_on(native_module: ModuleType) -> None:
    def fail(*_: str) -> str:
        raise LookupError("no stem")

    terms = native_module.Terms({"en": fail, "fr": lambda _: 3}, fail).terms
    for written, lang, error in [
        ("word", "en", LookupError),
        ("it's", "und", LookupError),
        ("mot", "fr", TypeError),
    ]:
        with pytest.raises(error):
            terms(written, lang)
    for wrong in [(1, "en"), ("a",), ("a", None)]:
        with pytest.raises(TypeError):
            terms(*wrong)
    with pytest.raises(TypeError):
        native_module.Terms([], fail)


# --- facets ---------------------------------------------------------------------------------------------------

PIECES = """
    @ ＠ RT@ rt a Z9 _ . - / :// http:// HTTPS:// www. :80 ? # $ % user@ x.y.co.uk é İ .. __ & * ! a.b.c.d.e.f.g.h.i.j.k.l.m
"""
pieces = st.sampled_from([*PIECES.split(), "\x00", " ", "x" * 70])
written = st.lists(st.one_of(pieces, st.text(max_size=3)), max_size=6).map("".join)
names = st.one_of(st.just(""), st.sampled_from(["Ann", "ann", "7"]), written)
several = st.lists(st.one_of(written, st.sampled_from(["image", "video", "gif", "audio"])), max_size=24).map(
    tuple
)
counts = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.integers(0, 9))
posts = st.builds(
    Post,
    network=st.sampled_from(["x", "bluesky"]),
    id=names,
    created_at=st.one_of(st.none(), st.just(7)),
    text=written,
    lang=st.sampled_from(["en", "und"]),
    **dict.fromkeys(["author", "author_id", "reply_to", "reply_to_author", "repost_of", "quote_of"], names),
    conversation_id=names,
    author_verified=st.sampled_from([None, True, False]),
    **dict.fromkeys(["urls", "media", "mentions", "tags"], several),
    sensitive=st.booleans(),
    **dict.fromkeys(["likes", "reposts", "replies"], counts),
)


def assert_same_facets(native_module: ModuleType, post: Post) -> None:
    expected = " ".join(facets(post))
    native = native_module.Facets(mentions, url_terms).facets(post)
    assert sorted(native.split(" ")) == sorted(expected.split(" "))


def _with_url(url: str) -> Post:
    return Post(network="x", id="1", text="", urls=(url,))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(post=posts)
@example(_with_url("http:///x"))
@example(_with_url("http://@/x"))
@example(_with_url("a@b@c.d/e"))
@example(_with_url("http://u:p@www.Host.example:80/a__b/.c-/d%20e?q=1&r#f"))
@example(_with_url("://"))
@example(Post(network="x", id="1", text="", urls=("https://a.b/c",) * 30))
@example(Post(network="x", id="1", text="@a RT@b x@c @d@ @e:// @f.g-h.. @_"))
def test_facets_of_any_post(native_module: ModuleType, post: Post) -> None:
    try:
        repr(post).encode()
        assert_same_facets(native_module, post)
    except UnicodeEncodeError:
        with pytest.raises(UnicodeEncodeError):
            native_module.Facets(mentions, url_terms).facets(post)


def test_facets_of_what_is_no_post(native_module: ModuleType) -> None:
    with pytest.raises(AttributeError):
        native_module.Facets(mentions, url_terms).facets("text")


# --- both -----------------------------------------------------------------------------------------------------


def real_posts(shared: Path, limit: int | None) -> Iterator[Post]:
    for path in sorted((shared / "social").glob("*.zst")):
        for item in islice(files.events(path), limit):
            for event in item if isinstance(item, list) else ():
                if isinstance(event, Created):
                    yield event.post


def assert_same_on_real_posts(
    native: Native, native_module: ModuleType, shared: Path, limit: int | None
) -> None:
    """Each post in its language, or in one that is not its own."""
    for number, post in enumerate(real_posts(shared, limit)):
        lang = post.lang if number % 2 else "en"
        assert native(post.text, lang) == expected(post.text, lang)
        assert_same_facets(native_module, post)


def test_some_real_posts(native: Native, native_module: ModuleType, shared: Path) -> None:
    assert_same_on_real_posts(native, native_module, shared, 300)


@pytest.mark.long
def test_all_real_posts(native: Native, native_module: ModuleType, shared: Path) -> None:
    assert_same_on_real_posts(native, native_module, shared, None)
