"""Rank matching posts: the score of a post for a query, and query expansion from the best matches.

Pure functions over candidates. `store.py` runs them in this order:

1. ask the index for the best `WIDE` posts by `first_pass`: any word of the query, rarer words weighing more;
2. `expand`: terms that the best of these share and the rest of the store does not;
3. ask the index again by `second_pass`, the words of the query and those terms;
4. `score` what came back.

The score, in natural-log units, is the sum of
- the query's words the post contains, each by the square of its rarity (as in the cosine of tf-idf vectors),
  with BM25's saturation: to repeat a word says little;
- the expansion terms it contains (Kullback-Leibler weights over pseudo-relevant posts, as in Carpineto et
  al., "An information-theoretic approach to automatic query expansion", ACM TOIS 2001);
- what kind of post it is: a link raises it, a repost lowers it, as does another language than that of the
  best matches;
- when it was posted: near the other good matches (kernel density of their times, Efron et al., "Temporal
  feedback for tweet search with non-parametric density estimation", SIGIR 2014), and not long before the
  question.

The constants were chosen on the 49 topics of TREC Microblog 2011; the optimum is flat, so they are round.
SHORT, LONG and FUNCTION_WORD correct errors seen on other data (listed in docs/ranking.md).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trinch.posts.schema import Post
from trinch.posts.text import FUNCTION_WORDS, query_terms, stem

WIDE = 200
"""Posts to retrieve in the first pass."""

FEEDBACK = 20
"""Posts assumed to be relevant: the best distinct ones of the first pass."""

EXPANSION_TERMS = 20
EXPANSION = 0.7
"""Weight of all expansion terms together, against that of all words of the query."""

SHORT = 2
"""Words of a short query. A longer one is more specific; its expansion weighs no more than its two rarest words."""

HEAD = 2.0
"""Feedback posts weigh 1 / (rank + HEAD), the first being rank 0."""

REPEAT = 0.2
"""k1 of BM25."""

TYPICAL = 6.0
"""Rarity of a typical word of a query (one post in 400 contains it); its weight is its rarity."""

FUNCTION_WORD = 0.5
"""Most that a word like `which` can weigh. Those of a language that few posts are in would be rare."""

LONG = 30
"""Terms of a long post. In one k times as long REPEAT counts k-fold, so that length is no advantage."""

LINK = 1.0
"""For a post with a link. A word that one post in a hundred contains weighs 3.5."""

LANGUAGE = 1.0
"""For a post in the language of the best matches; half of it where the post's language is unknown."""

REPOST = -3.0
"""For a repost: its original has the same text."""

QUOTED = -1.0
"""For a repost with a comment before it: "so true RT @somebody ..."."""

FRESH = 1.0
"""For a post of this moment; falls by the factor e in `FRESH_DAYS`."""

FRESH_DAYS = 1.0
BURST = 0.5
"""Weight of the log density in time of the best `BURST_POSTS`, Gaussian of deviation `BURST_DAYS`."""

BURST_POSTS = 50
BURST_DAYS = 0.25
BURST_FLOOR = 0.01
"""Added to the density (1 where all of them coincide), so that no time is impossible."""

DAY = 86_400_000_000

Scores: TypeAlias = NDArray[np.float64]
DocumentFrequency: TypeAlias = Callable[[str], int]
"""Number of posts in the store that contain a term."""


class Candidate(NamedTuple):
    """A post that may match."""

    post: Post
    terms: Sequence[str]
    """Its index terms: `posts.text.terms(post.text, post.lang)`."""
    at: int
    """When it appeared, UTC microseconds."""


