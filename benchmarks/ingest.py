"""End to end: X v2 JSON lines on disk, through `trinch ingest`, to durable and searchable.

Beside it, in the same run, a bare tantivy loop over the same texts: default tokenizer, text, id and time, one
writer thread, a commit every 5,800 posts (a second of X's mean rate), no parsing, nothing else.

How long an acknowledged post takes to be searchable is measured in two ways. For all posts: the position that
the index publishes after each commit is sampled every 5 ms and compared with the time that the log gave each
group before writing it. As a check, a process of its own takes the newest acknowledged post again and again
and polls the real search until it finds it.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path

import tantivy

from benchmarks import corpus
from benchmarks.machine import Options, Row, Used, bytes_in, percentile, run
from trinch.store.text_index import read_position

COMMIT = 5_800


def measure(options: Options) -> list[Row]:
    made = corpus.make(options.work, options.posts, options.seed)
    data = ocean_folder(options)
    shutil.rmtree(data, ignore_errors=True)
    watched = run_ingest(made.lines, data)
    used, totals = watched.used, watched.totals
    posts = options.posts
    texts = [(one.id, one.at, one.text) for one in made.read_texts()]
    bare_wall, bare_cpu = bare_loop(texts)
    size = made.lines.stat().st_size / posts
    log = sum(bytes_in(file) for file in data.glob("ocean.db*"))
    text = bytes_in(data / "text")

    def row(measure: str, value: float, unit: str, note: str = "") -> Row:
        return Row("ingest", measure, value, unit, note)

    return [
        row("rate", posts / used.wall, "posts/s", f"{posts:,} posts, {size:,.0f} bytes each, wall, all included"),
        row("rate of events", totals["accepted"] / used.wall, "events/s", "with edits, deletions and counts"),
        row("cpu", used.cpu / posts * 1e6, "us/post", "all threads and children"),
        row("acknowledged to searchable, p50", percentile(watched.waits, 0.5) * 1e3, "ms", "all posts, by position"),
        row("acknowledged to searchable, p99", percentile(watched.waits, 0.99) * 1e3, "ms", "all posts, by position"),
        row("the same found by search, p50", percentile(watched.found, 0.5) * 1e3, "ms", f"{len(watched.found)} probes"),
        row("the same found by search, p99", percentile(watched.found, 0.99) * 1e3, "ms", f"{len(watched.found)} probes"),
        row("peak memory", used.peak_rss / 1e6, "MB", "sum over processes"),
        row("state on disk", (log + text) / posts, "bytes/post", f"log {log / posts:,.0f}, text {text / posts:,.0f}"),
        row("bare tantivy, rate", posts / bare_wall, "posts/s", "wall"),
        row("bare tantivy, cpu", bare_cpu / posts * 1e6, "us/post"),
        row("cpu, Trinch / bare tantivy", used.cpu / bare_cpu, "times"),
    ]  # fmt: skip


def ocean_folder(options: Options) -> Path:
    return options.work / f"store-{options.seed}-{options.posts}"


class Watched:
    """What was seen of one `trinch ingest`."""

    def __init__(self, used: Used, waits: list[float], found: list[float]) -> None:
        self.used = used
        self.totals: dict[str, float] = json.loads(used.output)
        self.waits = waits
        """Seconds from acknowledged to searchable, one value per 100 posts."""
        self.found = found
        """Seconds from acknowledged to found by search, one value per probe."""


def ingest_command(lines: Path, data: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "trinch.cli.main",
        "ingest",
        str(lines),
        "--format",
        "x",
        "--data",
        str(data),
        "--json",
    ]


def run_ingest(lines: Path, data: Path) -> Watched:
    """Ingest a file by the real command, in its own process, and watch how far the index is."""
    positions = _Positions(data)
    probe = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.probe", str(data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        used = run(ingest_command(lines, data))
    finally:
        positions.stop()
        found, _ = probe.communicate(input="")
    return Watched(used, positions.waits(), json.loads(found))


class _Positions(threading.Thread):
    """Samples the position of the text index every 5 ms."""

    def __init__(self, data: Path) -> None:
        super().__init__(daemon=True)
        self._data = data
        self._seen: list[tuple[int, float]] = []
        self._stopped = threading.Event()
        self.start()

    def run(self) -> None:
        last = 0
        while True:
            position = read_position(self._data / "text")
            if position > last:
                self._seen.append((position, time.time()))
                last = position
            if self._stopped.wait(0.005):
                return

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def waits(self) -> list[float]:
        with sqlite3.connect(self._data / "ocean.db") as db:
            commits: Sequence[tuple[int, int]] = db.execute(
                "SELECT last_seq, at FROM commits ORDER BY last_seq"
            ).fetchall()
        waits, before = [], 0
        for last_seq, at in commits:
            seen = bisect_left(self._seen, (last_seq, 0.0))
            if seen < len(self._seen):
                weight = max(1, (last_seq - before) // 100)
                waits += [self._seen[seen][1] - at / 1e6] * weight
            before = last_seq
        return waits


def bare_loop(texts: Sequence[tuple[str, int, str]]) -> tuple[float, float]:
    """Seconds of wall and CPU that tantivy alone takes for these texts, merges included."""
    schema = (
        tantivy.SchemaBuilder()
        .add_text_field("text")
        .add_text_field("id", tokenizer_name="raw", stored=True)
        .add_integer_field("at", indexed=True, fast=True)
        .build()
    )
    with tempfile.TemporaryDirectory() as folder:
        index = tantivy.Index(schema, path=folder)
        wall, cpu = time.perf_counter(), time.process_time()
        writer = index.writer(heap_size=128_000_000, num_threads=1)
        for number, (id, at, text) in enumerate(texts, 1):
            document = tantivy.Document()
            document.add_text("text", text)
            document.add_text("id", id)
            document.add_integer("at", at)
            writer.add_document(document)
            if number % COMMIT == 0:
                writer.commit()
        writer.commit()
        writer.wait_merging_threads()
        return time.perf_counter() - wall, time.process_time() - cpu
