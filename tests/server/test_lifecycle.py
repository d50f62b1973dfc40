"""Killed, stopped and left alone: the server comes back, goes in time, and looks after its own."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import sqlite3
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.server.running import AUTH, Running
from trinch.server import run
from trinch.server.http.connection_limits import CONNECTIONS
from trinch.system import raise_file_limit

QUESTION = {"question": "What happened in Port Esker?"}


@pytest.fixture
def data(sample_data: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sample_data, tmp_path / "store")


def indexers(data: Path) -> list[int]:
    """Process ids of the indexers over this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"trinch.store.indexer" in command and str(data).encode() in command:
                found.append(int(entry.name))
    return found


def wait_until(what: str, seconds: float, happened: object) -> None:
    deadline = time.monotonic() + seconds
    while not happened():  # type: ignore[operator]  # a function without arguments
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.05)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc").exists(), reason="finds processes in /proc")
def test_killed_mid_stream_it_is_back_in_five_seconds(data: Path) -> None:
    with Running(data) as running:
        with running.stream("/v1/live") as stream:
            lines = stream.iter_lines()
            next(lines)
            running.kill()
            with pytest.raises(httpx.HTTPError):
                list(lines)
        wait_until("its indexer is gone", 10, lambda: not indexers(data))
    started = time.monotonic()
    with Running(data) as running:
        answer = running.post("/v1/ask", json=QUESTION).json()
        assert answer["outcome"] == "answer"
        assert time.monotonic() - started < 5 * slowness()


def test_stopped_it_ends_streams_and_answers_and_goes_in_five_seconds(data: Path) -> None:
    with Running(data) as running:
        ended = threading.Event()
        answers: list[httpx.Response] = []

        def watch() -> None:
            with running.stream("/v1/live", timeout=30) as stream:
                list(stream.iter_lines())
            ended.set()

        def ask() -> None:
            answers.append(running.post("/v1/ask", json=QUESTION, timeout=30))

        threads = [threading.Thread(target=watch), *(threading.Thread(target=ask) for _ in range(3))]
        for thread in threads:
            thread.start()
        wait_until("the questions are in", 10, lambda: "} 3" in metric(running.url, "answer") or answers)
        status, took = running.stop()
        for thread in threads:
            thread.join()
    assert status == 0
    assert took < 5
    assert ended.is_set()
    late = [answer.json()["error"]["code"] for answer in answers if answer.status_code == 503]
    outcomes = [answer.json()["outcome"] for answer in answers if answer.status_code == 200]
    assert (late, outcomes) == (["stopping"] * len(late), ["answer"] * (3 - len(late)))
    assert not late or took > run.DRAIN_SECONDS, "what can be answered in time is"
    wait_until("its indexer is gone", 10, lambda: not indexers(data))


@pytest.mark.long
def test_stopped_it_waits_for_no_log_that_another_writes_to(data: Path) -> None:
    log = sqlite3.connect(data / "ocean.db", isolation_level=None)
    with Running(data) as running:
        log.execute("BEGIN IMMEDIATE")
        line = '{"platform": "x", "id": "1", "created_at": "2026-01-01T00:00:00Z", "text": "zanzibar"}'
        kind = {"Content-Type": "application/x-ndjson"}
        responses: list[httpx.Response] = []

        def ingest() -> None:
            with contextlib.suppress(httpx.HTTPError):
                responses.append(running.post("/v1/ingest", content=line, headers=kind, timeout=30))

        sending = threading.Thread(target=ingest)
        sending.start()
        wait_until("the line is in", 10, lambda: "} 1" in metric(running.url, "ingest"))
        status, took = running.stop()
        sending.join()
    assert (status, [answer for answer in responses if answer.status_code == 200]) == (0, [])
    assert took < 5.5
    log.execute("ROLLBACK")


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc").exists(), reason="finds processes in /proc")
def test_a_killed_indexer_is_started_again(data: Path) -> None:
    with Running(data) as running:
        (first,) = indexers(data)
        os.kill(first, signal.SIGKILL)
        wait_until("another indexer runs", 10, lambda: indexers(data) not in ([], [first]))
        wait_until("it is ready", 10, lambda: running.get("/readyz").status_code == 200)
        assert 'trinch_child_restarts_total{name="indexer"} 1' in running.get("/metrics").text
        line = '{"platform": "x", "id": "1", "created_at": "2026-01-01T00:00:00Z", "text": "zanzibar"}'
        running.post("/v1/ingest", content=line, headers={"Content-Type": "application/x-ndjson"})
        search = "/v1/search?q=zanzibar"
        wait_until("the post is found", 5, lambda: len(running.get(search).json()["hits"]) == 1)


@pytest.mark.long
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit, which is Linux's")
def test_more_connections_than_files_that_may_be_open_end_nothing(data: Path) -> None:
    with Running(data) as running, contextlib.ExitStack() as connections:
        host, port = running.url.removeprefix("http://").split(":")
        resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE, (60, 60))
        for _ in range(200):
            connections.enter_context(socket.create_connection((host, int(port)), timeout=5))
        wait_until("there is no room", 10, lambda: "Too many open files" in running.output())
        connections.close()
        assert running.get("/healthz", timeout=30).status_code == 200


def test_few_open_files_allow_fewer_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"now": (256, 1000)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.update(now=pair))
    assert raise_file_limit(CONNECTIONS + run.RESERVED_FILES) == 1000
    assert limits["now"] == (1000, 1000)
    limits["now"] = (256, resource.RLIM_INFINITY)
    assert (
        raise_file_limit(CONNECTIONS + run.RESERVED_FILES)
        == CONNECTIONS + run.RESERVED_FILES
        == limits["now"][0]
    )


def test_an_address_in_use_is_said_so(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running = Running(data, "--port", str(taken.getsockname()[1]))
        with pytest.raises(AssertionError, match=r"cannot listen on 127\.0\.0\.1"):
            running.__enter__()
        running.process.wait()
        assert running.process.returncode == 1


def metric(url: str, pool: str) -> str:
    text = httpx.get(f"{url}/metrics", headers=AUTH, timeout=30).text
    return next((found for found in text.splitlines() if f'pool="{pool}"' in found), "")


def slowness() -> float:
    """How many busy processes share a core: on a machine that is doing other work a second is longer."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def test_an_answer_is_not_held_back_for_more(server: Running) -> None:
    """With Nagle's algorithm on, the second half of each answer waits for an acknowledgement that waits 40 ms."""
    with httpx.Client(base_url=server.url) as client:
        fastest = min(client.get("/healthz").elapsed.total_seconds() for _ in range(20))
    assert fastest < 0.03
