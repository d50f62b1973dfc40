"""CPU and bytes of a like, from a Jetstream frame to the log: of a known post, of an unknown one, taken back.

python -m benchmarks.likes --posts 200000 --likes 200000

Posts and likes are made up: the ids are as random as those of Bluesky, a like comes some time after its post (half of
them within the newest 3 %), and the frames have the size of recorded ones. CPU is user and system time of this process.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.machine import bytes_in, describe
from trinch.posts import jetstream
from trinch.posts.schema import Created, Event, Post
from trinch.store.database import DATABASE
from trinch.store.log import Log
from trinch.store.writer import GROUP

_START = 1_764_320_000_000_000
_TID = "234567abcdefghijklmnopqrstuvwxyz"


def tid(at: int, clock: int) -> str:
    """The record key of a time in microseconds: 53 bits of time and 10 of a clock's id (atproto.com/specs/tid)."""
    value = at << 10 | clock
    return "".join(_TID[value >> shift & 31] for shift in range(60, -5, -5))


class People:
    """Accounts with ids of the length of real ones."""

    def __init__(self, rng: random.Random, number: int = 50_000) -> None:
        self._rng = rng
        self._dids = ["did:plc:" + "".join(rng.choices(_TID, k=24)) for _ in range(number)]

    def one(self) -> str:
        return self._rng.choice(self._dids)


def made_posts(number: int, people: People, rng: random.Random) -> list[Created]:
    """Posts of a few words."""
    posts = []
    for place in range(number):
        at, did = _START + place * 20_000 + rng.randrange(20_000), people.one()
        rkey = tid(at, rng.randrange(1024))
        uri = f"at://{did}/{jetstream.POST}/{rkey}"
        text = " ".join(f"word{rng.randrange(5000)}" for _ in range(12))
        url = f"https://bsky.app/profile/{did}/post/{rkey}"
        post = Post(network="bluesky", id=uri, created_at=at, text=text, lang="en", author_id=did, url=url)
        posts.append(Created(at=at, network="bluesky", post=post))
    return posts


def frame(did: str, at: int, rkey: str, operation: str, record: str = "") -> bytes:
    """A frame of a like."""
    return (
        f'{{"did":"{did}","time_us":{at},"kind":"commit","commit":{{"rev":"{rkey}","operation":"{operation}",'
        f'"collection":"{jetstream.LIKE}","rkey":"{rkey}"{record}}}}}'
    ).encode()


def liked(
    posts: Sequence[Created], number: int, people: People, rng: random.Random
) -> Iterator[tuple[bytes, bytes]]:
    """A like and its taking back, as frames."""
    after = _START + len(posts) * 20_000
    for place in range(number):
        at, did = after + place * 1000 + rng.randrange(1000), people.one()
        rkey = tid(at - rng.randrange(2_000_000), rng.randrange(1024))
        post = posts[-1 - int(len(posts) * rng.random() ** 5)]
        record = (
            f',"record":{{"$type":"{jetstream.LIKE}","createdAt":"2026-11-28T20:00:00.000Z","subject":'
            f'{{"cid":"bafyrei{"".join(rng.choices(_TID, k=52))}","uri":"{post.post.id}"}}}},"cid":"bafyrei{rkey * 4}"'
        )
        yield frame(did, at, rkey, "create", record), frame(did, at + 5_000_000, rkey, "delete")


def microseconds(work: Callable[[], object], number: int) -> float:
    """CPU of each of so many."""
    before = time.process_time()
    work()
    return (time.process_time() - before) / number * 1e6


def append(log: Log, events: Sequence[Event]) -> None:
    for start in range(0, len(events), GROUP):
        log.append(events[start : start + GROUP])


def read(log: Log, after: int) -> None:
    while entries := list(log.read(after)):
        after = entries[-1].seq


def measure(num_posts: int, num_likes: int, seed: int, folder: Path) -> dict[str, float]:
    """Microseconds and bytes of a like."""
    rng = random.Random(seed)
    people = People(rng)
    posts = made_posts(2 * num_posts, people, rng)
    known, unknown = posts[:num_posts], posts[num_posts:]
    made, taken_back = zip(*liked(known, num_likes, people, rng), strict=True)
    strange = [line for line, _ in liked(unknown, num_likes, people, rng)]
    found: dict[str, float] = {}
    likes: list[Event] = []
    found["µs to parse a like"] = microseconds(
        lambda: likes.extend(event for line in made for event in jetstream.parse(line)), num_likes
    )
    undone = [event for line in taken_back[::10] for event in jetstream.parse(line)]
    others = [event for line in strange for event in jetstream.parse(line)]
    log = Log(folder / DATABASE)
    append(log, known)
    log.checkpoint()
    size, last = bytes_in(folder), log.last_seq
    found["µs to append a like of a known post"] = microseconds(lambda: append(log, likes), num_likes)
    log.checkpoint()
    found["bytes of a like"] = (bytes_in(folder) - size) / num_likes
    found["µs to append it again, a duplicate"] = microseconds(lambda: append(log, likes[:20_000]), 20_000)
    found["µs to append a like of an unknown post"] = microseconds(lambda: append(log, others), num_likes)
    found["µs to append a like taken back"] = microseconds(lambda: append(log, undone), len(undone))
    found["µs to read it back"] = microseconds(lambda: read(log, last), num_likes)
    found["entries of the log for a like"] = (log.last_seq - last) / num_likes
    log.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.likes", description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=200_000)
    parser.add_argument("--likes", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(describe()))
    with tempfile.TemporaryDirectory(prefix="trinch-likes-") as folder:
        for name, value in measure(given.posts, given.likes, given.seed, Path(folder)).items():
            print(f"{value:10.2f}  {name}")


if __name__ == "__main__":
    main()
