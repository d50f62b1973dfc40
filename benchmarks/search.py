"""Search and ask on the ocean that `ingest` filled: at rest, and while more is being drunk.

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
from collections.abc import Callable, Iterable, Iterator

from trinch.answers.answer import answer

from benchmarks import corpus, ingest
from benchmarks.machine import Options, Row, percentile
from trinch.ocean.ocean import Ocean

QUERIES = 400
QUESTIONS = 60
WARM_UP = 50
_WORD = re.compile(r"[^\W\d_]{3,}")


def measure(options: Options) -> list[Row]:
    data = ingest.ocean_folder(options)
    made = corpus.make(options.work, options.posts, options.seed)
    if not (data / "ocean.db").exists():
        ingest.drink(made.lines, data)
    ocean = Ocean.open(data)
    ocean.catch_up()
    searches = list(queries(made, QUERIES + WARM_UP))
    questions = made.read_questions()[:QUESTIONS]
    rows = list(_rows("at rest", _timed_all(ocean, searches, questions)))
    # What is drunk meanwhile goes into a copy, so that the next run finds the same ocean.
    copy = data.with_name(data.name + "-growing")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(data, copy)
    more = corpus.make(options.work, max(20_000, options.posts // 10), options.seed + 1)
    process = subprocess.Popen(ingest.ingest_command(more.lines, copy), stdout=subprocess.DEVNULL)
    growing = Ocean.open(copy)
    asked = _timed_all(
        growing, itertools.cycle(searches), itertools.cycle(questions), lambda: process.poll() is None
    )
    rows += _rows("while ingesting", asked)
    if process.wait():
        raise RuntimeError(f"ingest ended with {process.returncode}")
    shutil.rmtree(copy, ignore_errors=True)
    return rows


Times = dict[str, list[float]]


def _timed_all(
    ocean: Ocean,
    searches: Iterable[tuple[str, str]],
    questions: Iterable[str],
    going: Callable[[], bool] = lambda: True,
) -> Times:
    """Milliseconds of each search and each question; of both alternately, seven to one, while `going`."""
    times: Times = {"search": [], "ask": [], "answered": []}
    asking = iter(questions)
    for number, (query, sort) in enumerate(searches):
        if not going():
            break
        started = time.perf_counter()
        ocean.search(query, sort=sort)
        times["search"].append((time.perf_counter() - started) * 1e3)
        if number % 7 == 6 and (question := next(asking, None)) is not None:
            started = time.perf_counter()
            given = answer(ocean, question, None)
            times["ask"].append((time.perf_counter() - started) * 1e3)
            times["answered"].append(given.outcome == "answer")
    times["search"] = times["search"][WARM_UP:] or times["search"]
    return times


def _rows(when: str, times: Times) -> Iterator[Row]:
    for kind in ("search", "ask"):
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            note = f"{len(times[kind])} of them"
            if kind == "ask":
                note += f", {sum(times['answered']):.0f} answered"
            yield Row("search", f"{kind} {when}, {name}", percentile(times[kind], share), "ms", note)


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
