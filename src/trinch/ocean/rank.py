"""Which of the posts that match come first.

Owns the score of a post for a query, and the choice of further terms from the stream itself. Pure functions
over candidates: knows nothing of storage, query syntax or people. The searcher runs them in this order:

1. ask the index for the best `WIDE` posts by `first_pass`: any word of the query, rarer words weighing more;
2. `expand`: terms that the best of these share and the rest of the ocean does not;
3. ask the index again by `second_pass`, the words of the query and those terms;
4. `score` what came back.

The score, in natural-log units, is the sum of
- the query's words the post contains, each by its rarity (how often a post repeats a word, and how long the
  post is, say nothing in so short a text: BM25 with k1 = b = 0);
- the expansion terms it contains (Kullback-Leibler weights over pseudo-relevant posts, as in Carpineto et
  al., "An information-theoretic approach to automatic query expansion", ACM TOIS 2001);
- what kind of post it is: a link speaks for it, a repost against it, as does another language than the best
  matches have;
- when it was posted: near the other good matches (kernel density of their times, Efron et al., "Temporal
  feedback for tweet search with non-parametric density estimation", SIGIR 2014), and not long before the
  question.

Every constant was chosen on the 49 topics of TREC Microblog 2011 and only there (docs/ranking.md); the
optimum is flat, so they are round.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from trinch.posts.event import Post
from trinch.posts.text import query_terms, stem

WIDE = 200
"""Posts to fetch in the first pass; the feedback is the best `FEEDBACK` of them."""

FEEDBACK = 30
EXPANSION_TERMS = 20
EXPANSION = 0.6
"""Weight of all expansion terms together, against that of all words of the query."""

HEAD = 3.0
"""Feedback posts weigh 1 / (rank + HEAD), the first being rank 0."""

LINK = 1.0
LANGUAGE = 1.0
REPOST = -3.0
QUOTED = -1.0
"""A repost inside the text: "so true RT @somebody ..."."""

FRESH = 1.0
FRESH_DAYS = 1.0
BURST = 0.5
BURST_DAYS = 0.25
BURST_POSTS = 50
BURST_FLOOR = 0.01

DAY = 86_400_000_000
_RT = re.compile(r"\bRT\b", re.IGNORECASE)

Scores: TypeAlias = NDArray[np.float64]
DocumentFrequency: TypeAlias = Callable[[str], int]
"""Posts in the ocean that hold a term."""


class Candidate(NamedTuple):
    """A post that may match, as the searcher hands it over."""

    post: Post
    terms: Sequence[str]
    """What it is indexed under: `posts.text.terms(post.text, post.lang)`."""
    at: int
    """When it appeared, UTC microseconds."""


def _rarity(df: int, n_docs: int) -> float:
    """Inverse document frequency as in BM25 (Robertson & Zaragoza 2009), never negative."""
    df = min(df, n_docs)
    return log(1 + (n_docs - df + 0.5) / (df + 0.5))


def _word_weights(words: Iterable[str], df: DocumentFrequency, n_docs: int) -> dict[str, float]:
    """Weight of each distinct word of the query, by how many posts hold it in any of its forms."""
    return {word: _rarity(sum(map(df, query_terms(word))), n_docs) for word in dict.fromkeys(words)}


def first_pass(words: Sequence[str], df: DocumentFrequency, n_docs: int) -> dict[str, float]:
    """Index term -> constant score, for the words (`posts.text.tokens`) of a query in all their forms."""
    weights = _word_weights(words, df, n_docs)
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
        weights = by_language.get(post.lang)
        if weights is None:
            forms = {stem(word, post.lang): weight for word, weight in words.items()}
            weights = by_language[post.lang] = {**expansion, **forms}
        scores[i] = sum([weights[term] for term in weights.keys() & terms])
    return scores


def _kind(post: Post) -> float:
    """What speaks for or against a post whatever the query."""
    score = LINK if post.urls or "http" in post.text else 0.0
    found = _RT.search(post.text)
    if post.repost_of or (found and not post.text[: found.start()].strip()):
        return score + REPOST
    return score + QUOTED if found else score


def _best(scores: Scores, limit: int) -> tuple[list[int], Scores]:
    """Places of the highest scores, best first, and the weight of each as feedback (they sum to 1)."""
    order = np.argsort(-scores, kind="stable")[:limit]
    weights = 1 / (np.arange(len(order)) + HEAD)
    return order.tolist(), weights / weights.sum()


def _prior(scores: Scores, candidates: Sequence[Candidate], as_of: int) -> Scores:
    """`scores` with the kind of post, its freshness, and whether its language is that of the best matches."""
    age = np.array([as_of - candidate.at for candidate in candidates]) / DAY
    scores = scores + [_kind(candidate.post) for candidate in candidates]
    scores += FRESH * np.exp(-np.maximum(age, 0) / FRESH_DAYS)
    share: defaultdict[str, float] = defaultdict(float)
    for i, weight in zip(*_best(scores, BURST_POSTS), strict=True):
        share[candidates[i].post.lang] += weight
    share.pop("und", None)
    if share:
        agrees = {max(share, key=share.__getitem__): LANGUAGE, "und": LANGUAGE / 2}
        scores += [agrees.get(candidate.post.lang, 0.0) for candidate in candidates]
    return scores


def _burst(scores: Scores, candidates: Sequence[Candidate]) -> Scores:
    """Log of how densely the best posts lie in time around each candidate."""
    days = np.array([candidate.at for candidate in candidates]) / DAY
    best, weights = _best(scores, BURST_POSTS)
    kernel = np.exp(-0.5 * ((days[:, None] - days[best]) / BURST_DAYS) ** 2)
    return np.asarray(np.log(kernel @ weights + BURST_FLOOR))


def expand(
    words: Sequence[str], candidates: Sequence[Candidate], df: DocumentFrequency, n_docs: int, as_of: int
) -> dict[str, float]:
    """Expansion term -> weight, from the best of the candidates of the first pass.

    A term must occur in two of them. Its weight is p log(p / q), p being how often the feedback posts hold
    it and q how often all posts do, times its rarity; the best `EXPANSION_TERMS` share `EXPANSION`.
    """
    if not candidates or not words:
        return {}
    weights = _word_weights(words, df, n_docs)
    best, feedback = _best(_prior(_match(weights, {}, candidates), candidates, as_of), FEEDBACK)
    held: defaultdict[str, float] = defaultdict(float)
    times: Counter[str] = Counter()
    for i, weight in zip(best, feedback, strict=True):
        distinct = set(candidates[i].terms)
        times.update(distinct)
        for term in distinct:
            held[term] += weight
    known = {form for word in weights for form in query_terms(word)}
    gains: dict[str, tuple[float, float]] = {}
    for term, p in held.items():
        if times[term] > 1 and term.lstrip("#$") not in known and (len(term) > 1 or not term.isascii()):
            frequency = max(df(term), 1)
            gain = p * log(p * n_docs / frequency)
            if gain > 0:
                gains[term] = gain, _rarity(frequency, n_docs)
    chosen = sorted(gains, key=lambda term: (-gains[term][0], term))[:EXPANSION_TERMS]
    total = sum(gains[term][0] for term in chosen)
    return {term: EXPANSION * len(words) * gains[term][0] / total * gains[term][1] for term in chosen}


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
