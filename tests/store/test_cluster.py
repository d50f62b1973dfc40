"""A cluster's parts without processes: routing, and searches over nodes against the same searches over one store."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.answers.render import as_json
from trinch.posts import schema as ev
from trinch.service import ask
from trinch.service.search import search
from trinch.service.volume import counts_json, evidence_json
from trinch.simulator.sample import sample
from trinch.store import pages
from trinch.store.cluster import calls, coordinator, stream
from trinch.store.cluster.coordinator import Cluster, ClusterError
from trinch.store.cluster.node_client import NodeAddressError, NodeClient, NodeUnavailable
from trinch.store.cluster.node_store import prepare
from trinch.store.cluster.partitions import (
    PARTITIONS,
    PartitionError,
    held,
    parse_partitions,
    partition_of,
    written,
)
from trinch.store.query import QueryError
from trinch.store.stats import stats
from trinch.store.store import Store

THIRDS = ("0-20", "21-41", "42-63")


class LocalNode(NodeClient):
    """A node in this process, whose address is its folder."""

    down: frozenset[str] = frozenset()

    def __init__(self, address: str) -> None:
        self.address = address
        self._stores = threading.local()  # a node is asked from any thread of its coordinator

    def ask(self, request: bytes) -> calls.Reply:
        if self.address in self.down:
            raise NodeUnavailable("connection refused")
        if not hasattr(self._stores, "one"):
            self._stores.one = Store.open(self.address)
        return calls.decode_reply(calls.answer_call(self._stores.one, request))


def fill(folder: Path, events: Sequence[ev.Event], partitions: str) -> Path:
    """A node's folder with its part of the events, as it would have read them from the stream."""
    mine = parse_partitions(partitions)
    prepare(folder, mine)
    store = Store.open(folder)
    wanted = {stream.subject_of(one) for one in mine} | {stream.ALL}
    for group in stream.phases(events):
        for subject, some in group.items():
            if subject in wanted:
                store.ingest(stream.decode(stream.encode(some)))
    store.catch_up()
    store.close()
    return folder


@pytest.fixture(scope="module")
def events() -> list[ev.Event]:
    return list(sample())[-1600:]


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory, events: list[ev.Event]) -> Store:
    store = Store.open(tmp_path_factory.mktemp("single"))
    store.ingest(events)
    store.catch_up()
    return store


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, events: list[ev.Event]) -> list[str]:
    base = tmp_path_factory.mktemp("nodes")
    return [str(fill(base / str(n), events, part)) for n, part in enumerate(THIRDS)]


@pytest.fixture(scope="module")
def cluster(folders: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coordinator, "NodeClient", LocalNode)
        one = Cluster(tmp_path_factory.mktemp("coordinator"), folders)
        yield one
        one.close()


