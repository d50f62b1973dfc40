"""Compile a query tree into a tantivy query for its candidates.

The candidates may include posts that do not match, never the other way round: `query_eval.py` decides. Trees are
expected in negation normal form (`query.normalized`), so that only leaves are negated.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import tantivy
from tantivy import FieldType, Occur, Query

from trinch.posts.near_duplicates import probes
from trinch.posts.text import STEMMED, phrase_terms, query_terms, stem, tokens
from trinch.posts.times import EARLIEST
from trinch.store.facets import level_terms, wanted_url_terms
from trinch.store.query import And, AtLeast, Between, Has, Ids, Near, Node, Not, Or, Phrase, Words
from trinch.store.query_eval import MAX_NUMBER, bounds


class Lookups(Protocol):
    """What compiling a query may have to ask the log."""

    def accounts_named(self, handle: str) -> list[str]: ...
    def seqs_of(self, id: str) -> list[int]: ...


_HOUR = 3_600_000_000
_AGES = tuple(_HOUR * hours for hours in (2, 12, 72, 720))
"""Microseconds of age at which posts that score the same are distinguished."""
_NEWER = 1e-4
"""Less than any difference in score that matters."""


class QueryCompiler:
    """Makes tantivy queries for one schema."""

    def __init__(self, schema: tantivy.Schema) -> None:
        self._schema = schema

    def compile(self, node: Node, as_of: int, lookups: Lookups) -> Query | None:
        """The candidates of a query tree; None when the index cannot narrow them down."""
        match node:
            case And(items):
                narrow = [self.compile(item, as_of, lookups) for item in items]
                return all_of([part for part in narrow if part is not None])
            case Or(items):
                parts = [part for item in items if (part := self.compile(item, as_of, lookups)) is not None]
                return any_of(parts) if len(parts) == len(items) else None
            case Not(item):
                return self._negated(item, as_of, lookups)
            case Words(text) | Phrase(text):
                return self._text(node, text)
            case Between():
                start, end = bounds(node, as_of)
                # Without a start too, so that undated posts are left out.
                return self.posted(EARLIEST if start is None else start, None if end is None else end - 1)
            case Ids(after, upto):
                return self._numbered(None if after is None else after + 1, upto)
            case AtLeast(count, n):
                return all_of([self.facet(term) for term in level_terms(count, n)])
            case Near():
                return self.facet("is:geo")
            case Has(field, value):
                return self._has(field, value, lookups)

    def _text(self, node: Words | Phrase, text: str) -> Query | None:
        words = tokens(text)
        if isinstance(node, Words) and len(words) == 1:
            return best_of([self._term(term) for term in (*query_terms(words[0]), f"#{words[0]}")])
        return self._sequences(text)

    def _has(self, field: str, value: str, lookups: Lookups) -> Query | None:
        match field:
            case "url":
                return all_of([self.facet(f"url:{term}") for term in wanted_url_terms(value)])
            case "from":
                names = (value, *lookups.accounts_named(value))
                return any_of([self.facet(f"from:{name.lower()}") for name in names])
            case "conversation":
                first = [Query.term_query(self._schema, "seq", seq) for seq in lookups.seqs_of(value)]
                return any_of([self.facet(f"conversation:{value}"), *first])
            case _:
                return self.facet(f"{field}:{value}")

    def _negated(self, item: Node, as_of: int, lookups: Lookups) -> Query | None:
        """Everything but a leaf, where the index knows exactly which posts match that leaf; None elsewhere."""
        match item:
            case Has("is", "engagement" | "self_thread"):
                return None  # the index knows these as of now; as of another time they may be untrue
            case Between() | Ids() | Has("lang" | "net" | "is" | "quoted"):
                excluded = self.compile(item, as_of, lookups)
            case Words(text) if len(words := tokens(text)) == 1:
                excluded = self._containing(words[0])
            case _:
                return None
        everything = Query.const_score_query(Query.all_query(), 0.0)
        return excluded and Query.boolean_query([(Occur.Must, everything), (Occur.MustNot, excluded)])

    # ------------------------------------------------------------------ parts

    def _term(self, value: str) -> Query:
        return Query.term_query(self._schema, "text", value)

    def facet(self, value: str) -> Query:
        """Posts with a term of `facets.py`; adds nothing to the score."""
        return Query.const_score_query(Query.term_query(self._schema, "facets", value, "basic"), 0.0)

    def posted(self, first: int | None, last: int | None) -> Query:
        """Posts of a time, both ends included; None is open, and includes undated posts before every other."""
        return Query.const_score_query(
            Query.range_query(self._schema, "at", FieldType.Integer, first, last), 0.0
        )

    def newer_first(self, query: Query, moment: int) -> Query:
        """The same posts; of those that score the same, newer ones come first, as seen from a time."""
        recent = [
            Query.const_score_query(
                Query.range_query(self._schema, "at", FieldType.Integer, moment - age, moment), _NEWER
            )
            for age in _AGES
        ]
        return Query.boolean_query([(Occur.Must, query), *((Occur.Should, part) for part in recent)])

    def _numbered(self, first: int | None, last: int | None) -> Query:
        """Posts whose id is a number in a range, both ends included."""
        first, last = max(first or 0, 0), MAX_NUMBER if last is None else min(last, MAX_NUMBER)
        return Query.const_score_query(
            Query.range_query(self._schema, "number", FieldType.Integer, min(first, MAX_NUMBER), last), 0.0
        )

    def stored(self, first: int, last: int) -> Query:
        """Posts at positions of the log, both ends included; adds nothing to the score."""
        return Query.const_score_query(
            Query.range_query(self._schema, "seq", FieldType.Integer, first, last), 0.0
        )

    def before(self, seq: int) -> Query:
        """Posts that precede a position of the log."""
        return Query.range_query(self._schema, "seq", FieldType.Integer, upper_bound=seq - 1)

    def weighted(self, weights: dict[str, float]) -> Query:
        """Posts with any of these index terms; the score is the sum of the weights of those they have."""
        return any_of([Query.const_score_query(self._term(term), weight) for term, weight in weights.items()])

    def like(self, terms: Sequence[str], df: Callable[[str], int]) -> Query:
        """Candidates for near-copies of a text of these terms: posts that share a rare run of its words, those that
        share most first. `df` is the number of posts that contain a term."""
        runs = probes(terms, df)
        if len(runs) == 1:  # a short text: its words, wherever they are
            return all_of([self._term(term) for term in runs[0]]) or Query.empty_query()
        return any_of([Query.phrase_query(self._schema, "text", list(run)) for run in runs])

    def _containing(self, word: str) -> Query:
        """Exactly the posts that match a word: they contain the form that it has in their language."""
        languages_of: dict[str, list[Query]] = {}
        for lang in STEMMED:
            if (form := stem(word, lang)) != word:
                languages_of.setdefault(form, []).append(self.facet(f"lang:{lang}"))
        changed = [(Occur.MustNot, lang) for languages in languages_of.values() for lang in languages]
        parts = [Query.boolean_query([(Occur.Must, self._term(word)), *changed]), self._term(f"#{word}")]
        for form, languages in languages_of.items():
            contained = (Occur.Must, self._term(form))
            parts.append(Query.boolean_query([contained, (Occur.Must, any_of(languages))]))
        return any_of(parts)

    def _sequences(self, text: str) -> Query | None:
        parts = []
        for sequence in phrase_terms(text):
            if len(sequence) == 1:
                parts.append(self._term(sequence[0]))
            else:
                parts.append(Query.phrase_query(self._schema, "text", list(sequence)))
        return best_of(parts) if parts else None


def all_of(parts: list[Query]) -> Query | None:
    """Posts that match every part; None without parts."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return Query.boolean_query([(Occur.Must, part) for part in parts])


def any_of(parts: list[Query]) -> Query:
    """Posts that match at least one part, none without parts; the scores add up."""
    if not parts:
        return Query.empty_query()
    return parts[0] if len(parts) == 1 else Query.boolean_query([(Occur.Should, part) for part in parts])


def best_of(parts: list[Query]) -> Query:
    """Posts that match at least one part; the best score counts: the parts are spellings of the same thing."""
    return parts[0] if len(parts) == 1 else Query.disjunction_max_query(parts)
