"""What the score promises: rarer words count more, the stream teaches words, time and kind matter."""

import math

from hypothesis import given
from hypothesis import strategies as st

from trinch.posts.schema import Post
from trinch.posts.text import terms, tokens
from trinch.store.scoring import (
    DAY,
    EXPANSION,
    EXPANSION_TERMS,
    Candidate,
    depth,
    expand,
    first_pass,
    score,
    second_pass,
)

NOW = 20_000 * DAY


def candidate(text: str, *, lang: str = "en", hours_ago: float = 48, link: bool = False) -> Candidate:
    at = NOW - int(hours_ago / 24 * DAY)
    urls = ("https://example.org/",) if link else ()
    post = Post(network="test", id=text, created_at=at, text=text, lang=lang, urls=urls)
    return Candidate(post, terms(text, lang), at)


class Store:
    """Document frequencies of a handful of posts among many that hold none of their words."""

    def __init__(self, candidates: list[Candidate], n_docs: int = 10_000) -> None:
        self.candidates, self.n_docs = candidates, n_docs

    def df(self, term: str) -> int:
        return sum(term in c.terms for c in self.candidates)

    def order(self, query: str, *, expanded: bool = False) -> list[str]:
        words = tokens(query)
        more = expand(words, self.candidates, self.df, self.n_docs, NOW) if expanded else {}
        scores = score(words, more, self.candidates, self.df, self.n_docs, NOW)
        ranked = sorted(zip(scores, self.candidates, strict=True), key=lambda pair: -pair[0])
        return [c.post.text for _, c in ranked]


def test_more_words_and_rarer_words_come_first() -> None:
    store = Store([candidate(text) for text in ["bridge closed", "bridge in town", "bridge again", "a dog"]])
    assert store.order("bridge closed")[0] == "bridge closed"
    store = Store([candidate(f"bridge {n}") for n in range(9)] + [candidate("kestrel")])
    assert store.order("kestrel bridge")[0] == "kestrel"


def test_a_word_counts_in_the_form_of_the_language_of_the_post() -> None:
    """French stems `news` to `new`: that must not make an English `new` an answer to `news`."""
    store = Store([candidate("something new today"), candidate("some news today")])
    assert store.order("news") == ["some news today", "something new today"]


def test_the_stream_teaches_words_the_query_lacks() -> None:
    feedback = [
        candidate(f"quake hits Arkovia, tsunami feared {n}") for n in ("near coast", "says agency", "now")
    ]
    taught = candidate("tsunami warning for Arkovia")
    store = Store([*feedback, candidate("quake of laughter"), taught, candidate("unrelated words entirely")])
    words = tokens("quake")
    expansion = expand(words, [*feedback, store.candidates[3]], store.df, store.n_docs, NOW)
    assert {"tsunami", "arkovia", "fear"} <= expansion.keys()
    assert "quak" not in expansion
    assert "coast" not in expansion, "one post alone teaches nothing"
    order = store.order("quake", expanded=True)
    assert order.index(taught.post.text) < order.index("unrelated words entirely")


def test_copies_of_one_post_teach_nothing() -> None:
    copies = [candidate("quake buy cheap pills", hours_ago=n) for n in range(20)]
    store = Store(copies)
    assert expand(["quake"], copies, store.df, store.n_docs, NOW) == {}


def test_kind_of_post() -> None:
    plain, linked = candidate("bridge closed here"), candidate("bridge closed there", link=True)
    repost, comment = candidate("RT @a: bridge closed"), candidate("oh no RT @a: bridge closed")
    order = Store([plain, repost, linked, comment]).order("bridge closed")
    assert order == [c.post.text for c in (linked, plain, comment, repost)]


def test_posts_in_the_language_of_the_others_come_first() -> None:
    french = [candidate(f"pont fermé {n}", lang="fr") for n in range(4)]
    order = Store([candidate("pont brug dicht", lang="nl"), *french]).order("pont")
    assert order[-1] == "pont brug dicht"