def depth(limit: int) -> int:
    """Posts to fetch in the second pass for the best `limit` of them."""
    return max(300, limit * 3 // 2)


def _rarity(df: int, n_docs: int) -> float:
    """Inverse document frequency as in BM25 (Robertson & Zaragoza 2009), never negative."""
    df = min(df, n_docs)
    return log(1 + (n_docs - df + 0.5) / (df + 0.5))


def _word_weights(words: Iterable[str], df: DocumentFrequency, n_docs: int) -> dict[str, float]:
    """Weight of each distinct word of the query, by how many posts contain it in any of its forms."""
    weights = {}
    for word in dict.fromkeys(words):
        weight = _rarity(sum(map(df, query_terms(word))), n_docs) ** 2 / TYPICAL
        weights[word] = min(weight, FUNCTION_WORD) if word in FUNCTION_WORDS else weight
    return weights


def first_pass(words: Sequence[str], df: DocumentFrequency, n_docs: int) -> dict[str, float]:
    """Index term -> constant score, for the words (`posts.text.tokens`) of a query in all their forms.

    Function words are left out, unless there is nothing else: half of all posts contain one.
    """
    weights = _word_weights([word for word in words if word not in FUNCTION_WORDS] or words, df, n_docs)
    return {form: weight for word, weight in weights.items() for form in query_terms(word)}


def second_pass(
    words: Sequence[str], expansion: Mapping[str, float], df: DocumentFrequency, n_docs: int
) -> dict[str, float]:
    """Index term -> constant score, for the words of a query and its expansion."""
    return {**expansion, **first_pass(words, df, n_docs)}


def _match(
    words: Mapping[str, float], expansion: Mapping[str, float], candidates: Sequence[Candidate]
) -> Scores:
    """Weight of the words and expansion terms in each candidate, words in the form of its language."""
    by_language: dict[str, dict[str, float]] = {}
    scores = np.zeros(len(candidates))
    for i, (post, terms, _) in enumerate(candidates):
        forms = by_language.get(post.lang)
        if forms is None:
            forms = by_language[post.lang] = {stem(word, post.lang): weight for word, weight in words.items()}
        held = set(terms)
        damp = REPEAT * max(1.0, len(terms) / LONG)
        total = sum([weight for term, weight in expansion.items() if term in held]) / (1 + damp)
        for form, weight in forms.items():
            if form in held:
                times = terms.count(form)
                total += weight * times / (times + damp)
        scores[i] = total * (1 + REPEAT)
    return scores


def _kind(candidate: Candidate) -> float:
    """The part of the score that does not depend on the query."""
    post, terms, _ = candidate
    score = LINK if post.urls or "http" in post.text else 0.0
    if post.repost_of or (terms and terms[0] == "rt"):
        return score + REPOST
    return score + QUOTED if "rt" in terms else score


def _by_rank(n: int) -> Scores:
    """Weights of the n best posts as feedback; they sum to 1."""
    weights = 1 / (np.arange(n) + HEAD)
    shares: Scores = weights / weights.sum()
    return shares


def _best(scores: Scores, candidates: Sequence[Candidate], limit: int) -> tuple[list[int], Scores]:
    """Places of the highest scores, best (then newest) first, and their weights as feedback."""
    newest = np.array([-candidate.at for candidate in candidates])
    order: list[int] = np.lexsort((newest, -scores))[:limit].tolist()
    return order, _by_rank(len(order))


def _prior(scores: Scores, candidates: Sequence[Candidate], as_of: int) -> Scores:
    """`scores` with the kind of post, its freshness, and whether its language is that of the best matches."""
    age = np.array([as_of - candidate.at for candidate in candidates]) / DAY
    scores = scores + [_kind(candidate) for candidate in candidates]
    scores += FRESH * np.exp(-np.maximum(age, 0) / FRESH_DAYS)
    share: defaultdict[str, float] = defaultdict(float)
    for i, weight in zip(*_best(scores, candidates, BURST_POSTS), strict=True):
        share[candidates[i].post.lang] += weight
    share.pop("und", None)
    if share:
        agrees = {max(share, key=share.__getitem__): LANGUAGE, "und": LANGUAGE / 2}
        scores += [agrees.get(candidate.post.lang, 0.0) for candidate in candidates]
    return scores


def _burst(scores: Scores, candidates: Sequence[Candidate]) -> Scores:
    """Log of how densely the best posts lie in time around each candidate."""
    days = np.array([candidate.at for candidate in candidates]) / DAY
    best, weights = _best(scores, candidates, BURST_POSTS)
    kernel = np.exp(-0.5 * ((days[:, None] - days[best]) / BURST_DAYS) ** 2)
    return np.asarray(np.log(kernel @ weights + BURST_FLOOR))


def expand(
    words: Sequence[str], candidates: Sequence[Candidate], df: DocumentFrequency, n_docs: int, as_of: int
) -> dict[str, float]:
    """Expansion term -> weight, from the best of the candidates of the first pass.

    Posts with the same terms count once, and a term must occur in two. Its gain is p log(p / q), p being the
    weight of the feedback posts that hold it and q the share of all posts that do; its weight is its gain
    times its rarity. The best `EXPANSION_TERMS` together weigh `EXPANSION` times the `SHORT` rarest words.
    """
    if not candidates or not words or not n_docs:
        return {}
    weights = _word_weights(words, df, n_docs)
    scores = _prior(_match(weights, {}, candidates), candidates, as_of)
    best, _ = _best(scores, candidates, len(candidates))
    feedback = list(dict.fromkeys(frozenset(candidates[i].terms) for i in best))[:FEEDBACK]
    held: defaultdict[str, float] = defaultdict(float)
    times: Counter[str] = Counter()
    for terms, weight in zip(feedback, _by_rank(len(feedback)).tolist(), strict=True):
        times.update(terms)
        for term in terms:
            held[term] += weight
    known = {form for word in weights for form in query_terms(word)}
    gains: dict[str, tuple[float, float]] = {}
    for term, p in held.items():
        if times[term] < 2 or term in FUNCTION_WORDS or not known.isdisjoint((term, term.lstrip("#$"))):
            continue
        frequency = min(max(df(term), 1), n_docs)
        if p * n_docs > frequency and (len(term) > 1 or not term.isascii()):
            gains[term] = p * log(p * n_docs / frequency), _rarity(frequency, n_docs)
    chosen = sorted(gains, key=lambda term: (-gains[term][0], term))[:EXPANSION_TERMS]
    gain_rarity = {term: gains[term][0] * gains[term][1] for term in chosen}
    share = EXPANSION * sum(sorted(weights.values())[-SHORT:]) / max(sum(gain_rarity.values()), 1e-9)
    return {term: share * weight for term, weight in gain_rarity.items()}


def score(
    words: Sequence[str],
    expansion: Mapping[str, float],
    candidates: Sequence[Candidate],
    df: DocumentFrequency,
    n_docs: int,
    as_of: int,
) -> list[float]:
    """Score of each candidate; higher is better. Posts with equal scores belong newest first."""
    if not candidates:
        return []
    scores = _prior(_match(_word_weights(words, df, n_docs), expansion, candidates), candidates, as_of)
    ranked: list[float] = (scores + BURST * _burst(scores, candidates)).tolist()
    return ranked
