"""Search and ask on the store that `ingest` filled: at rest, and while more is being ingested.

Queries are made of words of the posts themselves, one to four, with the operators people use, half of them
newest first. Each is asked once; the first 50 warm up and are not counted. Questions are about what happened
in the simulated world.
"""

import itertools
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks import corpus, ingest
from benchmarks.machine import Options, Row, percentile
from trinch.answers.answer import answer as ask
from trinch.store.store import Store

T = TypeVar("T")
QUERIES = 400
QUESTIONS = 60
WARM_UP = 50
_WORD = re.compile(r"[^\W\d_]{3,}")


def measure(options: Options) -> list[Row]:
    data = ingest.ocean_folder(options)
    made = corpus.make(options.work, options.posts, options.seed)
    if not (data / "ocean.db").exists():
        ingest.run_ingest(made.lines, data)
    searches = list(queries(made, QUERIES + WARM_UP))
    questions = list(itertools.islice(itertools.cycle(made.read_questions()), QUESTIONS))
    store = Store.open(data)
    store.catch_up()
    rows = [
        *_rows("search", "at rest", [_search(store, query) for query in searches][WARM_UP:]),
        *_rows("ask", "at rest", [_ask(store, question) for question in questions]),
    ]
    # What is ingested meanwhile goes into a copy, so that the next run finds the same store.
    growing = data.with_name(data.name + "-growing")
    shutil.rmtree(growing, ignore_errors=True)
    shutil.copytree(data, growing)
    size = max(30_000, options.posts // 5)
    more = [corpus.make(options.work, size, options.seed + offset).lines for offset in (1, 2)]
    rows += _rows("search", "while ingesting", _meanwhile(_search, searches, more[0], growing))
    rows += _rows("ask", "while ingesting", _meanwhile(_ask, questions, more[1], growing))
    shutil.rmtree(growing, ignore_errors=True)
    return rows


def _search(store: Store, query: tuple[str, str]) -> float:
    """Milliseconds of one search."""
    started = time.perf_counter()
    store.search(query[0], sort=query[1])
    return (time.perf_counter() - started) * 1e3


def _ask(store: Store, question: str) -> float:
    """Milliseconds of one question."""
    started = time.perf_counter()
    ask(store, question)
    return (time.perf_counter() - started) * 1e3


def _meanwhile(one: Callable[[Store, T], float], asked: Sequence[T], lines: Path, data: Path) -> list[float]:
    """Milliseconds of each query, again and again while a file is ingested; the first few wait for its start."""
    process = subprocess.Popen(ingest.ingest_command(lines, data), stdout=subprocess.DEVNULL)
    store = Store.open(data)
    before = store.log.last_seq
    times: list[float] = []
    for query in itertools.cycle(asked):
        if process.poll() is not None:
            break
        took = one(store, query)
        if store.log.last_seq > before:
            times.append(took)
    if process.returncode:
        raise RuntimeError(f"ingest ended with {process.returncode}")
    return times


def _rows(kind: str, when: str, times: list[float]) -> list[Row]:
    note = f"{len(times)} of them"
    return [
        Row("search", f"{kind} {when}, {name}", percentile(times, share), "ms", note)
        for name, share in (("p50", 0.5), ("p95", 0.95))
    ]


def queries(made: corpus.Corpus, count: int) -> Iterator[tuple[str, str]]:
    """(query, sort) pairs from words of posts spread over the corpus, always the same."""
    rng = random.Random(1)
    posts = list(itertools.islice(made.read_texts(), 0, None, 50))
    shapes: list[Callable[[list[str], str], str]] = [
        lambda words, author: words[0],
        lambda words, author: " ".join(words[:2]),
        lambda words, author: " ".join(words[:3]),
        lambda words, author: " ".join(words[:4]),
        lambda words, author: f"{words[0]} OR {words[1]}",
        lambda words, author: f"{words[0]} -{words[1]}",
        lambda words, author: f"{words[0]} filter:links",
        lambda words, author: f"{words[0]} lang:fr",
        lambda words, author: f"{words[0]} -filter:retweets",
        lambda words, author: f"from:{author}",
        lambda words, author: f"{words[0]} since:2026-03-16_12:00:00_UTC",
    ]
    while count:
        post = rng.choice(posts)
        words = list(dict.fromkeys(word for word in _WORD.findall(post.text) if word != "OR"))
        if len(words) >= 4:
            rng.shuffle(words)
            yield shapes[count % len(shapes)](words, post.author), rng.choice(("relevance", "latest"))
            count -= 1
