"""The ocean: everything drunk, in one folder; the door to this room.

Owns the composition of log and text index: drinking events, searching, retrieving evidence. Results are
candidates of the index that the log says may be shown (as of a time) and that match the query exactly.
Knows nothing of answers, wire formats or networks.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from tantivy import Query

from trinch.ocean import indexer
from trinch.ocean.index import Found, TextIndex, all_of
from trinch.ocean.log import Appended, Log, now
from trinch.ocean.match import Candidate, matches
from trinch.ocean.query import Node, parse
from trinch.posts.event import Created, Edited, Event, Post

DEEPEST = 100_000
"""Candidates looked at for one search, however few of them match."""


class Hit(msgspec.Struct, frozen=True):
    """A post found: what it says, when it was witnessed (microseconds), how well it fits."""

    post: Post
    at: int
    seq: int
    score: float
    terms: list[str]


class Ocean:
    """An open ocean. Use one per thread; any number of processes may have the same folder open."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.log = Log(data / "ocean.db")
        self.index = TextIndex(data / "text")

    @classmethod
    def open(cls, data: str | Path) -> "Ocean":
        """Open the ocean in a folder; an empty one is made where there is none."""
        return cls(Path(data))

    # ------------------------------------------------------------------ drinking

    def drink(self, events: Sequence[Event], cursors: Mapping[str, str] | None = None) -> Appended:
        """Make events durable; on return they are acknowledged. An indexer makes them searchable."""
        return self.log.append(events, cursors)

    def catch_up(self, progress: Callable[[int, int], None] | None = None) -> bool:
        """Make all that is acknowledged searchable now. False: another process is at it."""
        return indexer.catch_up(self.log, self.index, progress)

    # ------------------------------------------------------------------ finding

    def search(
        self, query: str, *, limit: int = 10, sort: str = "relevance", as_of: int | None = None
    ) -> list[Hit]:
        """Posts that match a query of X's operators, best or newest first. Raises QueryError."""
        node = parse(query)
        moment = now() if as_of is None else as_of
        compiled = self.index.compile(node, moment, self.log.accounts_named)
        return self._hits(node, compiled, limit, sort == "latest", as_of, moment)

    def _hits(
        self, node: Node, compiled: Query | None, limit: int, latest: bool, as_of: int | None, moment: int
    ) -> list[Hit]:
        parts = [compiled] if compiled is not None else []
        if as_of is not None:
            parts.append(self.index.up_to(as_of))
        query = all_of(parts) or Query.all_query()
        depth = max(2 * limit, 50)
        while True:
            found = self.index.search(query, depth, latest=latest)
            hits = self._judge(node, found, as_of, moment)
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
