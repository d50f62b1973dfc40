"""Side by side on the same posts: Trinch, SQLite FTS5 and txtai, each in a process of its own.

    python -m benchmarks.peers ENGINE TEXTS QUERIES FOLDER

Every engine gets the same ready-made posts in groups of 5,800 (a second of X's mean rate), one group after the
other, each group searchable (and where the engine can, durable) before the next. No wire format is parsed
here. Queries are one to four words: `all` wants every word, `any` ranks posts with some of them; both by the
engine's own BM25, ten hits.

What differs, so that nobody compares apples: Trinch keeps whole posts, languages, near-copies and histories.
FTS5 keeps the four columns. txtai runs with `keyword=True, content=True` (BM25 and SQLite, no vectors), knows
no `all`, and is durable only when saved, here once at the end.
"""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks import corpus
from benchmarks.corpus import Text
from benchmarks.machine import Options, Row, bytes_in, percentile
from benchmarks.search import _WORD

GROUP = 5_800
SMALL = 100
ENGINES = ("trinch", "fts5", "txtai")


class Engine(Protocol):
    """What is asked of each: make a group searchable, find by all or any words, and finish on disk."""

    def add(self, posts: Sequence[Text]) -> None: ...
    def all(self, words: list[str]) -> int: ...
    def any(self, words: list[str]) -> int: ...
    def finish(self) -> None: ...


class Trinch:
    def __init__(self, folder: Path) -> None:
        from trinch.store.store import Store

        self._store = Store.open(folder)

    def add(self, posts: Sequence[Text]) -> None:
        from trinch.posts.schema import Created, Post

        self._store.ingest(
            [
                Created(
                    at=one.at,
                    network="x",
                    post=Post(network="x", id=one.id, created_at=one.at, text=one.text, author=one.author),
                )
                for one in posts
            ]
        )
        self._store.catch_up()

    def all(self, words: list[str]) -> int:
        return len(self._store.search(" ".join(words)))

    def any(self, words: list[str]) -> int:
        return len(self._store.retrieve(" ".join(words), limit=10))

    def finish(self) -> None:
        pass


class Fts5:
    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "posts.db")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(
            "CREATE VIRTUAL TABLE posts USING fts5(id UNINDEXED, at UNINDEXED, author UNINDEXED, text)"
        )

    def add(self, posts: Sequence[Text]) -> None:
        rows = [(one.id, one.at, one.author, one.text) for one in posts]
        with self._db:
            self._db.executemany("INSERT INTO posts VALUES (?, ?, ?, ?)", rows)

    def all(self, words: list[str]) -> int:
        return self._find(" AND ".join(f'"{word}"' for word in words))

    def any(self, words: list[str]) -> int:
        return self._find(" OR ".join(f'"{word}"' for word in words))

    def _find(self, match: str) -> int:
        sql = "SELECT id, at, author, text FROM posts WHERE posts MATCH ? ORDER BY bm25(posts) LIMIT 10"
        return len(self._db.execute(sql, (match,)).fetchall())

    def finish(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class Txtai:
    def __init__(self, folder: Path) -> None:
        from txtai import Embeddings

        self._folder = folder
        self._embeddings = Embeddings(keyword=True, content=True)

    def add(self, posts: Sequence[Text]) -> None:
        self._embeddings.upsert(
            [(one.id, {"text": one.text, "at": one.at, "author": one.author}, None) for one in posts]
        )

    def all(self, words: list[str]) -> int:
        raise NotImplementedError("txtai's keyword search has no AND")

    def any(self, words: list[str]) -> int:
        return len(self._embeddings.search(" ".join(words), 10))

    def finish(self) -> None:
        self._embeddings.save(str(self._folder / "index"))


def measure(options: Options) -> list[Row]:
    made = corpus.make(options.work, options.posts, options.seed)
    count = min(options.peer_posts, options.posts)
    texts = list(made.read_texts(count))
    folder = options.work / "peers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    texts_file, queries_file = folder / "texts.jsonl", folder / "queries.jsonl"
    _write(texts_file, ([one.id, one.at, one.author, one.text] for one in texts))
    _write(queries_file, _word_queries(texts, 250))
    rows: list[Row] = []
    for engine in ENGINES:
        command = [sys.executable, "-m", "benchmarks.peers", engine]
        place = folder / engine
        place.mkdir()
        command += [str(texts_file), str(queries_file), str(place)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            print(f"peers: {engine} could not be measured (is it installed?)", file=sys.stderr)
            continue
        for measured, (value, unit) in json.loads(done.stdout.splitlines()[-1]).items():
            rows.append(Row("peers", f"{engine}: {measured}", value, unit, f"{count:,} posts"))
    return sorted(rows, key=lambda row: row.measure.partition(": ")[2])


def _write(path: Path, values: Iterable[object]) -> None:
    path.write_bytes(b"\n".join(msgspec.json.encode(value) for value in values))


def _word_queries(texts: Sequence[Text], count: int) -> list[list[str]]:
    rng = random.Random(2)
    found: list[list[str]] = []
    while len(found) < count:
        words = list(dict.fromkeys(_WORD.findall(rng.choice(texts).text)))
        if len(words) >= 4:
            found.append(rng.sample(words, 1 + len(found) % 4))
    return found


def _measure_one(
    engine: Engine, texts: list[Text], queries: list[list[str]], folder: Path
) -> dict[str, object]:
    # The last ten small groups measure how soon a fresh post is found.
    split = len(texts) - 10 * SMALL
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, split, GROUP):
        engine.add(texts[start : min(split, start + GROUP)])
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    fresh = []
    for start in range(split, len(texts), SMALL):
        group = texts[start : start + SMALL]
        began = time.perf_counter()
        engine.add(group)
        engine.any(_WORD.findall(group[-1].text)[:3] or ["the"])
        fresh.append((time.perf_counter() - began) * 1e3)
    engine.finish()
    found: dict[str, object] = {
        "1 ingest, wall": (split / wall, "posts/s"),
        "2 ingest, cpu": (cpu / split * 1e6, "us/post"),
        f"3 add {SMALL} and search, p50": (percentile(fresh, 0.5), "ms"),
        "6 disk": (bytes_in(folder) / len(texts), "bytes/post"),
    }
    for name, search in (("4 all words", engine.all), ("5 any word", engine.any)):
        times = _times(search, queries)
        if times:
            found[f"{name}, p50"] = (percentile(times, 0.5), "ms")
            found[f"{name}, p95"] = (percentile(times, 0.95), "ms")
    return found


def _times(search: Callable[[list[str]], int], queries: list[list[str]]) -> list[float]:
    times = []
    for words in queries:
        began = time.perf_counter()
        try:
            search(words)
        except NotImplementedError:
            return []
        times.append((time.perf_counter() - began) * 1e3)
    return times[50:]


def main(name: str, texts: Path, queries: Path, folder: Path) -> None:
    engines: dict[str, Callable[[Path], Engine]] = {"trinch": Trinch, "fts5": Fts5, "txtai": Txtai}
    posts = [Text(*msgspec.json.decode(line)) for line in texts.read_bytes().splitlines()]
    words = [msgspec.json.decode(line) for line in queries.read_bytes().splitlines()]
    print(json.dumps(_measure_one(engines[name](folder), posts, words, folder)))


if __name__ == "__main__":
    main(sys.argv[1], *(Path(argument) for argument in sys.argv[2:5]))
