"""The process whose disk fails: ingests a fixed stream into a log, and indexes it.

`python disk_workload.py record FOLDER TRACE SEED SYNCHRONOUS`: once, recording, with that setting of SQLite. Each acknowledgement is in the trace as a write to
the file `acknowledged`. `python disk_workload.py fail FOLDER ERROR COUNT FIRST STEP`: again and again in a fresh folder, the n-th
changing call failing, for every n = FIRST, FIRST + STEP, …; prints a line for each, and what is wrong.
"""

import ctypes
import errno
import os
import random
import shutil
import sqlite3
import sys
from pathlib import Path

from trinch.posts import schema as ev
from trinch.posts.schema import Post
from trinch.store import indexer
from trinch.store.log import Log
from trinch.store.text_index import TextIndex

START = 1_366_000_000_000_000


def batches(seed: int, number: int = 30) -> list[list[ev.Event]]:
    """Posts, and deletions of some of them, in small groups."""
    rng, made, posts = random.Random(seed), list[list[ev.Event]](), 0
    for _ in range(number):
        group: list[ev.Event] = []
        for _ in range(rng.randint(1, 12)):
            if posts and rng.random() < 0.15:
                group.append(ev.Deleted(at=START, network="x", id=f"id{rng.randrange(posts)}"))
            else:
                text = f"ferry {posts} " + "late " * rng.randrange(60)
                post = Post(
                    network="x", id=f"id{posts}", text=text, created_at=START, author_id="a", lang="en"
                )
                group.append(ev.Created(at=START + posts, network="x", post=post))
                posts += 1
        made.append(group)
    return made


def expected(groups: list[list[ev.Event]]) -> set[str]:
    """Ids of the posts that are visible after some groups."""
    events = [event for group in groups for event in group]
    deleted = {event.id for event in events if isinstance(event, ev.Deleted)}
    return {event.post.id for event in events if isinstance(event, ev.Created)} - deleted


def shown(log: Log) -> set[str]:
    """Ids of the visible posts of a log."""
    entries = [entry.seq for entry in log.read(0, 10**6)]
    return {version.post.id for version in log.visible(entries).values()}


def record(folder: Path, trace: Path, seed: int, synchronous: str, shim: ctypes.CDLL) -> None:
    folder.mkdir()
    shim.shim_start(os.fsencode(folder), os.fsencode(trace))
    groups = batches(seed)
    log, index = Log(folder / "ocean.db"), TextIndex(folder / "text")
    if synchronous != "FULL":
        log._db.execute(f"PRAGMA synchronous={synchronous}")
    mark = os.open(folder / "acknowledged", os.O_WRONLY | os.O_CREAT)
    for done, group in enumerate(groups, 1):
        log.append(group, {"live": str(done)})
        os.write(mark, b".")
        if done % 7 == 0:
            indexer.catch_up(log, index)
        if done % 12 == 0:
            log.checkpoint()
    log.close()


def fail(folder: Path, error: int, count: int, first: int, step: int, shim: ctypes.CDLL) -> None:
    groups = batches(1, number=6)
    shim.shim_start(os.fsencode(folder), os.fsencode(os.devnull))
    n = first
    while True:
        at = folder / str(n)  # a folder of its own: threads of the last index may still be writing
        at.mkdir(parents=True)
        shim.shim_fail(n, error, count)
        acknowledged = work(at, groups)
        calls = shim.shim_calls()
        shim.shim_fail(-1, 0, 0)
        log = Log(at / "ocean.db")
        stored = int(log.cursor("live") or 0)
        wrong = "" if stored >= acknowledged else f"{acknowledged} groups acknowledged, {stored} stored"
        if shown(log) != expected(groups[:stored]):
            wrong += f" after {stored} groups other posts are visible"
        index = TextIndex(at / "text")
        if not indexer.catch_up(log, index) or index.count() != len(expected(groups[:stored])):
            wrong += " the index is not level"
        log.close()
        shutil.rmtree(at, ignore_errors=True)
        print(f"{n} {acknowledged} {wrong}", flush=True)
        if calls < n:  # nothing failed
            break
        n += step


def work(folder: Path, groups: list[list[ev.Event]]) -> int:
    """Ingest and index as far as the disk allows. Returns the number of acknowledged groups.

    What fails is tried again twice, as a source does that is not acknowledged."""
    acknowledged = 0
    for _ in range(3):
        try:
            log = Log(folder / "ocean.db")
            acknowledged = max(acknowledged, int(log.cursor("live") or 0))
            for done in range(acknowledged, len(groups)):
                log.append(groups[done], {"live": str(done + 1)})
                acknowledged = done + 1
            indexer.catch_up(log, TextIndex(folder / "text"))
            log.close()
        except (OSError, sqlite3.Error, ValueError):
            continue
    return acknowledged


def main() -> None:
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    kind, folder, *more = sys.argv[1:]
    if kind == "record":
        record(Path(folder), Path(more[0]), int(more[1]), more[2], shim)
    else:
        number = getattr(errno, more[0])
        fail(Path(folder), number, int(more[1]), int(more[2]), int(more[3]), shim)


if __name__ == "__main__":
    main()
