"""The query language: what a query is read as, and how errors point at their place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.store.query import (
    MAX_LENGTH,
    And,
    AtLeast,
    Between,
    Has,
    Ids,
    Node,
    Not,
    Or,
    Phrase,
    QueryError,
    Words,
    joined,
    normalized,
    parse,
    parse_time,
    parse_with_hints,
)

APRIL_15 = 1_365_984_000_000_000


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("", And(())),
        ("storm", Words("storm")),
        ("storm harbour", And((Words("storm"), Words("harbour")))),
        ("storm AND harbour", And((Words("storm"), Words("harbour")))),
        ("storm OR harbour", Or((Words("storm"), Words("harbour")))),
        ("storm or harbour", And((Words("storm"), Words("or"), Words("harbour")))),
        ("a b OR c", Or((And((Words("a"), Words("b"))), Words("c")))),
        ("a (b OR c)", And((Words("a"), Or((Words("b"), Words("c")))))),
        ("-storm", Not(Words("storm"))),
        ("-(a OR b)", Not(Or((Words("a"), Words("b"))))),
        ('-"a b"', Not(Phrase("a b"))),
        ('"exact words"', Phrase("exact words")),
        ("“curly”", Phrase("curly")),
        ("+storms", Phrase("storms")),
        ("well-known", Words("well-known")),
        ("from:@Ann", Has("from", "ann")),
        ("FROM:ann", Has("from", "ann")),
        ("to:bob", Has("to", "bob")),
        ("@Bob", Has("mention", "bob")),
        ("#Tag", Words("#Tag")),
        ("$TSLA", Words("$TSLA")),
        ("lang:en-GB", Has("lang", "en")),
        ("filter:links", Has("is", "links")),
        ("has:media is:quote", And((Has("is", "media"), Has("is", "quote")))),
        ("-filter:retweets", Not(Has("is", "retweet"))),
        ("include:nativeretweets storm", Words("storm")),
        ("min_faves:10", AtLeast("likes", 10)),
        ("-min_retweets:5", Not(AtLeast("reposts", 5))),
        ("min_replies:0", AtLeast("replies", 0)),
        ("since:2013-04-15", Between(start=APRIL_15)),
        ("until:2013-04-15", Between(end=APRIL_15)),
        ("since:2013-04-15_06:00:00_UTC", Between(start=APRIL_15 + 6 * 3_600_000_000)),
        ("since_time:1365984000", Between(start=APRIL_15)),
        ("until_time:1365984000", Between(end=APRIL_15)),
        ("within_time:3h", Between(last=3 * 3_600_000_000)),
        ("since_id:0", Ids(after=0)),
        ("max_id:4194304", Ids(upto=4194304)),
        ("conversation_id:12", Has("conversation", "12")),
        ("quoted_tweet_id:12", Has("quoted", "12")),
        ("url:example.org/news", Has("url", "example.org/news")),
        ('url:"example.org"', Has("url", "example.org")),
        ("https://example.org/a", Has("url", "https://example.org/a")),
        ("note: well", And((Words("note"), Words("well")))),
        ("12:30", Words("12:30")),
        ("lang:in", Has("lang", "id")),
        ("lang:iw", Has("lang", "he")),
        ("„Bundestag“", Phrase("Bundestag")),
        ("« dam break »", Phrase(" dam break ")),
        ("東京「タワー」", And((Words("東京"), Phrase("タワー")))),
        ('6" pipe', And((Words('6"'), Words("pipe")))),
        ('צה"ל', Words('צה"ל')),
        ("re:Invent", Words("re Invent")),
        ("source: reuters", And((Words("source"), Words("reuters")))),
        ("@bob!", Has("mention", "bob")),
        ("'storm warning'", And((Words("'storm"), Words("warning'")))),
    ],
)
def test_reading(query: str, tree: Node) -> None:
    assert parse(query) == tree


@pytest.mark.parametrize(
    ("query", "reason", "position"),
    [
        ("storm (harbour", "never closed", 6),
        ("storm) harbour", "closes nothing", 5),
        ("storm OR", "on its right", 6),
        ("storm -AND harbour", "needs something to leave out", 6),
        ("OR storm", "on its left", 0),
        ("from:", "needs a value", 0),
        ("since:lately", "cannot read the time", 6),
        ("since:2013-02-30", "cannot read the time", 6),
        ("min_faves:many", "whole number", 10),
        ("filter:cats", "unknown value 'cats'", 7),
        ("within_time:soon", "cannot read", 12),
        ("near:boston", "not supported", 0),
        ("storm - harbour", "", -1),
        ("(" * 40 + "a" + ")" * 40, "levels deep", 32),
    ],
)
def test_errors_point_at_their_place(query: str, reason: str, position: int) -> None:
    if position < 0:  # a lone hyphen is no operator
        assert parse(query) == And((Words("storm"), Words("-"), Words("harbour")))
        return
    with pytest.raises(QueryError, match=reason) as caught:
        parse(query)
    assert caught.value.position == position
    assert str(caught.value).splitlines()[-1] == "  " + " " * position + "^"


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("form:ann", "form: is no operator"),
        ("re:Invent", "re:Invent is searched as words"),
        ('storm "harbour', "the quotation mark at character 7 is never closed"),
        ('6" pipe', None),
        ("note: well", None),
    ],
)
def test_what_is_taken_for_words_is_said(query: str, hint: str | None) -> None:
    tree, hints = parse_with_hints(query)
    assert tree == parse(query)
    assert [hint in said for said in hints if hint] == ([True] if hint else [])


def test_a_query_has_a_bounded_length() -> None:
    with pytest.raises(QueryError, match="longer"):
        parse("a " * MAX_LENGTH)


@given(st.text(max_size=200))
def test_any_text_is_a_query_or_a_query_error(text: str) -> None:
    try:
        parse(text)
    except QueryError as error:
        assert 0 <= error.position <= len(text)


@given(
    st.lists(
        st.sampled_from(["a", '"b c"', "-d", "(", ")", "OR", "AND", "from:x", "since:2020-01-01", "-", "+"])
    ),
    st.sampled_from([" ", ""]),
)
def test_any_mixture_of_parts_is_a_query_or_a_query_error(parts: list[str], between: str) -> None:
    try:
        parse(between.join(parts))
    except QueryError as error:
        assert error.reason


@pytest.mark.parametrize(
    "text", ["2013-04-15", "2013-04-15T00:00Z", "2013-04-15T02:00+02:00", "2013-04-15_00:00:00_UTC"]
)
def test_times_are_utc_by_default(text: str) -> None:
    assert parse_time(text) == APRIL_15


@pytest.mark.parametrize("query", ["a) OR (b", '"a', "“a", 'say "a', ") (", "(a", '6" OR "b'])
def test_no_query_reaches_into_the_filter_that_it_is_joined_with(query: str) -> None:
    """Whatever is joined finds no more than each part by itself, or is refused."""
    where = 'from:bbc "breaking news"'
    try:
        whole = joined(query, where)
    except QueryError:
        return
    assert normalized(parse(whole)) == normalized(And((parse(query), parse(where))))


def test_parts_that_are_queries_are_joined_and_empty_ones_left_out() -> None:
    assert joined("a OR b", "", " lang:fr ") == "(a OR b) (lang:fr)"
    assert joined(" a OR b ", "") == "a OR b"
    assert joined("", " ") == ""
    with pytest.raises(QueryError, match="closes nothing"):
        joined("a) OR (b", "lang:fr")
    with pytest.raises(QueryError, match="quotation mark"):
        joined('"a', 'from:bbc "breaking news"')
    with pytest.raises(QueryError, match="quotation mark"):
        joined("“a", "b”")
