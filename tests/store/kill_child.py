"""The process that test_kill.py kills: ingests a fixed stream from the stored cursor on and prints every acknowledgement."""

import random
import sys
import time
from pathlib import Path

from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.store import indexer
from trinch.store.writer import Writer

START = 1_366_000_000_000_000
LENGTH = 40_000


def stream() -> list[ev.Event]:
    """A fixed stream in which posts come, change, hide, return and go, some of them twice."""
    rng = random.Random(7)
    events: list[ev.Event] = []
    alive: list[int] = []
    for n in range(LENGTH):
        at = START + n * 1_000_000
        draw = rng.random()
        if draw < 0.75 or not alive:
            alive.append(n)
            events.append(ev.Created(at=at, network="x", post=_post(n, f"word{n % 97} first {n}", at)))
            continue
        n = rng.choice(alive[-50:])
        if draw < 0.80:
            events.append(ev.Created(at=at, network="x", post=_post(n, "a copy that must not count", at)))
        elif draw < 0.88:
            events.append(ev.Edited(at=at, network="x", post=_post(n, f"edited at {at}", at)))
        elif draw < 0.95:
            alive.remove(n)
            events.append(ev.Deleted(at=at, network="x", id=str(n)))
        elif draw < 0.98:
            events.append(ev.Hidden(at=at, network="x", id=str(n), reason="withheld"))
        else:
            events.append(ev.Restored(at=at, network="x", id=str(n), reason="withheld"))
    return events


def _post(n: int, text: str, at: int) -> Post:
    return Post(network="x", id=str(n), text=text, lang="en", created_at=at, author_id=str(n % 11))


def main(data: Path) -> None:
    events = stream()
    with indexer.running(data) as process:
        writer = Writer(data, process)
        done = int(writer.cursor("test") or 0)
        (data / "indexer.pid").write_text(str(process.pid))
        rng = random.Random(done)
        while done < len(events):
            for _ in range(rng.randint(1, 40)):
                if done < len(events):
                    writer.take([events[done]], ("test", str(done + 1)))
                    done += 1
            writer.flush()
            print(done, flush=True)
            time.sleep(0.004)  # so that the stream outlives the kills


if __name__ == "__main__":
    main(Path(sys.argv[1]))
