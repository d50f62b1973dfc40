"""What a coordinator asks of a node: one struct for each request, with what it does on the node's store.

A node answers for the partitions that it holds. Requests and replies are MessagePack; both sides share these types.
"""

import time
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from trinch.errors import TrinchError
from trinch.posts.schema import Post
from trinch.store import pages
from trinch.store.budget import Budget
from trinch.store.cluster import partitions
from trinch.store.log import Version
from trinch.store.query import And, Has, Node, Not, normalized, parse
from trinch.store.query_compile import all_of
from trinch.store.stats import Stats, stats
from trinch.store.store import MAX_CANDIDATES, Hit, Store

Result = TypeVar("Result")


class NotANode(TrinchError):
    """The store is none of a cluster's node."""


class Call(msgspec.Struct, Generic[Result], frozen=True, tag_field="call", kw_only=True):
    """A request; `budget_ms` limits the CPU time of its searches."""

    budget_ms: float | None = None

    def run(self, store: Store) -> Result:
        """The part of the result that this node knows."""
        raise NotImplementedError


class Numbers(msgspec.Struct, frozen=True):
    """How much a node holds now."""

    posts: int
    """Searchable ones."""
    last_seq: int
    """Last position of its log."""
    doc_freqs: list[int]


class Count(Call[Numbers], frozen=True, tag=True):
    """The numbers of a node, with the number of its posts that contain each of some index terms."""

    terms: list[str] = []

    def run(self, store: Store) -> Numbers:
        return Numbers(store.num_posts, store.log.last_seq, [store.doc_freq(term) for term in self.terms])


class NewestMatches(Call[tuple[list[Hit], bool]], frozen=True, tag=True):
    """The newest matches of a query behind a place in their order, and whether there are more."""

    query: str
    limit: int
    as_of: int | None
    moment: int
    last_seq: int
    """Position of this node's log that is considered."""
    before: tuple[int, str] | None = None
    """Time and key of the last post before."""
    dated: bool = False
    """Whether undated posts are left out."""

    def run(self, store: Store) -> tuple[list[Hit], bool]:
        node = normalized(parse(self.query))
        if self.dated:
            node = And((node, Not(Has("is", "undated"))))
        return newest_matches(store, node, self)


class WeightedMatches(Call[list[Hit]], frozen=True, tag=True):
    """`Store.weighted_matches`."""

    where: list[str]
    weights: dict[str, float]
    depth: int
    as_of: int | None
    moment: int
    newest: int | None

    def run(self, store: Store) -> list[Hit]:
        return store.weighted_matches(
            self.where, self.weights, self.depth, self.as_of, self.moment, self.newest
        )


class Copies(Call[list[Hit]], frozen=True, tag=True):
    """`Store.copies`, with the frequencies of the post's terms in the whole cluster."""

    post: Post
    terms: list[str]
    doc_freqs: dict[str, int]
    as_of: int | None
    limit: int

    def run(self, store: Store) -> list[Hit]:
        return store.copies(self, as_of=self.as_of, limit=self.limit, doc_freq=self.doc_freqs.__getitem__)


class Get(Call[Hit | None], frozen=True, tag=True):
    """`Store.get`."""

    key: str
    as_of: int | None

    def run(self, store: Store) -> Hit | None:
        return store.get(self.key, self.as_of)


class Tally(Call[tuple[dict[int, int], int]], frozen=True, tag=True):
    """`pages.tally`."""

    query: str
    width: int
    as_of: int | None

    def run(self, store: Store) -> tuple[dict[int, int], int]:
        counted, undated = pages.tally(store, self.query, self.width, self.as_of)
        return dict(counted), undated


class Scan(Call[tuple[int, list[Hit]]], frozen=True, tag=True):
    """A part of `pages.scan` with its first matches behind a position: how far it looked, and they."""

    query: str
    as_of: int | None
    after: int
    through: int

    def run(self, store: Store) -> tuple[int, list[Hit]]:
        for position, hits in pages.scan_parts(store, self.query, self.as_of, self.after, self.through):
            if hits:
                return position, hits
        return self.through, []


