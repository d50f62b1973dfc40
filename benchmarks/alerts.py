"""What matching costs with many alerts, and how long it takes from an acknowledged post to its webhook.

`python -m benchmarks.alerts [--alerts 10000] [--rate 1000] [--seconds 30]`

Posts are those of the simulator. Alerts are queries of one to three words of one of its posts, a rare one among them, some with
operators; every tenth
has a webhook and asks for a mark of its own, which one post in fifty carries, so that about 20 webhooks a second are due at
1,000 posts a second. Latency is from the return of the append (the acknowledgement) to the arrival of the request, on
the clock of this process. CPU seconds are those of the process that runs the alerts.
"""

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import psutil

from benchmarks.machine import describe
from trinch.alerts import database
from trinch.alerts.percolator import Percolator
from trinch.alerts.types import AlertSettings, checked
from trinch.posts.schema import Created, Post
from trinch.posts.text import tokens
from trinch.posts.times import now
from trinch.simulator.network import stream
from trinch.store.query import normalized, parse
from trinch.store.query_eval import Candidate, matches
from trinch.store.store import Store

MARKED = 50
"""One post of so many carries the mark of an alert."""
WEBHOOKS = 10
"""One alert of so many has a webhook."""
GROUP = 50
"""Posts that are acknowledged together at 1,000 a second: 20 groups a second."""
COMMON = 0.001
"""Share of the posts that hold a word above which nobody would save it alone."""
OPERATORS = ("lang:en", "-filter:retweets", "min_faves:2", "has:links", "-is:reply")


def posts(seed: int) -> Iterator[Post]:
    """New posts of the simulated network."""
    for event in stream(seed, posts=10_000_000):
        if isinstance(event, Created):
            yield event.post


def queries(sample: Sequence[Post], count: int, seed: int) -> list[str]:
    """Queries of words of some posts, one of them rare."""
    rng, found = random.Random(seed), list[str]()
    held = Counter(word for post in sample for word in set(tokens(post.text)))
    rare = {word for word, number in held.items() if number <= max(1, COMMON * len(sample))}
    while len(found) < count:
        words = [word for word in tokens(rng.choice(sample).text) if word.isalpha() and len(word) > 2]
        if rare.isdisjoint(words):
            continue
        name = rng.choice(sorted(rare.intersection(words)))
        others = rng.sample(words, min(len(words), rng.randint(0, 2)))
        found.append(" ".join([name, *others] if rng.random() < 0.8 else [name, rng.choice(OPERATORS)]))
    return found


def matching(sample: Sequence[Post], wanted: Sequence[str]) -> dict[str, float]:
    """CPU microseconds for one post against all queries: with the index, and with a loop over the queries."""
    frequency = dict[str, int]()
    for post in sample:
        for word in set(tokens(post.text)):
            frequency[word] = frequency.get(word, 0) + 1
    started = time.process_time()
    percolator = Percolator(lambda term: frequency.get(term, 0))
    for place, query in enumerate(wanted):
        percolator.add(str(place), query)
    building = time.process_time() - started
    moment, found, started = now(), 0, time.process_time()
    for post in sample:
        found += len(percolator.matches(Candidate(post, moment), moment))
    indexed = (time.process_time() - started) / len(sample)
    trees, few, looped_found = [normalized(parse(query)) for query in wanted], sample[:20], 0
    started = time.process_time()
    for post in few:
        candidate = Candidate(post, moment)
        looped_found += sum(matches(tree, candidate, moment) for tree in trees)
    looped = (time.process_time() - started) / len(few)
    assert looped_found == sum(len(percolator.matches(Candidate(post, moment), moment)) for post in few)
    return {
        "alerts": len(wanted),
        "seconds_to_load": round(building, 2),
        "matches_per_post": round(found / len(sample), 1),
        "us_per_post": round(indexed * 1e6, 1),
        "us_per_post_by_a_loop": round(looped * 1e6, 1),
    }


