"""A store whose posts lie on the nodes of a cluster: searched, asked and counted as one store is.

Each request goes to all nodes at once. Numbers of posts and document frequencies are summed before anything is ranked, and
the ranking runs here over the candidates of all nodes, so that it does not depend on which node holds a post. Where a
node does not answer, results are `partial` and `missing` names it.
"""

import base64
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import msgspec

from trinch.errors import TrinchError
from trinch.posts.schema import Post
from trinch.posts.text import query_terms
from trinch.posts.times import now
from trinch.store import pages, scoring
from trinch.store.budget import Budget
from trinch.store.cluster import calls
from trinch.store.cluster.node_client import NodeClient, NodeUnavailable
from trinch.store.cluster.partitions import PARTITIONS, written
from trinch.store.log import Log, Version
from trinch.store.pages import CursorError, Page
from trinch.store.query import normalized, parse, wanted_words
from trinch.store.stats import IndexState, Stats, stats
from trinch.store.store import MAX_CANDIDATES, HasTerms, Hit, Hits, Store, ranked
from trinch.store.tallies import UNDATED_DAY

Result = TypeVar("Result")

VARIABLE = "TRINCH_NODES"
"""Environment variable: addresses of the nodes, with spaces between."""

TAGS = 500
"""Tags of each node that are counted to find the most frequent ones of all."""

_NODE_SHIFT = 48
"""A position in the cluster is that in the log of a node, with the number of the node above."""


class ClusterError(TrinchError):
    """A cluster that is put together wrongly, or something that only a single store does."""


def open_store(data: Path) -> Store:
    """The nodes of TRINCH_NODES as one store, or else the store in a folder. Raises StoreError."""
    nodes = os.environ.get(VARIABLE, "").split()
    return Cluster(data, nodes) if nodes else Store.open(data)


