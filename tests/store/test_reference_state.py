"""The log against a plain reference that shares no code with it: any events, in any order, in any grouping."""

import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trinch.posts import schema as ev
from trinch.posts.schema import Event, Post
from trinch.simulator.reference_state import fold
from trinch.store.log import Log

NOON = 1_366_000_000_000_000
SECOND = 1_000_000
YEAR = 365 * 86_400 * SECOND
AUTHORS = {"1": "a", "2": "a", "3": "a", "4": "b", "5": "b", "6": "b"}
REASONS = ["withheld", "dropped", "edited"]
KINDS = "cccccXXXXeeddhhrraaRRgGnnlluk"


def random_event(rng: random.Random, network: str) -> Event:
    """An event of any kind about one of six posts of two authors; now and then from a machine whose clock is off."""
    at = NOON + rng.randrange(20) * SECOND + rng.choice([0] * 18 + [YEAR, -YEAR])
    id = rng.choice(list(AUTHORS))
    author, reason = AUTHORS[id], rng.choice(REASONS)
    if rng.random() < 0.02:
        at = 4_000_000_000_000_000 + rng.randrange(2)  # in 2096: later than the machine that reads it
    record = f"{id}/{rng.randrange(3)}"
    match rng.choice(KINDS):
        case "c":
            return ev.Created(at=at, network=network, post=post(network, id, f"first {id}"))
        case "X":
            return random_edit(rng, network, id, at)
        case "e":
            return ev.Edited(at=at, network=network, post=post(network, id, f"edit {at}"))
        case "d":
            return ev.Deleted(at=at, network=network, id=id)
        case "h":
            return ev.Hidden(at=at, network=network, id=id, reason=reason)
        case "r":
            return ev.Restored(at=at, network=network, id=id, reason=reason)
        case "a":
            return ev.AccountHidden(at=at, network=network, author_id=author, reason=reason)
        case "R":
            return ev.AccountRestored(at=at, network=network, author_id=author, reason=reason)
        case "g":
            return ev.AccountGone(at=at, network=network, author_id=author)
        case "G":
            return ev.AccountGone(at=at, network=network, author_id=author, diverged=True)
        case "n":
            name = rng.choice(["ann", "anna"])
            return ev.AccountRenamed(at=at, network=network, author_id=author, author=name)
        case "l":
            return ev.Reacted(at=at, network=network, id=id, record=record, what="like")
        case "k":
            return ev.CountsChanged(at=at, network=network, id=id, likes=rng.randrange(9))
        case _:
            return ev.Unreacted(at=at, network=network, record=record)


def random_edit(rng: random.Random, network: str, id: str, at: int) -> Event:
    """A version of an edit history, as X sends it: with all ids of the history, or the older ones, or some of them."""
    history = [other for other in AUTHORS if AUTHORS[other] == AUTHORS[id]]
    place = history.index(id)
    older, newer = history[:place], history[place + 1 :]
    if rng.random() < 0.3:
        older = [other for other in older if rng.random() < 0.5]
    newer = newer if rng.random() < 0.3 else []
    edited = post(network, id, f"version {id}")
    return ev.Edited(at=at, network=network, post=edited, replaces=tuple(older), replaced_by=tuple(newer))


def post(network: str, id: str, text: str) -> Post:
    return Post(network=network, id=id, text=text, created_at=NOON, author_id=AUTHORS[id])


def random_stream(seed: int, network: str = "n") -> list[Event]:
    rng = random.Random(seed)
    return [random_event(rng, network) for _ in range(rng.randint(2, 12))]


def visible(log: Log, seqs: Sequence[int], as_of: int | None = None) -> list[Post]:
    return [version.post for version in log.visible(seqs, as_of).values()]


def posts_of(log: Log, after: int = 0) -> list[int]:
    entries = []
    while batch := list(log.read(entries[-1].seq if entries else after, 10_000)):
        entries += batch
    return [entry.seq for entry in entries if isinstance(entry.event, ev.Created | ev.Edited)]


def histories(stream: Sequence[Event]) -> list[set[str]]:
    """The ids that edits of a stream name together, by the plainest means."""
    groups = [{id} for id in AUTHORS]
    for event in stream:
        if isinstance(event, ev.Edited):
            named = {event.post.id, *event.replaces, *event.replaced_by}
            joined = [group for group in groups if group & named]
            groups = [group for group in groups if not group & named] + [set().union(*joined)]
    return groups


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    group=st.integers(1, 12),
    as_of=st.none() | st.integers(0, 20).map(lambda n: NOON + n * SECOND),
)
def test_the_log_shows_what_the_reference_shows(seed: int, group: int, as_of: int | None) -> None:
    stream = random_stream(seed)
    with tempfile.TemporaryDirectory() as folder:
        log = Log(Path(folder) / "ocean.db")
        for start in range(0, len(stream), group):
            log.append(stream[start : start + group])
        shown = {post.id: post.text for post in visible(log, posts_of(log), as_of)}
        expected = fold(stream).visible(as_of)
        assert shown == {id: post.text for (_, id), post in expected.items()}
        if not any(isinstance(event, ev.AccountGone) and event.diverged for event in stream):
            log.append(stream)  # the source of a diverged account sends its posts again: so does a replay
            again = {post.id: post.text for post in visible(log, posts_of(log), as_of)}
            assert again == shown, "replaying the whole stream changes nothing"
        log.close()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), group=st.integers(2, 80))
