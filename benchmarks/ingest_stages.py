"""CPU of one post by stage, from X v2 lines to searchable, beside a bare tantivy loop over the same texts.

python -m benchmarks.ingest_stages --posts 40000
python -m benchmarks.ingest_stages --real posts.jsonl.zst more.jsonl

Without `--real` the posts are simulated; with it they are those of collected files, put into X's wire shape
(`real_posts.py`). The stages run one after another in this process, without garbage collection; then the real
`trinch ingest` runs in its own two processes. CPU is user and system time of all threads, and compares only within a run.
"""

import argparse
import gc
import importlib.util
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec
import tantivy

from benchmarks import corpus, real_posts
from benchmarks.ingest import bare_loop, ingest_command
from benchmarks.machine import bytes_in, describe, run
from trinch.posts import x
from trinch.posts.language_id import with_language
from trinch.posts.schema import Created, Edited
from trinch.posts.text import joined_terms
from trinch.sources import files, framing
from trinch.store import indexer
from trinch.store.database import DATABASE
from trinch.store.facets import joined_facets
from trinch.store.log import Entry, Log
from trinch.store.text_index import INDEX, TextIndex
from trinch.store.writer import GROUP

T = TypeVar("T")


class Stages:
    """Microseconds of CPU by stage, for so many posts."""

    def __init__(self, posts: int) -> None:
        self._posts = posts
        self.found: dict[str, float] = {}

    def measure(self, name: str, work: Callable[[], T]) -> T:
        """Run a stage and note what it took."""
        before = time.process_time()
        result = work()
        self.note(name, time.process_time() - before)
        return result

    def note(self, name: str, seconds: float) -> None:
        self.found[name] = seconds / self._posts * 1e6


def measure(lines: Path, texts: Path, posts: int, folder: Path) -> dict[str, float]:
    """The stages, the whole command and the bare loop in microseconds a post; then bytes a post."""
    stages = Stages(posts)
    gc.disable()
    _write_stages(stages, lines, folder / "staged")
    _index_stages(stages, folder / "staged")
    gc.enable()
    used = run(ingest_command(lines, folder / "store"))
    stages.note("trinch ingest, both processes, start and end included", used.cpu)
    with lines.open("rb") as file:
        (folder / "line.jsonl").write_bytes(file.readline())
    start = run(ingest_command(folder / "line.jsonl", folder / "one")).cpu
    stages.note("of it start and end: `trinch ingest` of one line", start)
    rows = [msgspec.json.decode(line) for line in texts.read_bytes().splitlines()]
    _, bare = bare_loop([(id, at, text) for id, at, _, text in rows])
    stages.note("bare tantivy", bare)
    stages.found["trinch ingest / bare tantivy"] = used.cpu / bare
    stages.found["the same without start and end"] = (used.cpu - start) / bare
    log = sum(bytes_in(file) for file in (folder / "store").glob(f"{DATABASE}*"))
    stages.found["bytes a post: log"] = log / posts
    stages.found["bytes a post: index"] = bytes_in(folder / "store" / INDEX) / posts
    return stages.found


def _write_stages(stages: Stages, lines: Path, data: Path) -> None:
    def read() -> list[bytes]:
        with lines.open("rb") as file:
            chunks = iter(lambda: file.read(2**18), b"")
            return [
                text[1] for text in framing.texts(str(lines), chunks) if not isinstance(text, files.Reject)
            ]

    def append() -> None:
        for start in range(0, len(events), GROUP):
            log.append(events[start : start + GROUP])

    texts = stages.measure("read lines", read)
    events = stages.measure("parse", lambda: [event for text in texts for event in x.parse(text)])
    events = stages.measure("identify languages", lambda: [with_language(event) for event in events])
    log = Log(data / DATABASE)
    stages.measure("append to the log, durably", append)
    log.close()


def _index_stages(stages: Stages, data: Path) -> None:
    def read() -> list[Entry]:
        found: list[Entry] = []
        while entries := list(log.read(found[-1].seq if found else 0)):
            found += entries
        return found

    def index_all() -> None:
        indexer.catch_up(log, index)

    log, index = Log(data / DATABASE), TextIndex(data / INDEX)
    events = [entry.event for entry in stages.measure("read the log back", read)]
    posts = [event.post for event in events if isinstance(event, Created | Edited)]
    words = stages.measure("terms", lambda: [joined_terms(post.text, post.lang) for post in posts])
    kinds = stages.measure("facets", lambda: [joined_facets(post) for post in posts])
    stages.measure("index, whole (its words warm)", index_all)
    with tempfile.TemporaryDirectory() as folder:
        stages.measure("tantivy: our text and facets, one commit", lambda: _add(words, kinds, folder))
    log.close()


def _add(words: list[str], kinds: list[str], folder: str) -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("facets", tokenizer_name="whitespace", index_option="basic")
    writer = tantivy.Index(builder.build(), path=folder).writer(heap_size=128_000_000, num_threads=1)
    for text, facet in zip(words, kinds, strict=True):
        document = tantivy.Document()
        document.add_text("text", text)
        document.add_text("facets", facet)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ingest_stages", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--real", nargs="+", default=[], metavar="FILE", help="files of collected posts")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trinch-stages-") as temporary:
        folder = Path(temporary)
        if given.real:
            lines, texts = folder / "lines.jsonl", folder / "texts.jsonl"
            found = list(real_posts.posts(given.real))
            random.Random(given.seed).shuffle(found)  # a stream mixes sources
            posts = real_posts.write(found[: given.posts], lines, texts)
        else:
            made = corpus.make(folder, given.posts, given.seed)
            lines, texts, posts = made.lines, made.texts, given.posts
        native = importlib.util.find_spec("trinch_native") is not None
        print(json.dumps(describe() | {"native": native}))
        for name, value in measure(lines, texts, posts, folder).items():
            print(f"{value:10.1f}  {name}")


if __name__ == "__main__":
    main()
