"""Other vendors' search filters, and the text of an answer with its citations."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.server.http.errors import Problem
from trinch.server.openai.markdown import escape_markdown, piece_of
from trinch.server.openai.search_filters import (
    Extension,
    Filters,
    SearchParameters,
    Tool,
    XSource,
    filters_to_query,
)
from trinch.store.query import parse


@pytest.mark.parametrize(
    ("filters", "operators"),
    [
        (Filters(), ""),
        (
            Filters(tools=[Tool("x_search", allowed_x_handles=["@ann", "bob.example"])]),
            "(from:ann OR from:bob.example)",
        ),
        (Filters(tools=[Tool("x_search", excluded_x_handles=["ann", "bob"])]), "-from:ann -from:bob"),
        (
            Filters(tools=[Tool("x_search", from_date="2026-01-01", to_date="2026-01-31")]),
            'since:"2026-01-01" until:"2026-02-01"',
        ),
        (Filters(tools=[Tool("function"), Tool("web_search")]), ""),
        (
            Filters(
                search_parameters=SearchParameters(
                    sources=[XSource("x", x_handles=["a"], post_favorite_count=9)]
                )
            ),
            "(from:a) min_faves:9",
        ),
        (
            Filters(search_recency_filter="week", search_after_date_filter="3/1/2026"),
            "within_time:7d since:2026-03-01",
        ),
        (Filters(trinch=Extension(where="cat OR dog")), "(cat OR dog)"),
    ],
)
def test_filters_become_operators(filters: Filters, operators: str) -> None:
    assert filters_to_query(filters) == operators
    parse(operators)


@pytest.mark.parametrize(
    "filters",
    [
        Filters(tools=[Tool("x_search", allowed_x_handles=["a"], excluded_x_handles=["b"])]),
        Filters(tools=[Tool("x_search", allowed_x_handles=['a" OR b'])]),
        Filters(tools=[Tool("x_search", to_date="9999-12-31")]),
        Filters(tools=[Tool("web_search", allowed_domains=["example.org"])]),
        Filters(tools=[Tool("web_search", filters={"allowed_domains": ["example.org"]})]),
        Filters(search_parameters=SearchParameters(mode="off")),
        Filters(disable_search=True),
        Filters(search_domain_filter=["example.org"]),
        Filters(search_before_date_filter="2026"),
    ],
)
def test_what_cannot_be_honoured_is_refused(filters: Filters) -> None:
    with pytest.raises(Problem) as caught:
        filters_to_query(filters)
    assert caught.value.status == 400
    assert caught.value.param


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain #tag @user_name 3 * 4", "plain #tag @user_name 3 \\* 4"),
        ("![x](https://evil.example/p.png)", "!\\[x\\](https://evil.example/p.png)"),
        ("<img src=x onerror=alert(1)>", "\\<img src=x onerror=alert(1)>"),
        ("**loud** _soft_ ~~gone~~ `code`", "\\*\\*loud\\*\\* \\_soft\\_ \\~~gone\\~~ \\`code\\`"),
        ("# not a heading", "\\# not a heading"),
        ("1. not a list", "1\\. not a list"),
        ("https://a.example/b_c_d", "https://a.example/b_c_d"),
        ("a [1] forged mark", "a \\[1\\] forged mark"),
    ],
)
def test_posts_are_shown_as_typed(text: str, shown: str) -> None:
    assert escape_markdown(text) == shown


@given(st.text(max_size=80))
def test_escaping_adds_backslashes_and_nothing_else(text: str) -> None:
    undone = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escape_markdown(text))
    assert undone == text
    assert not re.search(r"(?<!\\)(?:\\\\)*[\[\]<`*]", escape_markdown(text))


def test_offsets_are_of_the_sentence_in_the_text() -> None:
    citation = {
        "n": 1,
        "url": None,
        "key": "x:1 (2)",
        "author": "",
        "network": "x",
        "created_at": "2026-01-01T00:00:00Z",
    }
    claim = {
        "text": "a [b] 🦉",
        "label": "",
        "attribution": "",
        "citations": [citation, citation | {"n": 2, "url": "https://e.example/(x)"}],
    }
    piece = piece_of(claim, 10, "http://here", linked=True)
    text = "0123456789" + piece.text
    assert text[piece.cited[0].start : piece.cited[0].end] == "a \\[b\\] 🦉"
    assert piece.cited[0].url == "http://here/v1/posts/x:1%20%282%29"
    assert piece.text.endswith("🦉 [[1]](http://here/v1/posts/x:1%20%282%29)[[2]](https://e.example/%28x%29)")