def test_counts_do_not_depend_on_what_is_acknowledged_together(seed: int, group: int) -> None:
    """Likes of posts that are edited, joined or deleted in the same batch, likes taken back, counts seen."""
    rng = random.Random(seed)
    stream = [random_event(rng, "n") for _ in range(40)] + [random_count(rng) for _ in range(40)]
    rng.shuffle(stream)
    found = []
    for size in (1, group):
        with tempfile.TemporaryDirectory() as folder:
            log = Log(Path(folder) / "ocean.db")
            done = [log.append(stream[start : start + size]) for start in range(0, len(stream), size)]
            accepted = sum(one.accepted for one in done), sum(one.ignored for one in done)
            seen = [log.visible(posts_of(log), as_of).values() for as_of in (None, NOON + 9 * SECOND)]
            counted = [[(post.id, post.likes, post.reposts) for _, _, post in one] for one in seen]
            found.append((accepted, sorted(counted[0], key=str), sorted(counted[1], key=str)))
            log.close()
    assert found[0] == found[1]


def random_count(rng: random.Random) -> Event:
    id, at, record = rng.choice(list(AUTHORS)), NOON + rng.randrange(20) * SECOND, f"r{rng.randrange(6)}"
    match rng.randrange(4):
        case 0:
            return ev.Unreacted(at=at, network="n", record=record)
        case 1:
            return ev.CountsChanged(at=at, network="n", id=id, likes=rng.randrange(9))
        case _:
            what = rng.choice(["like", "repost"])
            return ev.Reacted(at=at, network="n", id=id, record=record, what=what)


def check_streams(folder: Path, first: int, number: int, at_once: int = 500) -> None:
    """Streams of many networks share a log; each network is a stream of its own."""
    log = Log(folder / f"{first}.db")
    for start in range(first, first + number, at_once):
        streams = {f"n{seed}": random_stream(seed, f"n{seed}") for seed in range(start, start + at_once)}
        before = log.last_seq
        for batch in batches(streams, random.Random(start)):
            log.append(batch)
        shown: dict[str, list[Post]] = {network: [] for network in streams}
        for found in visible(log, posts_of(log, before)):
            shown[found.network].append(found)
        for network, stream in streams.items():
            check_stream(network, stream, shown[network])
    log.close()


def check_stream(network: str, stream: Sequence[Event], shown: Sequence[Post]) -> None:
    """What must never happen, found without the reference; then the reference."""
    ids = {post.id for post in shown}
    deleted = {event.id for event in stream if isinstance(event, ev.Deleted)}
    for history in histories(stream):
        assert len([post for post in shown if post.id in history]) <= 1, (
            f"two versions of one post: {network}"
        )
        assert not (history & deleted and history & ids), f"a deleted post is visible: {network}"
    expected = {id: post.text for (_, id), post in fold(stream).visible().items()}
    assert {post.id: post.text for post in shown} == expected, network


def batches(streams: dict[str, list[Event]], rng: random.Random) -> Iterator[list[Event]]:
    """The events of all streams, each in its own order, cut into batches at random places."""
    queue = [event for stream in streams.values() for event in stream]
    while queue:
        size = rng.choice([1, 7, 400, 2000])
        yield queue[:size]
        queue = queue[size:]


def test_no_random_stream_shows_a_deleted_post_or_two_versions(tmp_path: Path) -> None:
    check_streams(tmp_path, first=0, number=3000)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_no_random_stream_of_very_many_shows_a_deleted_post_or_two_versions(tmp_path: Path) -> None:
    number = int(os.environ.get("TRINCH_CASES", "30000"))
    start = 10**7 * int(os.environ.get("TRINCH_SEED", "1"))
    for first in range(start, start + number, 50_000):
        check_streams(tmp_path, first, min(50_000, start + number - first))


def test_a_clock_that_is_a_year_ahead_does_not_keep_a_protected_account_visible(tmp_path: Path) -> None:
    log = Log(tmp_path / "ocean.db")
    log.append([ev.Created(at=NOON, network="x", post=post("x", "1", "private"))])
    ahead = ev.AccountRestored(at=NOON + YEAR, network="x", author_id="a", reason="protected")
    protected = ev.AccountHidden(at=NOON + SECOND, network="x", author_id="a", reason="protected")
    log.append([ahead, protected])
    assert visible(log, [1]) == []
    log.append([ahead])
    assert visible(log, [1]) == [], "the same event again changes nothing"
