"""The numbers of posts by network, language and day: always those of what is stored."""

import random
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.posts.times import iso
from trinch.store.log import Log
from trinch.store.stats import stats
from trinch.store.store import Store

NOON = 1_366_000_000_000_000
DAY = 86_400_000_000


def post(n: int, rng: random.Random) -> Post:
    return Post(
        network=rng.choice(["x", "bluesky"]), id=str(n), text=f"ferry {n}", author_id=f"a{n % 7}",
        created_at=rng.choice([None, NOON + n]), lang=rng.choice(["en", "fr"]),
    )  # fmt: skip


def counted(log: Log) -> dict[str, Counter[str]]:
    """The same numbers, from every stored post."""
    found = {dimension: Counter[str]() for dimension in ("network", "lang", "day")}
    for version in log.versions([entry.seq for entry in log.read(0)]).values():
        found["network"][version.post.network] += 1
        found["lang"][version.post.lang] += 1
        day = "" if version.post.created_at is None else (iso(version.at) or "")[:10]
        found["day"][day] += 1
    return found


def check(log: Log) -> None:
    assert {name: log.num_posts_by(name) for name in ("network", "lang", "day")} == counted(log)


def test_they_follow_everything_that_stores_or_erases_posts(tmp_path: Path) -> None:
    rng, log = random.Random(5), Log(tmp_path / "ocean.db")
    posts = [post(n, rng) for n in range(120)]
    log.append([ev.Created(at=NOON + n % 4 * DAY, network=p.network, post=p) for n, p in enumerate(posts)])
    check(log)
    log.append([ev.Created(at=NOON, network=p.network, post=p) for p in posts[:20]])
    check(log)
    for n in range(20, 40):
        old, new = posts[n], post(1000 + n, rng)
        new = msgspec.structs.replace(new, network=old.network)
        log.append([ev.Edited(at=NOON + DAY, network=old.network, post=new, replaces=(old.id,))])
    check(log)
    log.append([ev.Deleted(at=NOON, network=p.network, id=p.id) for p in posts[10:50]])
    check(log)
    log.append([ev.AccountGone(at=NOON + 9 * DAY, network="x", author_id="a3")])
    log.erase_posts_of("x", "a3", [entry.seq for entry in log.read(0)])
    check(log)
    assert log.drop([entry.seq for entry in log.read(0)][50:90])
    check(log)
    log.close()


def test_a_failed_append_counts_nothing(tmp_path: Path) -> None:
    rng, log = random.Random(5), Log(tmp_path / "ocean.db")
    good = post(1, rng)
    bad = ev.Created(at=NOON, network="x", post=Post(network="x", id="2", text="t", likes=object()))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        log.append([ev.Created(at=NOON, network=good.network, post=good), bad])
    assert log.num_posts_by("network") == {}
    log.close()


def test_stats_are_those_of_the_index(tmp_path: Path) -> None:
    rng, store = random.Random(6), Store.open(tmp_path)
    posts = [post(n, rng) for n in range(50)]
    store.ingest([ev.Created(at=NOON + n % 3 * DAY, network=p.network, post=p) for n, p in enumerate(posts)])
    store.ingest([ev.Deleted(at=NOON, network=p.network, id=p.id) for p in posts[:9]])
    store.catch_up()
    found = stats(store)
    assert found.posts == sum(found.networks.values()) == sum(found.languages.values()) == 41
    assert sum(found.days.values()) + found.undated == 41
    assert list(found.days) == sorted(found.days)
    store.close()