class Receiver:
    """Counts webhooks: key of a post -> when it arrived first, and the ids it came with."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        self.requests = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                moment = time.monotonic()
                self.send_response(204)
                self.end_headers()
                receiver.requests += 1
                for firing in msgspec.json.decode(raw)["data"]["firings"]:
                    for post in firing["posts"]:
                        receiver.arrived.setdefault(post["id"], moment)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def latency(
    data: Path, known: Sequence[Post], source: Iterator[Post], wanted: Sequence[str], rate: int, seconds: int
) -> dict[str, float]:
    """From acknowledged to received, while posts come at a rate."""
    store, receiver = Store.open(data), Receiver()
    store.ingest([Created(at=now(), network=post.network, post=post) for post in known])
    store.catch_up()
    db = database.connect(data)
    marks = len(wanted) // WEBHOOKS
    for place, query in enumerate(wanted):
        settings = (
            AlertSettings(query=f"mark{place}", webhook=receiver.url, cap=3600)
            if place < marks
            else AlertSettings(query=query)
        )
        database.add(db, checked(settings), owner="", after=store.log.last_seq, most=database.MOST_ALERTS)
    worker = subprocess.Popen(
        [sys.executable, "-m", "trinch.service.alert_worker", str(data), "private"], stdin=subprocess.PIPE
    )
    acknowledged: dict[str, float] = {}
    rng, taken = random.Random(1), 0
    warm_up(store, receiver)
    used = psutil.Process(worker.pid).cpu_times()
    started = time.monotonic()
    while taken < rate * seconds:
        time.sleep(max(0.0, started + taken / rate - time.monotonic()))
        group, marked = list[Created](), list[str]()
        for post in itertools.islice(source, GROUP):
            taken += 1
            if taken % MARKED == 0:
                post = msgspec.structs.replace(post, text=f"{post.text} mark{rng.randrange(marks)}")
                marked.append(post.id)
            group.append(Created(at=now(), network=post.network, post=post))
        store.log.append(group)
        acknowledged |= dict.fromkeys(marked, time.monotonic())
    took = time.monotonic() - started
    deadline = time.monotonic() + 120
    while not acknowledged.keys() <= receiver.arrived.keys() and time.monotonic() < deadline:
        time.sleep(0.1)
    spent = psutil.Process(worker.pid).cpu_times()
    assert worker.stdin is not None
    worker.stdin.close()
    worker.wait(60)
    counted = database.counters(db)
    delays = sorted(receiver.arrived[id] - at for id, at in acknowledged.items() if id in receiver.arrived)
    points = statistics.quantiles(delays, n=100, method="inclusive")
    return {
        "posts": taken,
        "posts_per_second": round(taken / took, 1),
        "matches": counted["matched"],
        "webhooks": receiver.requests,
        "not_received_within_two_minutes": len(acknowledged) - len(delays),
        "p50_seconds": round(points[49], 3),
        "p95_seconds": round(points[94], 3),
        "p99_seconds": round(points[98], 3),
        "worst_seconds": round(delays[-1], 3),
        "cpu_us_per_post": round((spent.user + spent.system - used.user - used.system) / taken * 1e6, 1),
    }


def warm_up(store: Store, receiver: Receiver) -> None:
    """Wait until the process has loaded its alerts: a first post is received."""
    post = Post(network="x", id="warm-up", text="mark0", lang="en", created_at=now())
    store.log.append([Created(at=now(), network="x", post=post)])
    while "warm-up" not in receiver.arrived:
        time.sleep(0.05)


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alerts", description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=1000, help="posts per second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    source = posts(given.seed)
    sample = list(itertools.islice(source, 3000))
    wanted = queries(sample, given.alerts, given.seed)
    found = {"matching": matching(sample, wanted)}
    with tempfile.TemporaryDirectory() as folder:
        found["latency"] = latency(Path(folder), sample, source, wanted, given.rate, given.seconds)
    print(json.dumps({"machine": describe(), **found}, indent=1))


if __name__ == "__main__":
    main()
