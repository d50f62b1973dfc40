"""Which of many saved queries a post matches, without a loop over them.

Each query is turned into clauses: sets of keys of which every matching post has at least one. A post's keys are its
stemmed terms, its terms as written, and its facets. The rarest clause of a query is its entry in an index from keys to
queries. So a post meets only queries of which it has an entry key; of these, the other clauses are checked, and then
the evaluator of searches (`store/query_eval.py`) decides. Queries without any clause (`-storm`, `since:2026-01-01`) are
evaluated for every post.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from trinch.posts.text import FUNCTION_WORDS, STEMMED, phrase_terms, stem, terms, tokens
from trinch.store.facets import level_terms, url_terms, wanted_url_terms
from trinch.store.query import And, AtLeast, Has, Near, Node, Not, Or, Phrase, Words, normalized, parse
from trinch.store.query_eval import Candidate, matches

Clause = frozenset[str]
"""Keys of which a matching post has at least one."""

FACET, EXACT = "\x01", "\x02"
"""First characters of keys that are facets, and terms as written; keys that are stemmed terms have none."""

_RARE = ("from", "to", "mention", "conversation", "quoted", "url")
"""Fields whose values few posts have."""

FREQUENT = 10**12
"""Taken for the number of posts with any other facet (`lang:en`)."""

COMMON = 10**6
"""Taken for the number of posts with a function word."""

MOST_CLAUSES = 8
"""Clauses of a query that are checked before the evaluator."""


class _Query(NamedTuple):
    id: str
    node: Node
    clauses: tuple[Clause, ...]
    """All but the first, which the index holds."""


class Percolator:
    """Saved queries, by id."""

    def __init__(self, frequency: Callable[[str], int]) -> None:
        """`frequency` is the number of posts that have a stemmed term."""
        self._frequency = frequency
        self._entry: dict[str, dict[str, _Query]] = {}
        """Key -> queries whose entry clause holds it."""
        self._always: dict[str, _Query] = {}
        self._entry_of: dict[str, Clause] = {}
        self.counting: set[str] = set()
        """Ids of the queries that ask for likes, reposts or replies, so that a post may match later than it came."""

    def __len__(self) -> int:
        return len(self._entry_of)

    def add(self, id: str, query: str) -> None:
        """Add a query, or replace the one with this id. Raises QueryError."""
        node = normalized(parse(query))
        self.remove(id)
        ordered = sorted(clauses(node), key=self._weight)
        kept = _Query(id, node, tuple(ordered[1 : 1 + MOST_CLAUSES]))
        self._entry_of[id] = ordered[0] if ordered else frozenset()
        if _counts(node):
            self.counting.add(id)
        if not ordered:
            self._always[id] = kept
        for key in self._entry_of[id]:
            self._entry.setdefault(key, {})[id] = kept

    def remove(self, id: str) -> None:
        """Remove a query, if there is one with this id."""
        self._always.pop(id, None)
        self.counting.discard(id)
        for key in self._entry_of.pop(id, ()):
            queries = self._entry[key]
            del queries[id]
            if not queries:
                del self._entry[key]

    def matches(self, candidate: Candidate, as_of: int) -> list[str]:
        """Ids of the queries that a post matches, asked at a time (microseconds)."""
        keys = keys_of(candidate)
        entry = self._entry
        found: dict[str, _Query] = dict(self._always)
        for key in keys:
            if key in entry:
                found |= entry[key]
        return [
            query.id
            for query in found.values()
            if not any(clause.isdisjoint(keys) for clause in query.clauses)
            and matches(query.node, candidate, as_of)
        ]

    def _weight(self, clause: Clause) -> int:
        """About how many posts have one of the keys."""
        return sum(map(self._weight_of, clause))

    def _weight_of(self, key: str) -> int:
        if key.startswith(FACET):
            return 1 if key[1:].split(":", 1)[0] in _RARE else FREQUENT
        term = key.removeprefix(EXACT)
        # A store that is still empty knows no frequencies.
        return 1 + self._frequency(term) + (COMMON if term in FUNCTION_WORDS else max(0, 20 - len(term)))


def keys_of(candidate: Candidate) -> set[str]:
    """The keys of a post."""
    post = candidate.post
    keys = {FACET + facet for facet in candidate.facets}
    keys.update(FACET + "url:" + term for url in post.urls for term in url_terms(url))
    if post.urls:
        keys.add(FACET + "has:url")
    keys.add(f"{FACET}conversation:{post.id.lower()}")
    keys.update(candidate.terms, (EXACT + word for word in candidate.words))
    for stemmed, written in candidate.attached:
        keys.update(stemmed, (EXACT + word for word in written))
    return keys


def _counts(node: Node) -> bool:
    match node:
        case And(items) | Or(items):
            return any(map(_counts, items))
        case Not(item):
            return _counts(item)
        case Has(field, value):
            return (field, value) == ("is", "engagement")
        case _:
            return isinstance(node, AtLeast)


def clauses(node: Node) -> list[Clause]:
    """Sets of keys of which every post that matches a query has at least one; the query in negation normal form."""
    match node:
        case And(items):
            return [clause for item in items for clause in clauses(item)]
        case Or(items):
            return _either([clauses(item) for item in items])
        case Words(text):
            return _words(text)
        case Phrase(text):
            return [frozenset([EXACT + word]) for word in terms(text, "und")]
        case AtLeast(count, n):
            return [frozenset([FACET + level]) for level in level_terms(count, n)]
        case Near():
            return [frozenset([FACET + "is:geo"])]
        case Has("url", value):
            parts = wanted_url_terms(value)
            return [frozenset([f"{FACET}url:{part}"]) for part in parts] or [frozenset([FACET + "has:url"])]
        case Has(field, value):
            return [frozenset([f"{FACET}{field}:{value}"])]
        case _:  # a negation, a time, a range of ids
            return []


def _either(branches: list[list[Clause]]) -> list[Clause]:
    """One clause of an OR: a clause of each branch; none where a branch has none."""
    if not all(branches):
        return []
    return [frozenset().union(*(max(branch, key=_length) for branch in branches))]


def _length(clause: Clause) -> int:
    """Longer words are rarer."""
    return min(map(len, clause), default=10**6)


def _words(text: str) -> list[Clause]:
    """The clauses of words next to each other: as `query_eval` takes them, in whatever language the post is."""
    words = tokens(text)
    if len(words) == 1:
        return [frozenset([*_stems(words[0]), f"#{words[0]}"])]
    sequences = phrase_terms(text)
    return [frozenset(max(sequence, key=len) for sequence in sequences)]


def _stems(word: str) -> Iterable[str]:
    return {word, *(stem(word, lang) for lang in STEMMED)}