@pytest.fixture(autouse=True)
def no_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not cut results short."""
    monkeypatch.setenv("TRINCH_BUDGET_MS", "100000")


# --------------------------------------------------------------------------------------- routing

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def post(id: str, network: str = "x") -> ev.Post:
    return ev.Post(network=network, id=id, text="text", created_at=1)


@given(ids, ids, ids)
def test_all_versions_of_a_post_meet_in_one_partition(first: str, second: str, third: str) -> None:
    created = ev.Created(at=1, network="x", post=post(first))
    edits = [
        ev.Edited(at=2, network="x", post=post(second), replaces=(first,)),
        ev.Edited(at=3, network="x", post=post(third), replaces=(first, second)),
        ev.Edited(at=1, network="x", post=post(first), replaced_by=(second, third)),
    ]
    assert {partition_of(edit) for edit in edits} == {partition_of(created)}
    assert partition_of(created) in range(PARTITIONS)


@pytest.mark.parametrize(
    "event",
    [
        ev.Deleted(at=1, network="bluesky", id="a"),
        ev.Hidden(at=1, network="mastodon", id="a", reason="withheld"),
        ev.AccountGone(at=1, network="bluesky", author_id="a"),
        ev.Unreacted(at=1, network="bluesky", record="a"),
        ev.CountsChanged(at=1, network="x", id="a", likes=3),  # may name an edited version
    ],
)
def test_what_does_not_name_the_first_version_goes_to_all(event: ev.Event) -> None:
    assert partition_of(event) is None


@given(st.sets(st.integers(0, PARTITIONS - 1), min_size=1))
def test_partitions_are_read_as_they_are_written(partitions: set[int]) -> None:
    assert parse_partitions(written(partitions)) == partitions


@pytest.mark.parametrize("parts", [1, 2, 3, 7, 64])
def test_shares_are_all_partitions_once(parts: int) -> None:
    shares = [parse_partitions(f"{part}/{parts}") for part in range(parts)]
    assert sorted(one for share in shares for one in share) == list(range(PARTITIONS))


@pytest.mark.parametrize("text", ["3/3", "0/65", "1/0", "", "64", "5-3", "a", "0-", "-1", "1,,2"])
def test_what_names_no_partitions_is_refused(text: str) -> None:
    with pytest.raises(PartitionError, match="write a range"):
        parse_partitions(text)


@given(st.lists(st.tuples(st.sampled_from("cdha"), st.integers(0, 5)), max_size=30))
def test_each_partition_gets_its_events_in_order(steps: list[tuple[str, int]]) -> None:
    """As far as order matters: among posts, among other events, and around the end of an account."""
    kinds = {
        "c": lambda n, at: ev.Created(at=at, network="bluesky", post=post(f"p{n}", "bluesky")),
        "d": lambda n, at: ev.Deleted(at=at, network="bluesky", id=f"p{n}"),
        "h": lambda n, at: ev.Hidden(at=at, network="bluesky", id=f"p{n}", reason="withheld"),
        "a": lambda n, at: ev.AccountGone(at=at, network="bluesky", author_id=f"a{n}"),
    }
    made = [kinds[kind](n, at) for at, (kind, n) in enumerate(steps)]
    groups = stream.phases(made)
    for partition in range(PARTITIONS):
        seen = [
            event
            for group in groups
            for subject in (stream.subject_of(partition), stream.ALL)
            for event in group.get(subject, [])
        ]
        wanted = [event for event in made if partition_of(event) in (None, partition)]
        for kinds_kept in ((ev.Created, ev.AccountGone), (ev.Deleted, ev.Hidden, ev.AccountGone)):
            assert [event for event in seen if isinstance(event, kinds_kept)] == [
                event for event in wanted if isinstance(event, kinds_kept)
            ]


# --------------------------------------------------------------------------------------- searching

QUERIES = ["harbour", "the", "harbour OR rain -#storm", "lang:ja", "min_faves:3 filter:links", ""]  # fmt: skip


@pytest.mark.parametrize("sort", ["relevance", "latest"])
@pytest.mark.parametrize("query", QUERIES)
def test_a_search_over_nodes_is_that_over_one_store(
    query: str, sort: str, single: Store, cluster: Cluster
) -> None:
    one = search(single, query, sort=sort, limit=50, total=True)
    many = search(cluster, query, sort=sort, limit=50, total=True)
    assert many.total == one.total
    assert not many.hits.partial
    if sort == "latest":  # posts of one time have no order of their own
        assert [hit.at for hit in many.hits] == [hit.at for hit in one.hits]
    elif one.total and one.total.posts <= 200:
        assert [hit.post for hit in many.hits] == [hit.post for hit in one.hits]


@pytest.mark.long
def test_the_ranking_does_not_depend_on_the_number_of_nodes(
    events: list[ev.Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for queries that match more than are ranked against each other. Of new posts alone: an index counts a post twice
    that it has indexed again, until it merges, so numbers of one machine change, too."""
    monkeypatch.setattr(coordinator, "NodeClient", LocalNode)
    posts = [event for event in events if isinstance(event, ev.Created)]
    sizes = [("0-63",), THIRDS]
    clusters = [
        Cluster(tmp_path, [str(fill(tmp_path / f"{len(parts)}-{part}", posts, part)) for part in parts])
        for parts in sizes
    ]
    for query in ("the OR rain", ""):
        for sort in ("relevance", "latest"):
            one, many = (search(store, query, sort=sort, limit=210).hits for store in clusters)
            assert len(one) == 210
            assert [hit.post for hit in many] == [hit.post for hit in one], query
            assert [hit.score for hit in many] == pytest.approx([hit.score for hit in one], abs=1e-9)
    for store in clusters:
        store.close()


@pytest.mark.parametrize("sort", ["relevance", "latest"])
def test_pages_hold_every_match_once(sort: str, single: Store, cluster: Cluster) -> None:
    wanted = {hit.post.id for hit in pages.scan(single, "the")}
    found, cursor = list[str](), ""
    while True:
        page = pages.page(cluster, "the", limit=90, sort=sort, cursor=cursor)
        found += [hit.post.id for hit in page.hits]
        cursor = page.next
        if not cursor:
            break
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert {hit.post.id for hit in pages.scan(cluster, "the")} == wanted
    with pytest.raises(pages.CursorError):
        pages.page(cluster, "another", cursor=pages.page(cluster, "the", limit=1).next)