def test_time() -> None:
    fresh, stale = candidate("bridge closed now", hours_ago=1), candidate("bridge closed then", hours_ago=500)
    assert Store([stale, fresh]).order("bridge")[0] == "bridge closed now"
    burst = [candidate(f"bridge closed {n}", hours_ago=300 + n / 10) for n in range(9)]
    inside, outside = candidate("bridge x", hours_ago=300), candidate("bridge y", hours_ago=299 - 72)
    order = Store([*burst, outside, inside]).order("bridge closed")
    assert order.index("bridge x") < order.index("bridge y")


def test_passes_weigh_every_form_by_rarity() -> None:
    store = Store([candidate("elections today"), candidate("storm today"), candidate("storm again")])
    weights = first_pass(tokens("elections storm"), store.df, store.n_docs)
    assert {"elect", "storm"} <= weights.keys()
    assert weights["elect"] > weights["storm"] > 0
    both = second_pass(tokens("elections storm"), {"ballot": 1.5, "storm": 9.0}, store.df, store.n_docs)
    assert both == {**weights, "ballot": 1.5}


def test_function_words_neither_find_nor_outweigh() -> None:
    """In a stream that is mostly English, the words of a French question are rare."""
    store = Store([candidate("quelle est la"), *[candidate(f"oklahoma {n}") for n in range(200)]])
    weights = first_pass(tokens("quelle est la situation à Oklahoma"), store.df, store.n_docs)
    assert "oklahoma" in weights
    assert "quelle" not in weights
    assert store.order("quelle est la situation à Oklahoma")[-1] == "quelle est la"
    assert first_pass(tokens("what is it"), store.df, store.n_docs), (
        "a query of nothing else is still a query"
    )


def test_a_long_post_gains_nothing_by_its_length() -> None:
    long = candidate("bridge closed " + " ".join(f"filler{n}" for n in range(200)))
    assert Store([long, candidate("bridge closed today")]).order("bridge closed")[0] == "bridge closed today"


def test_nothing_in_nothing_out() -> None:
    store = Store([])
    assert first_pass([], store.df, 0) == {}
    assert expand([], [], store.df, 0, NOW) == {}
    assert score(["word"], {}, [], store.df, 0, NOW) == []
    assert depth(10) >= 10
    assert depth(1_000) >= 1_000


a_word = st.sampled_from(
    ["storm", "storms", "flood", "floods", "bridge", "новости", "港", "#storm", "42", "rt"]
)
words_of = st.lists(a_word, max_size=8)
candidates_of = st.lists(
    st.builds(
        lambda words, lang, hours: candidate(" ".join(words), lang=lang, hours_ago=hours),
        words_of,
        st.sampled_from(["en", "fr", "ru", "und", "ja"]),
        st.floats(-100, 1e6),
    ),
    max_size=12,
)


@given(words_of, candidates_of, st.integers(0, 3))
def test_scores_are_finite_and_follow_the_candidates(
    words: list[str], candidates: list[Candidate], n_docs: int
) -> None:
    """Also where the document frequencies are wrong (an index counts posts that are gone)."""
    store = Store(candidates, n_docs)
    expansion = expand(words, candidates, store.df, n_docs, NOW)
    assert len(expansion) <= EXPANSION_TERMS
    assert all(weight >= 0 and math.isfinite(weight) for weight in expansion.values())
    scores = score(words, expansion, candidates, store.df, n_docs, NOW)
    assert len(scores) == len(candidates)
    assert all(map(math.isfinite, scores))
    backwards = score(words, expansion, candidates[::-1], store.df, n_docs, NOW)[::-1]
    if len({c.at for c in candidates}) == len(candidates):
        assert all(math.isclose(a, b, abs_tol=1e-9) for a, b in zip(scores, backwards, strict=True))


def test_expansion_never_outweighs_the_query() -> None:
    feedback = [candidate(f"quake tsunami coast agency wave {n}") for n in range(9)]
    store = Store(feedback)
    words = first_pass(["quake"], store.df, store.n_docs)
    expansion = expand(["quake"], feedback, store.df, store.n_docs, NOW)
    assert math.isclose(sum(expansion.values()), EXPANSION * max(words.values()))
