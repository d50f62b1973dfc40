"""The store: everything drunk, in one folder; the door to this room.

Owns the composition of log and text index: drinking events, searching, retrieving evidence. Results are
candidates of the index that the log says may be shown (as of a time) and that match the query exactly.
Knows nothing of answers, wire formats or networks.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from tantivy import Query

from trinch.posts.language_id import with_language
from trinch.posts.near_duplicates import COPY, similar
from trinch.posts.schema import Created, Edited, Event, Post
from trinch.posts.text import tokens
from trinch.posts.times import now
from trinch.store import indexer, scoring
from trinch.store.log import Appended, Log
from trinch.store.query import And, Node, parse, wanted_words
from trinch.store.query_eval import Candidate, matches
from trinch.store.text_index import Found, TextIndex, all_of

DEEPEST = 100_000
"""Candidates looked at for one search, however few of them match."""


class Texted(Protocol):
    """What is needed of a post to find its copies."""

    @property
    def post(self) -> Post: ...
    @property
    def terms(self) -> Sequence[str]: ...


class Hit(msgspec.Struct, frozen=True):
    """A post found: what it says, when it was witnessed (microseconds), how well it fits."""

    post: Post
    at: int
    seq: int
    score: float
    terms: list[str]

    @property
    def candidate(self) -> scoring.Candidate:
        """As ranking sees it."""
        return scoring.Candidate(self.post, self.terms, self.at)


class Store:
    """An open store. Use one per thread; any number of processes may have the same folder open."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = Log(data / "ocean.db")
        self.index = TextIndex(data / "text")

    @classmethod
    def open(cls, data: str | Path) -> "Store":
        """Open the store in a folder; an empty one is made where there is none."""
        return cls(Path(data))

    # ------------------------------------------------------------------ drinking

    def ingest(self, events: Sequence[Event], cursors: Mapping[str, str] | None = None) -> Appended:
        """Make events durable, with the language of each post; on return they are acknowledged.

        An indexer makes them searchable."""
        return self.log.append([with_language(event) for event in events], cursors)

    def catch_up(self, progress: Callable[[int, int], None] | None = None) -> bool:
        """Make all that is acknowledged searchable now. False: another process is at it."""
        return indexer.catch_up(self.log, self.index, progress)

    # ------------------------------------------------------------------ finding

    def search(
        self, query: str, *, limit: int = 10, sort: str = "relevance", as_of: int | None = None
    ) -> list[Hit]:
        """Posts that match a query of X's operators, best or newest first. Raises QueryError.

        Where no words are asked for, all fit alike: then the best are chosen among the newest.
        """
        node = parse(query)
        moment = now() if as_of is None else as_of
        compiled = self.index.compile(node, moment, self.log)
        if sort == "latest":
            return self._hits(node, compiled, limit, True, as_of, moment)
        words = wanted_words(node)
        hits = self._hits(node, compiled, max(limit, scoring.WIDE), not words, as_of, moment)
        return _ranked(words, {}, hits, self.index.doc_freq, self.index.count(), moment)[:limit]

    def retrieve(
        self, text: str, *, limit: int = 100, as_of: int | None = None, where: str | Node = ""
    ) -> list[Hit]:
        """Posts ranked by how well they fit a free text; any of its words may be missing.

        `where` restricts by operators (`from:`, `lang:`, `since:` …). Raises QueryError for a bad `where`.
        """
        node = parse(where) if isinstance(where, str) else where
        moment = now() if as_of is None else as_of
        words, size, df = tokens(text), self.index.count(), self.index.doc_freq
        limits = [self.index.compile(node, moment, self.log)]
        limits += [self.index.up_to(as_of)] if as_of is not None else []

        def candidates(weights: dict[str, float], depth: int) -> list[Hit]:
            query = all_of([self.index.weighted(weights), *(part for part in limits if part is not None)])
            found = self.index.search(query or Query.all_query(), depth)
            return self._judge(node, found, as_of, moment)

        first = candidates(scoring.first_pass(words, df, size), scoring.WIDE)
        expansion = scoring.expand(words, [hit.candidate for hit in first], df, size, moment)
        second = candidates(scoring.second_pass(words, expansion, df, size), scoring.depth(limit))
        return _ranked(words, expansion, second, df, size, moment)[:limit]

    def copies(self, hit: Texted, *, as_of: int | None = None, limit: int = 500) -> list[Hit]:
        """Reposts and near-copies of a post in the whole store, itself among them."""
        found = self.index.search(self.index.like(hit.terms), limit)
        return [
            other
            for other in self._judge(And(()), found, as_of, now())
            if other.post.id == hit.post.id or similar(hit.terms, other.terms) >= COPY
        ]

    @property
    def num_posts(self) -> int:
        """Posts that can be found."""
        return self.index.count()

    def doc_freq(self, term: str) -> int:
        """In how many posts a term of `posts.text.terms` stands."""
        return self.index.doc_freq(term)

    def _hits(
        self, node: Node, compiled: Query | None, limit: int, latest: bool, as_of: int | None, moment: int
    ) -> list[Hit]:
        parts = [compiled] if compiled is not None else []
        if as_of is not None:
            parts.append(self.index.up_to(as_of))
        query = all_of(parts) or Query.all_query()
        depth, judged = limit + limit // 2, dict[int, Hit | None]()
        while True:
            found = self.index.search(query, depth, latest=latest)
            fresh = [candidate for candidate in found if candidate.seq not in judged]
            judged |= dict.fromkeys(candidate.seq for candidate in fresh)
            judged |= {hit.seq: hit for hit in self._judge(node, fresh, as_of, moment)}
            # In the order of this look: the index may have grown since the last.
            hits = [hit for candidate in found if (hit := judged[candidate.seq])]
            if len(hits) >= limit or len(found) < depth or depth >= DEEPEST:
                return hits[:limit]
            depth *= 4

    def _judge(self, node: Node, found: list[Found], as_of: int | None, moment: int) -> list[Hit]:
        visible = self.log.visible([candidate.seq for candidate in found], as_of)
        hits = []
        for seq, at, score in found:
            if seq in visible:
                candidate = Candidate(visible[seq].post, at)
                if matches(node, candidate, moment):
                    hits.append(Hit(candidate.post, at, seq, score, candidate.terms))
        return hits

    def get(self, id: str, as_of: int | None = None) -> Hit | None:
        """The post with this id (bare, or `network:id`), if it may be shown."""
        versions = self.log.visible(self.log.seqs_of(id), as_of)
        if not versions:
            return None
        version = versions[max(versions)]
        candidate = Candidate(version.post, version.at)
        return Hit(version.post, version.at, version.seq, 0.0, candidate.terms)

    def posts(self, until: int | None = None) -> Iterator[Post]:
        """Every visible post as of a time, in the order it was drunk."""
        position = 0
        while entries := list(self.log.read(position)):
            seqs = [e.seq for e in entries if isinstance(e.event, Created | Edited)]
            for version in sorted(self.log.visible(seqs, until).values()):
                yield version.post
            position = entries[-1].seq


def _ranked(
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


def timed_search(
    store: Store, query: str, limit: int, sort: str, as_of: int | None
) -> tuple[list[Hit], float]:
    """`Store.search` and the milliseconds that it took."""
    started = time.perf_counter()
    hits = store.search(query, limit=limit, sort=sort, as_of=as_of)
    return hits, round((time.perf_counter() - started) * 1000, 2)
