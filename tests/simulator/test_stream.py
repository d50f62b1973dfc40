"""The world is the same for everyone with the same seed, and looks like a network of posts."""

import hashlib
import math
import os
import subprocess
import sys
from collections import Counter

import pytest

from trinch.posts.schema import Created, Event
from trinch.simulator.network import START, stream
from trinch.simulator.network_ids import X_EPOCH_MS
from trinch.simulator.people import Crowd
from trinch.simulator.sample import sample
from trinch.simulator.text_generator import name
from trinch.simulator.wire_x import XLines

NETWORKS = ("x", "bluesky", "sample")


def played(network: str = "x", posts: int = 4_000, seed: int = 11, **options: float) -> list[Event]:
    return list(stream(seed, posts=posts, network=network, **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [event.post.text for event in played(posts=20_000) if isinstance(event, Created)]


def digest(network: str) -> str:
    return hashlib.sha256(repr(played(network, posts=1_500)).encode()).hexdigest()


@pytest.mark.parametrize("network", NETWORKS)
def test_same_seed_same_events_in_another_process(network: str) -> None:
    code = f"from tests.simulator.test_stream import digest; print(digest({network!r}))"
    environment = os.environ | {
        "PYTHONHASHSEED": "123",
        "PYTHONPATH": os.pathsep.join(["src", ".", *sys.path]),
    }
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert found.stdout.strip() == digest(network)


def test_same_seed_same_bytes() -> None:
    def written() -> list[bytes]:
        crowd = Crowd(5)
        lines = XLines(crowd)
        return [lines.line(event) for event in stream(5, posts=2_000, crowd=crowd)]

    assert written() == written()


def test_another_seed_is_another_world() -> None:
    assert played(seed=1, posts=50) != played(seed=2, posts=50)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_shorter_stream_is_the_beginning_of_a_longer_one(network: str) -> None:
    long, short = played(network, posts=900), played(network, posts=300)
    assert short == long[: len(short)]


@pytest.mark.parametrize("network", NETWORKS)
def test_events_come_in_order_of_time_and_posts_are_counted(network: str) -> None:
    events = played(network)
    assert [event.at for event in events] == sorted(event.at for event in events)
    ids = [event.post.id for event in events if isinstance(event, Created)]
    assert len(ids) == len(set(ids)) == 4_000
    assert all(event.network == network for event in events)


def test_start_and_rate_set_the_clock() -> None:
    events = played(posts=2_000, rate=100.0, start=START + 7)
    seconds = (events[-1].at - START) / 1e6
    assert events[0].at >= START
    assert 15 < seconds < 25


def test_x_ids_hold_the_time() -> None:
    for event in played(posts=500):
        if isinstance(event, Created):
            assert ((int(event.post.id) >> 22) + X_EPOCH_MS) * 1000 == event.at == event.post.created_at


def test_everything_the_vocabulary_of_events_knows_happens_somewhere() -> None:
    seen: Counter[str] = Counter()
    for network in NETWORKS:
        seen.update(type(event).__name__ for event in played(network, posts=8_000, rate=0.1))
    assert {
        "Created", "Edited", "Deleted", "Hidden", "Restored", "AccountGone", "AccountHidden",
        "AccountRestored", "AccountRenamed", "CountsChanged", "Reacted", "Unreacted",
    } <= seen.keys()  # fmt: skip


def test_posts_are_as_long_as_posts(texts: list[str]) -> None:
    characters = sum(map(len, texts)) / len(texts)
    words = sum(len(text.split()) for text in texts) / len(texts)
    assert 95 < characters < 140
    assert 15 < words < 22
    assert max(map(len, texts)) <= 300


def test_the_vocabulary_keeps_growing(texts: list[str]) -> None:
    """Heaps' law: real posts give exponents of about 0.7 to 0.9 over the first 20,000."""
    seen: set[str] = set()
    sizes = {}
    for number, text in enumerate(texts, 1):
        seen.update(text.lower().split())
        if number in (5_000, 20_000):
            sizes[number] = len(seen)
    exponent = math.log(sizes[20_000] / sizes[5_000]) / math.log(4)
    assert 0.6 < exponent < 0.95
    assert sizes[20_000] > 20_000


def test_words_follow_zipf(texts: list[str]) -> None:
    counts = [count for _, count in Counter(w for text in texts for w in text.lower().split()).most_common()]
    assert counts[0] / sum(counts) > 0.02
    assert counts[9] / counts[999] > 15
    assert counts.count(1) / len(counts) > 0.4


def test_several_languages_links_tags_replies_and_reposts(texts: list[str]) -> None:
    posts = [event.post for event in played(posts=8_000) if isinstance(event, Created)]
    languages = Counter(post.lang for post in posts)
    assert languages["en"] > languages["fr"] > languages["es"] > 0
    assert languages["ja"] > 0
    assert languages["de"] > 0
    shares = {
        "links": sum(bool(post.urls) for post in posts),
        "tags": sum(bool(post.tags) for post in posts),
        "replies": sum(bool(post.reply_to) for post in posts),
        "reposts": sum(bool(post.repost_of) for post in posts),
        "quotes": sum(bool(post.quote_of) for post in posts),
        "media": sum(bool(post.media) for post in posts),
    }
    assert all(0.02 < count / len(posts) < 0.5 for count in shares.values()), shares


def test_people_keep_their_names_apart() -> None:
    crowd = Crowd(3)
    people = [crowd[number] for number in [*range(-350, 0), *range(30_000)]]
    assert len({person.handle.lower() for person in people}) == len(people)
    assert len({person.id for person in people}) == len({person.did for person in people}) == len(people)
    assert all(1 <= len(person.handle) <= 15 for person in people)
    assert crowd.find(people[400].did) is people[400]
    assert crowd.find_handle(people[400].handle) is people[400]


def test_invented_names_are_pronounceable_and_harmless() -> None:
    names = [name(rank) for rank in range(1, 20_000)]
    assert all(one.isascii() and one.isalpha() and one.istitle() for one in names)
    assert len(set(names)) > 15_000
    assert not [one for one in names if any(bad in one.lower() for bad in ("nazi", "rape", "shit", "cunt"))]


def test_all_addresses_are_reserved_ones_in_the_sample() -> None:
    for event in sample():
        if isinstance(event, Created):
            for url in (event.post.url, *event.post.urls):
                assert url.split("/")[2].endswith(".example")
