"""`kill -9` at random instants: what was acknowledged is there, once, and nothing of what was deleted.

A child process ingests a long deterministic stream of posts, edits, deletions and hidings through the real
writer, with the real indexer beside it, and writes a line to a pipe after every acknowledgement. The parent
kills both without warning, again and again; each new child resumes from the stored cursor. In the end the
store is compared with a plain fold of the stream.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.store.kill_child import stream
from trinch.posts import schema as ev
from trinch.store.log import Log
from trinch.store.store import Store

KILLS = int(os.environ.get("TRINCH_CASES", "50"))
SEED = int(os.environ.get("TRINCH_SEED", "20130415"))
CHILD = [sys.executable, str(Path(__file__).with_name("kill_child.py"))]


def expected(events: list[ev.Event]) -> dict[str, str]:
    """Visible texts by id: the meaning of the events, as plainly as it can be said."""
    texts: dict[str, str] = {}
    barred: set[str] = set()
    hidden: set[str] = set()
    for event in events:
        if isinstance(event, ev.Created):
            if event.post.id not in barred:
                texts.setdefault(event.post.id, event.post.text)
        elif isinstance(event, ev.Edited):
            if event.post.id in texts:
                texts[event.post.id] = event.post.text
        elif isinstance(event, ev.Deleted):
            barred.add(event.id)
            texts.pop(event.id, None)
        elif isinstance(event, ev.Hidden):
            hidden.add(event.id)
        elif isinstance(event, ev.Restored):
            hidden.discard(event.id)
    return {id: text for id, text in texts.items() if id not in hidden}


@pytest.mark.parametrize("kills", [4, pytest.param(KILLS, marks=pytest.mark.long)])
def test_kill_9_loses_nothing_and_doubles_nothing(tmp_path: Path, kills: int) -> None:
    rng = random.Random(SEED)
    acknowledged = in_flight = 0
    for _ in range(kills):
        child = subprocess.Popen([*CHILD, str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True)
        assert child.stdout is not None
        first = child.stdout.readline()
        assert first, "the child came up and acknowledged something"
        time.sleep(rng.random() * 0.15)
        indexer = int((tmp_path / "indexer.pid").read_text())
        for group in (indexer, child.pid):  # the child last: the indexer ends with it
            os.killpg(group, signal.SIGKILL)
        lines = (first + child.stdout.read()).splitlines()
        child.wait()
        whole = [int(line) for line in lines if line.isdigit()]
        acknowledged = max([acknowledged, *whole])
        log = Log(tmp_path / "ocean.db")
        stored = int(log.cursor("test") or 0)
        assert stored >= acknowledged, "an acknowledged event is gone"
        in_flight += stored > acknowledged
        log.close()

    log = Log(tmp_path / "ocean.db")
    stored = int(log.cursor("test") or 0)
    log.close()
    truth = expected(stream()[:stored])
    store = Store.open(tmp_path)
    assert store.catch_up()
    found = store.search("", limit=10_000)
    ids = [hit.post.id for hit in found]
    assert len(ids) == len(set(ids)), "a post is found twice"
    assert {hit.post.id: hit.post.text for hit in found} == truth
    assert store.num_posts == sum(1 for e in store.log.read(0, 10**9) if e.event and hasattr(e.event, "post"))
    assert stored > 20 * kills, "the test got somewhere"
