"""The index of queries returns exactly the queries that the evaluator of searches matches."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from trinch.alerts.percolator import Percolator, keys_of
from trinch.posts.schema import Attached, Post
from trinch.store.query import QueryError, normalized, parse
from trinch.store.query_eval import Candidate, matches

EXAMPLES = int(os.environ.get("TRINCH_CASES", "120"))
NOW = 1_800_000_000_000_000
WORDS = ["storm", "storms", "harbour", "Hafen", "l'eau", "news", "don't", "well-known", "U.S.", "F-16", "café", "東京", "1,021",
         "#Flood", "#BostonMarathon", "$TSLA", "@ann", "ann.example", "буря", "🔥", "!!", "the"]  # fmt: skip
OPERATORS = ["from:ann", "from:7", "to:bob", "@ann", "lang:en", "lang:fr", "is:reply", "has:links", "-filter:retweets",
             "min_faves:3", "-min_faves:3", "min_replies:0", "since:2026-01-01", "until:2027-01-01", "within_time:2d",
             "since_id:5", "max_id:9", "conversation_id:5", "quoted_tweet_id:3", "url:example.org", "url:example.org/news",
             "url:/", "is:undated", "has:media", "filter:safe", "is:engagement"]  # fmt: skip

leaves = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(OPERATORS),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda words: f'"{" ".join(words)}"'),
    st.sampled_from(WORDS).map("+{}".format),
)
queries = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(" ".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({' OR '.join(parts)})"),
        inner.map("-({})".format),
    ),
    max_leaves=6,
)
texts = st.lists(st.sampled_from([*WORDS, "http://t.co/x", "stormy", "RT"]), max_size=8).map(" ".join)
posts = st.builds(
    Post,
    network=st.just("x"),
    id=st.sampled_from(["5", "7", "at://a/5"]),
    text=texts,
    lang=st.sampled_from(["en", "fr", "de", "ru", "ja", "und"]),
    created_at=st.sampled_from([None, NOW - 10**12, NOW - 10**10]),
    author=st.sampled_from(["", "Ann", "bob"]),
    author_id=st.sampled_from(["", "7"]),
    reply_to=st.sampled_from(["", "3"]),
    reply_to_author=st.sampled_from(["", "Bob"]),
    quote_of=st.sampled_from(["", "3"]),
    repost_of=st.sampled_from(["", "3"]),
    conversation_id=st.sampled_from(["", "5", "3"]),
    urls=st.sampled_from([(), ("https://www.example.org/news/1",), ("https://b.example/",), ("",)]),
    media=st.sampled_from([(), ("image",), ("gif",)]),
    attached=st.lists(st.builds(Attached, kind=st.just("card"), text=texts), max_size=2).map(tuple),
    sensitive=st.booleans(),
    likes=st.sampled_from([None, 0, 2, 3, 4, 100]),
    replies=st.sampled_from([None, 0, 1]),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(queries, min_size=1, max_size=12), st.lists(posts, min_size=1, max_size=6))
def test_it_returns_exactly_what_the_evaluator_matches(written: list[str], given_posts: list[Post]) -> None:
    percolator = Percolator(lambda term: len(term) % 5)
    trees = {}
    for place, query in enumerate(written):
        try:
            trees[str(place)] = normalized(parse(query))
        except QueryError:
            continue
        percolator.add(str(place), query)
    for post in given_posts:
        candidate = Candidate(post, post.created_at or NOW)
        expected = {id for id, tree in trees.items() if matches(tree, candidate, NOW)}
        assert set(percolator.matches(candidate, NOW)) == expected


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(st.lists(queries, min_size=1, max_size=6), posts, st.data())
def test_queries_that_are_removed_or_replaced_no_longer_match(
    written: list[str], post: Post, data: st.DataObject
) -> None:
    percolator = Percolator(len)
    for place, query in enumerate(written):
        try:
            percolator.add(str(place), query)
            percolator.add(str(place), "nobodywritesthis")
        except QueryError:
            continue
        if data.draw(st.booleans()):
            percolator.remove(str(place))
    assert percolator.matches(Candidate(post, NOW), NOW) == []


def test_a_post_meets_few_of_many_queries() -> None:
    """The index is entered by the rarest clause: a thousand alerts on one common word and a rare one cost nothing."""
    percolator = Percolator(lambda term: 1000 if term == "the" else 1)
    for n in range(1000):
        percolator.add(str(n), f"the word{n}")
    candidate = Candidate(Post(network="x", id="1", text="the word7 is here", lang="en"), NOW)
    entered = [key for key in keys_of(candidate) if key in percolator._entry]
    assert percolator.matches(candidate, NOW) == ["7"]
    assert sum(len(percolator._entry[key]) for key in entered) == 1