class Summary(Call["NodeSummary"], frozen=True, tag=True):
    """What the node's store holds."""

    tags: int = 0
    """How many of its most frequent tags are counted."""

    def run(self, store: Store) -> "NodeSummary":
        return NodeSummary(stats(store), store.index.tag_counts(self.tags) if self.tags else {})


class Positions(Call[list[int]], frozen=True, tag=True):
    """`Log.seqs_of`."""

    id: str

    def run(self, store: Store) -> list[int]:
        return store.log.seqs_of(self.id)


class Visible(Call[list[Version]], frozen=True, tag=True):
    """`Log.visible`."""

    seqs: list[int]
    as_of: int | None

    def run(self, store: Store) -> list[Version]:
        return list(store.log.visible(self.seqs, self.as_of).values())


class NodeSummary(msgspec.Struct, frozen=True):
    """What one node holds."""

    stats: Stats
    tags: dict[str, int]


class Reply(msgspec.Struct, frozen=True):
    """What a node answers."""

    partitions: list[int]
    cpu_ms: float
    partial: bool
    """The CPU budget ended before the result was whole."""
    result: msgspec.Raw


AnyCall: TypeAlias = (
    Count | NewestMatches | WeightedMatches | Copies | Get | Tally | Scan | Summary | Positions | Visible
)
_decode = msgspec.msgpack.Decoder(AnyCall).decode
encode = msgspec.msgpack.Encoder().encode
decode_reply = msgspec.msgpack.Decoder(Reply).decode


def answer_call(store: Store, request: bytes) -> bytes:
    """Run an encoded request on a node's store; an encoded Reply. Raises NotANode, QueryError and
    msgspec.ValidationError."""
    held = partitions.held(store.data)
    if not held:
        raise NotANode("this server is no node of a cluster: start it with `trinch node`")
    call: Call[Any] = _decode(request)
    started = time.thread_time()
    with store.within(Budget(call.budget_ms)) as budget:
        result = call.run(store)
    took = (time.thread_time() - started) * 1000
    return encode(Reply(sorted(held), took, budget.is_used_up, msgspec.Raw(encode(result))))


def order(hit: Hit) -> tuple[int, str]:
    """Sorts posts newest first; those of one time by their key, which does not depend on the node that holds them."""
    return -hit.at, f"{hit.post.network}:{hit.post.id}"


def newest_matches(store: Store, node: Node, asked: NewestMatches) -> tuple[list[Hit], bool]:
    """The matches that come first in `order` behind a place, and whether there are more. Every candidate of the last time
    is looked at, because the index returns those of one time in no order."""
    queries = store.index.queries
    parts = [queries.compile(node, asked.moment, store.log), queries.stored(0, asked.last_seq)]
    ends = [end for end in (asked.as_of, asked.before and asked.before[0]) if end is not None]
    parts += [queries.posted(None, min(ends))] if ends else []
    query = all_of([part for part in parts if part])
    assert query is not None
    behind = (-asked.before[0], asked.before[1]) if asked.before else None
    depth, seen, hits = asked.limit + asked.limit // 2 + 1, set[int](), list[Hit]()
    with store.budget.measured() as budget:
        while True:
            found = store.index.search(query, depth, latest=True)
            fresh = [candidate for candidate in found if candidate.seq not in seen]
            seen |= {candidate.seq for candidate in fresh}
            hits += store.matching(node, fresh, asked.as_of, asked.moment)
            hits = sorted((hit for hit in hits if behind is None or order(hit) > behind), key=order)
            is_complete = len(hits) > asked.limit and found[-1].at < hits[asked.limit].at
            if is_complete or len(found) < depth or depth >= MAX_CANDIDATES or budget.check():
                break
            depth *= 4
        if budget.is_used_up and hits:  # of the last time there may be more
            hits = [hit for hit in hits if hit.at > hits[-1].at] or hits
        return hits[: asked.limit], len(hits) > asked.limit or budget.is_used_up