class Cluster(Store):
    """The nodes at some addresses. Use one per thread."""

    def __init__(self, data: Path, nodes: Sequence[str]) -> None:
        """`data` is the local folder, which holds no posts. Raises NodeAddressError."""
        self.data, self.budget = data, Budget()
        self._nodes = [NodeClient(address) for address in nodes]
        self._threads = ThreadPoolExecutor(len(self._nodes), "nodes")
        self._silent: dict[int, str] = {}
        self._held: dict[int, frozenset[int]] = {}
        """By node: why it does not answer, or the partitions that it holds."""
        self._doc_freqs: dict[str, int] = {}
        self.log = ClusterLog(self)

    @property
    def index(self) -> Any:
        """Raises ClusterError."""
        raise ClusterError(
            "this is not available over several nodes: run it on a single store, or on one node"
        )

    @index.setter
    def index(self, _: Any) -> None:
        raise AttributeError("index")

    def close(self) -> None:
        self._threads.shutdown()

    # ------------------------------------------------------------------ asking nodes

    def ask_all(self, call: calls.Call[Result], kind: Any) -> list[tuple[int, Result]]:
        """(number of the node, its result) of each node that answers; the others make the budget's result partial.

        Raises ClusterError where two nodes hold the same partition, or none answers."""
        return self._ask([(n, call) for n in range(len(self._nodes))], kind)

    def _ask(self, wanted: Sequence[tuple[int, calls.Call[Result]]], kind: Any) -> list[tuple[int, Result]]:
        left = self.budget.milliseconds_left
        requests = [(n, calls.encode(msgspec.structs.replace(call, budget_ms=left))) for n, call in wanted]
        replies = list(self._threads.map(lambda one: self._reply(*one), requests))
        answered: list[tuple[int, calls.Reply]] = []
        for (n, _), reply in zip(requests, replies, strict=True):
            if isinstance(reply, str):
                self._silent[n] = reply
            else:
                self._silent.pop(n, None)
                self._held[n] = frozenset(reply.partitions)
                answered.append((n, reply))
        self._check([reply for _, reply in answered])
        self.budget.spend(max((reply.cpu_ms for _, reply in answered), default=0.0))
        self.budget.is_used_up |= any(reply.partial for _, reply in answered) or bool(self.missing())
        decode = msgspec.msgpack.Decoder(kind).decode
        return [(n, decode(reply.result)) for n, reply in answered]

    def _reply(self, n: int, request: bytes) -> calls.Reply | str:
        try:
            return self._nodes[n].ask(request)
        except NodeUnavailable as error:
            return str(error)

    def _check(self, answered: Sequence[calls.Reply]) -> None:
        """Raises ClusterError for a cluster that cannot answer, or would answer twice."""
        if len(self._silent) == len(self._nodes):
            raise ClusterError(
                "no node answers: " + "; ".join(self.missing()) + ". Is TRINCH_TOKEN the same everywhere?"
            )
        held = Counter(one for reply in answered for one in reply.partitions)
        if twice := [one for one, times in held.items() if times > 1]:
            raise ClusterError(
                f"partitions {written(twice)} are held by more than one node: stop all but one of them"
            )

    def missing(self) -> list[str]:
        """The nodes that did not answer last, and the partitions that no node holds, each in a sentence."""
        silent = [
            f"the node {self._nodes[n].address} does not answer ({reason}): its posts are left out"
            for n, reason in sorted(self._silent.items())
        ]
        lacking = set(range(PARTITIONS)).difference(*self._held.values())
        if silent or not lacking or len(self._held) < len(self._nodes):
            return silent
        return [f"no node holds the partitions {written(lacking)}: their posts are left out"]

    # ------------------------------------------------------------------ numbers

    def prepare_doc_freqs(self, terms: Iterable[str]) -> None:
        """Sum the frequencies of those terms that are not known, with one request to each node."""
        wanted = list(dict.fromkeys(term for term in terms if term not in self._doc_freqs))
        if wanted:
            self._count(wanted)

    def _count(self, terms: list[str]) -> list[calls.Numbers]:
        """The numbers of each node, those of one that does not answer 0; the sums of the frequencies are kept."""
        found = dict(self.ask_all(calls.Count(terms=terms), calls.Numbers))
        sums = [sum(column) for column in zip(*(one.doc_freqs for one in found.values()), strict=True)]
        self._doc_freqs.update(zip(terms, sums, strict=True))
        return [found.get(n, calls.Numbers(0, 0, [])) for n in range(len(self._nodes))]

    def doc_freq(self, term: str) -> int:
        self.prepare_doc_freqs([term])
        return self._doc_freqs[term]

    @property
    def num_posts(self) -> int:
        return sum(one.posts for one in self._count([]))

    def begin(self, words: Iterable[str]) -> list[calls.Numbers]:
        """The numbers of each node at the beginning of a search for some words, with their frequencies; what was known
        before is forgotten, since posts come in all the time."""
        self._doc_freqs.clear()
        return self._count(list(dict.fromkeys(form for word in words for form in query_terms(word))))

    def summaries(self, tags: int = 0) -> list[calls.NodeSummary]:
        """What each node holds."""
        return [found for _, found in self.ask_all(calls.Summary(tags=tags), calls.NodeSummary)]

    def common_tags(self, limit: int) -> list[str]:
        """The most frequent hashtags, with their sign."""
        counted = Counter[str]()
        for found in self.summaries(tags=max(TAGS, limit)):
            counted.update(found.tags)
        return sorted(counted, key=lambda tag: (-counted[tag], tag))[:limit]

    # ------------------------------------------------------------------ searching

    def search(
        self, query: str, *, limit: int = 10, sort: str = "relevance", as_of: int | None = None
    ) -> Hits:
        return page(self, query, limit=limit, sort=sort, as_of=as_of).hits

    def retrieve(self, text: str, **options: Any) -> Hits:
        self._doc_freqs.clear()
        return super().retrieve(text, **options)

    def weighted_matches(
        self, where: Sequence[str], weights: dict[str, float], depth: int, as_of: int | None, moment: int,
        newest: int | None,
    ) -> list[Hit]:  # fmt: skip
        for one in where:
            parse(one)
        call = calls.WeightedMatches(
            where=list(where), weights=weights, depth=depth, as_of=as_of, moment=moment, newest=newest
        )
        hits = [hit for _, found in self.ask_all(call, list[Hit]) for hit in found]
        return sorted(hits, key=lambda hit: (-hit.score, *calls.order(hit)))[:depth]

    def copies(
        self, hit: HasTerms, *, as_of: int | None = None, limit: int = 500,
        doc_freq: Callable[[str], int] | None = None,
    ) -> list[Hit]:  # fmt: skip
        with self.budget.measured():
            self.prepare_doc_freqs(hit.terms)
            frequencies = {term: self.doc_freq(term) for term in hit.terms}
            call = calls.Copies(
                post=hit.post, terms=list(hit.terms), doc_freqs=frequencies, as_of=as_of, limit=limit
            )
            found = [one for _, hits in self.ask_all(call, list[Hit]) for one in hits]
        return sorted(found, key=lambda one: (-one.score, *calls.order(one)))[:limit]

    def get(self, id: str, as_of: int | None = None) -> Hit | None:
        found = [hit for _, hit in self.ask_all(calls.Get(key=id, as_of=as_of), Hit | None) if hit]
        return min(found, key=calls.order, default=None)

    def days(self) -> dict[str, int]:
        days = self.log.num_posts_by("day")
        days.pop(UNDATED_DAY, None)
        return days

    def posts(self, until: int | None = None) -> Iterator[Post]:
        for hit in scan(self, "", until):
            yield hit.post

    def newest_matches(self, call: calls.NewestMatches, cut: Sequence[int]) -> tuple[list[Hit], bool]:
        """The newest matches of all nodes, each up to its position in `cut`, and whether there are more."""
        wanted = [(n, msgspec.structs.replace(call, last_seq=last)) for n, last in enumerate(cut)]
        found = self._ask(wanted, tuple[list[Hit], bool])
        hits = sorted((hit for _, (some, _) in found for hit in some), key=calls.order)
        return hits[: call.limit], len(hits) > call.limit or any(more for _, (_, more) in found)

    def last_seqs(self) -> list[int]:
        """Last position of the log of each node; 0 where it does not answer."""
        return [one.last_seq for one in self._count([])]

    def scan_node(self, n: int, query: str, as_of: int | None, through: int) -> Iterator[Hit]:
        """All matches on one node, in the order of its log."""
        after = -1
        while after < through:
            call = calls.Scan(query=query, as_of=as_of, after=after, through=through)
            found = self._ask([(n, call)], tuple[int, list[Hit]])
            if not found:
                return
            [(_, (after, hits))] = found
            yield from hits
            if self.budget.is_used_up:
                return


