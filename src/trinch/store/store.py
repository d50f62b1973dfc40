"""The store: the log and the text index of one folder, with search and retrieval over both.

Results are candidates of the index that are visible according to the log (as of a time) and that match the query
exactly.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import msgspec
from tantivy import Query

from trinch.posts.near_duplicates import COPY, similar
from trinch.posts.schema import Created, Edited, Event, Post
from trinch.posts.text import query_terms, tokens
from trinch.posts.times import now
from trinch.posts.times import parse as parse_time
from trinch.store import indexer, scoring
from trinch.store.budget import Budget
from trinch.store.database import DATABASE
from trinch.store.log import Appended, Log, Version
from trinch.store.query import And, Has, Node, Not, normalized, parse, wanted_words
from trinch.store.query_compile import all_of
from trinch.store.query_eval import Candidate, matches
from trinch.store.tallies import UNDATED_DAY
from trinch.store.text_index import INDEX, Found, TextIndex
from trinch.store.writer import Writer

MAX_CANDIDATES = 100_000
"""Candidates evaluated for one search, however few of them match."""

CHUNK = 100
"""Candidates looked up in the log at once; the CPU budget is checked between chunks and candidates."""

SLICES = 24
"""Parts of a time that are sampled alike where it holds too many posts to be read."""


class HasTerms(Protocol):
    """What is needed of a post to find its near-copies."""

    @property
    def post(self) -> Post: ...
    @property
    def terms(self) -> Sequence[str]: ...


class Hit(msgspec.Struct, frozen=True):
    """A post found, with its time (microseconds, `UNDATED` without one), its position in the log and its score."""

    post: Post
    at: int
    seq: int
    score: float
    terms: list[str]

    @property
    def candidate(self) -> scoring.Candidate:
        """The hit as `scoring.py` takes it."""
        return scoring.Candidate(self.post, self.terms, self.at)


class Hits(list[Hit]):
    """The hits of a search. `partial`: the CPU budget ended before all candidates were evaluated."""

    def __init__(self, hits: Sequence[Hit] = (), partial: bool = False) -> None:
        super().__init__(hits)
        self.partial = partial


class Store:
    """An open store. Use one per thread; any number of processes may have the same folder open."""

    def __init__(self, data: Path) -> None:
        """Open the store in a folder, created if it does not exist. Raises StoreError."""
        self.data = data
        self.log = Log(data / DATABASE)
        self.index = TextIndex(data / INDEX)
        self.budget = Budget()
        """CPU time that searches may use now; see `within`."""

    @classmethod
    def open(cls, data: str | Path) -> "Store":
        """Open the store in a folder, created if it does not exist. Raises StoreError."""
        return cls(Path(data))

    def close(self) -> None:
        """Release the files; the write-ahead log is merged into the database."""
        self.index.close()
        self.log.close()

    # ------------------------------------------------------------------ writing

    def ingest(self, events: Sequence[Event], cursors: Mapping[str, str] | None = None) -> Appended:
        """Make events durable, with the language of each post; on return they are acknowledged.

        An indexer makes them searchable."""
        writer = Writer(self.data, log=self.log)
        return writer.append(events, cursors)

    def catch_up(self, progress: Callable[[int, int], None] | None = None) -> bool:
        """Make all that is acknowledged searchable now. False if another process is doing so."""
        return indexer.catch_up(self.log, self.index, progress)

    # ------------------------------------------------------------------ searching

    @contextmanager
    def within(self, budget: Budget) -> Iterator[Budget]:
        """Let all searches of a `with` block share a CPU budget. Where it ends, each returns what it has so far."""
        before, self.budget = self.budget, budget
        try:
            yield budget
        finally:
            self.budget = before

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        sort: str = "relevance",
        as_of: int | None = None,
    ) -> Hits:
        """Posts that match a query of X's operators, best or newest first. Raises QueryError.

        The newest are without undated posts; a view as of a time has those that were read until then.
        Where the query asks for no words, all matches are equal: then the best of the newest are returned.
        """
        node = normalized(parse(query))
        if sort == "latest":
            node = And((node, Not(Has("is", "undated"))))
        moment = now() if as_of is None else as_of
        with self.budget.measured() as budget:
            compiled = self.index.queries.compile(node, moment, self.log)
            if sort == "latest":
                return Hits(self._hits(node, compiled, limit, True, as_of, moment), budget.is_used_up)
            words = wanted_words(node)
            hits = self._hits(node, compiled, max(limit, scoring.WIDE), not words, as_of, moment)
            best = ranked(words, {}, hits, self.index.doc_freq, self.index.count(), moment)
            return Hits(best[:limit], budget.is_used_up)

    def retrieve(
        self,
        text: str,
        *,
        limit: int = 100,
        as_of: int | None = None,
        where: str | Sequence[str] = "",
        newest_first: bool = True,
    ) -> Hits:
        """Posts ranked by how well they match a free text; any of its words may be missing.

        `where` restricts by operators (`from:`, `lang:`, `since:` …), one query or several that must all match. Of the
        many posts with the same words the newest are looked at, unless `newest_first` is off: then whichever the index
        holds first. Raises QueryError for a bad `where`.
        """
        limits = (where,) if isinstance(where, str) else tuple(where)
        moment = now() if as_of is None else as_of
        words, size, df = tokens(text), self.num_posts, self.doc_freq
        newest = self._newest(moment) if newest_first else None

        def candidates(weights: dict[str, float], depth: int) -> list[Hit]:
            return self.weighted_matches(limits, weights, depth, as_of, moment, newest)

        with self.budget.measured() as budget:
            self.prepare_doc_freqs(form for word in words for form in query_terms(word))
            first = candidates(scoring.first_pass(words, df, size), scoring.WIDE)
            self.prepare_doc_freqs(term for hit in first for term in hit.terms)
            expansion = scoring.expand(words, [hit.candidate for hit in first], df, size, moment)
            second = candidates(scoring.second_pass(words, expansion, df, size), scoring.depth(limit))
            if budget.is_used_up:  # then the first pass may have found more than the second
                second = list({hit.seq: hit for hit in (*first, *second)}.values())
            return Hits(ranked(words, expansion, second, df, size, moment)[:limit], budget.is_used_up)

    def weighted_matches(
        self,
        where: Sequence[str],
        weights: dict[str, float],
        depth: int,
        as_of: int | None,
        moment: int,
        newest: int | None,
    ) -> list[Hit]:
        """The matches among the best `depth` posts by the sum of the weights of the index terms that they contain.

        Among equals, newer posts as seen from `newest` come first. Raises QueryError."""
        node = normalized(And(tuple(map(parse, where))))
        queries = self.index.queries
        parts = [queries.weighted(weights), queries.compile(node, moment, self.log)]
        parts += [queries.posted(None, as_of)] if as_of is not None else []
        query = all_of([part for part in parts if part is not None]) or Query.all_query()
        found = self.index.search(query if newest is None else queries.newer_first(query, newest), depth)
        return self.matching(node, found, as_of, moment)

    def copies(
        self,
        hit: HasTerms,
        *,
        as_of: int | None = None,
        limit: int = 500,
        doc_freq: Callable[[str], int] | None = None,
    ) -> list[Hit]:
        """Reposts and near-copies of a post in the whole store, itself among them. `doc_freq` gives the frequencies by which
        its rare terms are chosen, by default those of this store."""
        with self.budget.measured():
            found = self.index.search(self.index.queries.like(hit.terms, doc_freq or self.doc_freq), limit)
            return [
                other
                for other in self.matching(And(()), found, as_of, now())
                if other.post.id == hit.post.id or similar(hit.terms, other.terms) >= COPY
            ]

    def versions(self, first: int, last: int, as_of: int, most: int) -> list[Version]:
        """The posts of a time (both ends included) that are visible as of a time, earliest first.

        Of more than `most`, about so many: the newest of each of SLICES equal parts of the time."""
        candidates = self.index.search(self.index.queries.posted(first, last), most + 1, latest=True)
        if len(candidates) > most:
            edges = [first + (last + 1 - first) * i // SLICES for i in range(SLICES + 1)]
            parts = (self.index.queries.posted(start, end - 1) for start, end in pairwise(edges))
            candidates = [
                one for part in parts for one in self.index.search(part, most // SLICES, latest=True)
            ]
        found = self.log.visible([candidate.seq for candidate in candidates], as_of)
        return sorted(found.values(), key=lambda version: (version.at, version.seq))

    @property
    def num_posts(self) -> int:
        """Number of searchable posts."""
        return self.index.count()

    def _newest(self, moment: int) -> int:
        """A time before which all posts are that were visible at `moment`: then, or the end of the newest day."""
        days = self.days()
        end = parse_time(max(days)) + 24 * 3600 * 1_000_000 if days else moment
        return min(moment, end)

    def days(self) -> dict[str, int]:
        """Stored versions of posts by UTC day (ISO 8601), oldest first, without undated ones."""
        days = self.log.num_posts_by("day")
        days.pop(UNDATED_DAY, None)
        return days

    def doc_freq(self, term: str) -> int:
        """Number of posts that contain a term of `posts.text.terms`."""
        return self.index.doc_freq(term)

    def common_tags(self, limit: int) -> list[str]:
        """The most frequent hashtags, with their sign."""
        return self.index.common_tags(limit)

    def prepare_doc_freqs(self, terms: Iterable[str]) -> None:
        """Announce terms whose `doc_freq` is about to be asked for. Here each look-up is cheap; on a cluster one request
        fetches all."""

    def missing(self) -> list[str]:
        """Parts of the store that do not answer now, for people: none of one machine's (`cluster/coordinator.py`)."""
        return []

    def _hits(
        self,
        node: Node,
        compiled: Query | None,
        limit: int,
        latest: bool,
        as_of: int | None,
        moment: int,
    ) -> list[Hit]:
        """The first `limit` matches, among ever more candidates until there are enough."""
        parts = [compiled] if compiled is not None else []
        if as_of is not None:
            parts.append(self.index.queries.posted(None, as_of))
        query = all_of(parts) or Query.all_query()
        depth, evaluated = limit + limit // 2, dict[int, Hit | None]()
        while True:
            found = self.index.search(query, depth, latest=latest)
            fresh = [candidate for candidate in found if candidate.seq not in evaluated]
            evaluated |= dict.fromkeys(candidate.seq for candidate in fresh)
            evaluated |= {hit.seq: hit for hit in self.matching(node, fresh, as_of, moment)}
            # In the order of this search: the index may have grown since the last.
            hits = [hit for candidate in found if (hit := evaluated[candidate.seq])]
            if len(hits) >= limit or len(found) < depth or depth >= MAX_CANDIDATES or self.budget.check():
                return hits[:limit]
            depth *= 4

    def matching(self, node: Node, found: Sequence[Found], as_of: int | None, moment: int) -> list[Hit]:
        """The candidates that are visible and match; those so far when the budget is used up."""
        hits: list[Hit] = []
        for start in range(0, len(found), CHUNK):
            chunk = found[start : start + CHUNK]
            visible = self.log.visible([candidate.seq for candidate in chunk], as_of)
            for seq, at, score in chunk:
                if self.budget.check():
                    return hits
                if seq in visible:
                    candidate = Candidate(visible[seq].post, at)
                    if matches(node, candidate, moment):
                        hits.append(Hit(candidate.post, candidate.at, seq, score, candidate.terms))
        return hits

    def get(self, id: str, as_of: int | None = None) -> Hit | None:
        """The post with this id (bare, or `network:id`), if it is visible."""
        versions = self.log.visible(self.log.seqs_of(id), as_of)
        if not versions:
            return None
        version = versions[max(versions)]
        candidate = Candidate(version.post, version.at)
        return Hit(version.post, candidate.at, version.seq, 0.0, candidate.terms)

    def posts(self, until: int | None = None) -> Iterator[Post]:
        """Every visible post as of a time, in the order of the log."""
        position = 0
        while entries := list(self.log.read(position)):
            seqs = [e.seq for e in entries if isinstance(e.event, Created | Edited)]
            for version in sorted(self.log.visible(seqs, until).values()):
                yield version.post
            position = entries[-1].seq


def ranked(
    words: list[str],
    expansion: dict[str, float],
    hits: list[Hit],
    df: scoring.DocumentFrequency,
    size: int,
    moment: int,
) -> list[Hit]:
    """The hits with the scores of `scoring.py`, best first; among equals the newest, then by id."""
    scores = scoring.score(words, expansion, [hit.candidate for hit in hits], df, size, moment)
    scored = [msgspec.structs.replace(hit, score=score) for hit, score in zip(hits, scores, strict=True)]
    return sorted(scored, key=lambda hit: (-hit.score, -hit.at, hit.post.id))