@pytest.mark.parametrize("ago", [0, 10])
def test_answers_counts_and_posts_are_those_of_one_store(ago: int, single: Store, cluster: Cluster) -> None:
    newest = search(single, "", sort="latest", limit=1).hits[0]
    as_of = newest.at - ago * 3_600_000_000
    for question in ("what happened at the harbour", "how many people are missing", "who is the mayor"):
        request = ask.interpret(question, as_of=as_of)
        one, many = (as_json(ask.answer(store, request)) for store in (single, cluster))
        assert {**many, "took_ms": 0} == {**one, "took_ms": 0}
        assert evidence_json(cluster, request) == evidence_json(single, request)
    assert counts_json(cluster, "the", "hour", as_of=as_of) == counts_json(single, "the", "hour", as_of=as_of)
    for hit in search(single, "harbour", as_of=as_of).hits:
        found = cluster.get(f"{hit.post.network}:{hit.post.id}", as_of)
        assert found is not None
        assert found.post == hit.post
    assert cluster.get("x:none") is None


def test_statistics_are_sums(single: Store, cluster: Cluster) -> None:
    one, many = stats(single), stats(cluster)
    assert (many.posts, many.networks, many.days, many.undated) == (
        one.posts,
        one.networks,
        one.days,
        one.undated,
    )
    assert cluster.common_tags(3) == single.common_tags(3)
    assert cluster.days() == single.days()


def test_a_bad_query_is_refused_as_by_one_store(cluster: Cluster) -> None:
    with pytest.raises(QueryError):
        search(cluster, "(harbour")


def test_a_node_that_is_down_makes_results_partial_and_is_named(
    cluster: Cluster, folders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search(cluster, "the", total=True)
    monkeypatch.setattr(LocalNode, "down", frozenset(folders[1:2]))
    found = search(cluster, "the", total=True)
    assert found.hits
    assert found.hits.partial
    assert whole.total is not None
    assert found.total is not None
    assert not found.total.exact
    assert 0 < found.total.posts < whole.total.posts
    assert folders[1] in found.hints[-1]
    assert ask.answer(cluster, ask.interpret("what happened at the harbour")).partial
    monkeypatch.setattr(LocalNode, "down", frozenset(folders))
    with pytest.raises(ClusterError, match="no node answers"):
        search(cluster, "the")
    monkeypatch.setattr(LocalNode, "down", frozenset())
    assert not search(cluster, "the").hits.partial


def test_partitions_that_no_node_or_two_nodes_hold_are_noticed(
    folders: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinator, "NodeClient", LocalNode)
    two = Cluster(tmp_path, folders[:2])
    found = search(two, "the")
    assert found.hits.partial
    assert "42-63" in found.hints[-1]
    twice = Cluster(tmp_path, [*folders, folders[0]])
    with pytest.raises(ClusterError, match="0-20 are held by more than one"):
        search(twice, "the")
    for one in (two, twice):
        one.close()


@pytest.mark.parametrize(
    "address", ["", "ftp://host", "http://", "http://[::1", "http://host/path", "host:port"]
)
def test_what_is_no_address_of_a_node_is_refused(address: str) -> None:
    with pytest.raises(NodeAddressError, match="http://HOST:PORT"):
        NodeClient(address)


# --------------------------------------------------------------------------------------- folders


def test_a_copied_folder_keeps_the_partitions_that_are_wanted(
    events: list[ev.Event], tmp_path: Path, single: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How a node is split in two: each half begins with a copy of the whole."""
    monkeypatch.setattr(coordinator, "NodeClient", LocalNode)
    halves = []
    for name, part in (("a", "0-31"), ("b", "32-63")):
        folder = fill(tmp_path / name, events, "0-63")  # as a copy would be
        assert prepare(folder, parse_partitions(part)) > 0
        assert held(folder) == parse_partitions(part)
        store = Store.open(folder)
        store.catch_up()
        store.close()
        halves.append(str(folder))
    both = Cluster(tmp_path, halves)
    assert search(both, "harbour", total=True).total == search(single, "harbour", total=True).total
    assert both.num_posts == single.num_posts
    both.close()
    with pytest.raises(PartitionError, match="holds the partitions 0-31, not 32-33"):
        prepare(tmp_path / "a", parse_partitions("0-33"))


def test_a_store_of_one_machine_is_not_made_a_node(tmp_path: Path, events: list[ev.Event]) -> None:
    Store.open(tmp_path).ingest(events[:3])
    with pytest.raises(PartitionError, match="no node's"):
        prepare(tmp_path, parse_partitions("0-63"))