class ClusterLog(Log):
    """What is asked of the logs of all nodes, with positions in the cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def close(self) -> None:
        self._cluster.close()

    @property
    def last_seq(self) -> int:
        """Changes with every event that a node applies."""
        return sum(self._cluster.last_seqs())

    def seqs_of(self, id: str) -> list[int]:
        found = self._cluster.ask_all(calls.Positions(id=id), list[int])
        return [n << _NODE_SHIFT | seq for n, seqs in found for seq in seqs]

    def visible(self, seqs: Sequence[int], as_of: int | None = None) -> dict[int, Version]:
        by_node: dict[int, list[int]] = {}
        for seq in seqs:
            by_node.setdefault(seq >> _NODE_SHIFT, []).append(seq & (1 << _NODE_SHIFT) - 1)
        wanted = [(n, calls.Visible(seqs=some, as_of=as_of)) for n, some in by_node.items()]
        found = self._cluster._ask(wanted, list[Version]) if wanted else []
        return {n << _NODE_SHIFT | version.seq: version for n, some in found for version in some}

    def num_posts_by(self, dimension: str) -> dict[str, int]:
        names = {"network": "networks", "lang": "languages", "day": "days"}
        counted, undated = Counter[str](), 0
        for found in self._cluster.summaries():
            counted.update(getattr(found.stats, names[dimension]))
            undated += found.stats.undated
        if dimension == "day":
            return {**({UNDATED_DAY: undated} if undated else {}), **dict(sorted(counted.items()))}
        return dict(counted.most_common())

    def cursors(self) -> dict[str, str]:
        return {}

    @property
    def _db(self) -> Any:  # type: ignore[override]  # there is none to set
        """Raises ClusterError: whatever else is asked of a log needs one file."""
        raise ClusterError(
            "stories, trends, briefs, alerts and live search are not available over several nodes: run them on a single store"
        )


# ---------------------------------------------------------------------- pages


class _Position(msgspec.Struct, array_like=True, frozen=True):
    """What a cursor holds."""

    search: int
    """CRC-32 of the query and its options."""
    moment: int
    cut: list[int]
    """Last position of each node that is considered: what is ingested later does not shift pages."""
    block: int
    """Matches that are ranked against each other."""
    before: tuple[int, str] | None = None
    """Time and key of the last post before this page, or before the block that it begins in."""
    passed: int = 0
    """Matches of that block that were returned."""


@pages.page.register
def page(
    store: Cluster, query: str, *, limit: int = 10, sort: str = "relevance", as_of: int | None = None,
    cursor: str = "",
) -> Page:  # fmt: skip
    """The next `limit` matches behind a cursor, of all nodes. Raises QueryError and CursorError.

    Ordered by relevance, matches are ranked in blocks of at least `scoring.WIDE`, the newest first."""
    node = normalized(parse(query))
    check = crc32(repr((query, sort, as_of)).encode(errors="surrogatepass"))
    words = wanted_words(node)
    with store.budget.measured():
        numbers = store.begin(words)
        moment = now() if as_of is None else as_of
        position = _read(cursor, check, len(numbers)) if cursor else None
        cut = [one.last_seq for one in numbers]
        position = position or _Position(check, moment, cut, max(limit, scoring.WIDE))
        matches = partial(
            calls.NewestMatches, query=query, as_of=as_of, moment=position.moment, last_seq=0,
            dated=sort == "latest",
        )  # fmt: skip
        if sort == "latest":
            return _latest(store, matches, limit, position)
        size = sum(one.posts for one in numbers)
        return _relevant(store, matches, words, size, limit, position)


def _latest(
    store: Cluster, matches: Callable[..., calls.NewestMatches], limit: int, position: _Position
) -> Page:
    hits, more = store.newest_matches(matches(limit=limit, before=position.before), position.cut)
    before = _place(hits[-1]) if hits else position.before
    following = _written(msgspec.structs.replace(position, before=before)) if more else ""
    return Page(Hits(hits, store.budget.is_used_up), following)


def _relevant(
    store: Cluster,
    matches: Callable[..., calls.NewestMatches],
    words: list[str],
    size: int,
    limit: int,
    position: _Position,
) -> Page:
    """Best first. Each block is ranked as a whole, so a page within it begins by ranking it again."""
    shown: list[Hit] = []
    while True:
        block, more = store.newest_matches(
            matches(limit=position.block, before=position.before), position.cut
        )
        order = ranked(words, {}, block, store.doc_freq, size, position.moment)
        here = order[position.passed : position.passed + limit - len(shown)]
        shown += here
        passed = position.passed + len(here)
        if passed < len(order):
            return Page(
                Hits(shown, store.budget.is_used_up),
                _written(msgspec.structs.replace(position, passed=passed)),
            )
        if not more or not block:
            return Page(Hits(shown, store.budget.is_used_up), "")
        position = msgspec.structs.replace(position, before=_place(block[-1]), passed=0)
        if len(shown) == limit or store.budget.is_used_up:
            return Page(Hits(shown, store.budget.is_used_up), _written(position))


def _place(hit: Hit) -> tuple[int, str]:
    return hit.at, calls.order(hit)[1]


def _written(position: _Position) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).decode().rstrip("=")


def _read(cursor: str, check: int, nodes: int) -> _Position:
    """Raises CursorError."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = msgspec.msgpack.decode(raw, type=_Position)
    except (ValueError, msgspec.MsgspecError):
        raise CursorError("this cursor cannot be read: pass `next` of the page before as it is") from None
    within = 0 < position.block <= MAX_CANDIDATES and position.passed >= 0
    if position.search != check or len(position.cut) != nodes or not within:
        raise CursorError(
            "this cursor is of another search: query, filter, order, time and nodes must stay the same"
        )
    return position


