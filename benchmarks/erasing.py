"""`python -m benchmarks.erasing`: how long `trinch erase` takes in a store of simulated posts.

Plants one post with a marker word among the others, erases it, and searches every byte of the folder for the word.
"""

import argparse
import resource
import shutil
import tempfile
import time
from pathlib import Path

from trinch.posts.schema import Created, Post
from trinch.simulator.network import stream
from trinch.store import indexer
from trinch.store.erase import erase
from trinch.store.store import Store
from trinch.store.writer import Writer

MARKER = "zyxwvut77"


def fill(data: Path, posts: int, seed: int) -> None:
    """A store of simulated posts, with the marker in the middle."""
    with indexer.running(data) as process:
        writer = Writer(data, process)
        for number, event in enumerate(stream(seed, posts=posts, rate=10.0)):
            writer.take([event])
            if number == posts // 2:
                post = Post(
                    network="x", id="planted", text=f"a {MARKER} word", created_at=event.at, author_id="eve"
                )
                writer.take([Created(at=event.at, network="x", post=post)])
        writer.close()


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.erasing", description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trinch-benchmarks")
    given = parser.parse_args()
    data = given.work / f"erase-{given.seed}-{given.posts}"
    if not (data / "filled").exists():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        fill(data, given.posts, given.seed)
        (data / "filled").touch()
    copy = data.with_name(f"{data.name}-copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(data, copy)
    store = Store.open(copy)
    assert store.doc_freq(MARKER) == 1, "the marker is searchable"
    started, cpu = time.monotonic(), cpu_seconds()
    certificate = erase(store, query=MARKER)
    seconds, cpu = time.monotonic() - started, cpu_seconds() - cpu
    found = [path for path in copy.rglob("*") if path.is_file() and MARKER.encode() in path.read_bytes()]
    print(
        f"{store.num_posts:,} posts, {certificate.bytes_searched / 1e9:.2f} GB: erased in {seconds:.1f} s"
        f" ({cpu:.1f} s of CPU); files with the word: {len(found)}; documents with it: {store.doc_freq(MARKER)}"
    )
    shutil.rmtree(copy)
    raise SystemExit(1 if found or certificate.files_with_text else 0)


if __name__ == "__main__":
    main()