@pages.scan.register
def scan(
    store: Cluster, query: str, as_of: int | None = None, *, after: int = -1, through: int | None = None
) -> Iterator[Hit]:
    """All visible matches, node after node, each in the order of its log. Raises QueryError at the first match."""
    normalized(parse(query))
    for n, last in enumerate(store.last_seqs()):
        yield from store.scan_node(n, query, as_of, last)


@pages.tally.register
def tally(store: Cluster, query: str, width: int, as_of: int | None = None) -> tuple[Counter[int], int]:
    """The sums of all nodes. Raises QueryError."""
    normalized(parse(query))
    counted, undated = Counter[int](), 0
    call = calls.Tally(query=query, width=width, as_of=as_of)
    with store.budget.measured():
        for _, (here, without) in store.ask_all(call, tuple[dict[int, int], int]):
            counted.update(here)
            undated += without
    return counted, undated


@stats.register
def cluster_stats(store: Cluster) -> Stats:
    """The statistics of all nodes together, with an index for each."""
    found = store.summaries()
    parts = [one.stats for one in found]

    def summed(name: str) -> dict[str, int]:
        total = Counter[str]()
        for part in parts:
            total.update(getattr(part, name))
        return dict(sorted(total.items()) if name == "days" else total.most_common())

    return Stats(
        events=sum(part.events for part in parts),
        posts=sum(part.posts for part in parts),
        networks=summed("networks"),
        languages=summed("languages"),
        days=summed("days"),
        undated=sum(part.undated for part in parts),
        cursors={},
        sources=[source for part in parts for source in part.sources],
        indexes=[
            IndexState(f"node {n}", part.indexes[0].posts, part.indexes[0].behind)
            for n, part in enumerate(parts)
        ],
        bytes=summed("bytes"),
    )
