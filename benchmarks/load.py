"""`python -m benchmarks.load`: many clients on a server that ingests at the same time (`make load`).

Over the store that the benchmark `ingest` makes (a copy of it) runs the real `trinch serve`. A process of its own ingests
`--rate` posts a second into it. Each reader searches, reads for `--think` seconds on average, searches again; each
asker streams an answer and thinks twice as long. Meanwhile some clients misbehave: connections that say nothing, one
that reads nothing, bodies of 10 MB, JSON 100,000 levels deep, floods of headers. Exit status 1 when a bar is missed.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import multiprocessing
import os
import random
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import corpus, ingest, search
from benchmarks.machine import Options, Row, as_dicts, describe, percentile
from trinch.posts import formats
from trinch.store.writer import Writer

TOKEN = secrets.token_urlsafe(24)
AUTH = {"Authorization": f"Bearer {TOKEN}"}

SEARCH_P95 = 300.0
"""Milliseconds."""
KEEPS_UP = 0.98
"""Share of the rate that must have been ingested."""
FLAT = 1.15
"""How many times its memory in the second fifth of the run the server may take in the last."""
BEHIND = 6000
"""Events that the index may be behind."""


@dataclass
class Seen:
    """What the clients and the watch saw."""

    searches: list[float] = field(default_factory=list)
    """Milliseconds."""
    first: list[float] = field(default_factory=list)
    """Milliseconds to the first claim, or to the end where there is none."""
    answers: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    behind: list[int] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    events: list[tuple[float, int]] = field(default_factory=list)
    """(monotonic seconds, acknowledged events)."""
    refused: int = 0
    """Misbehaviour answered with a 4xx or a closed connection."""


def feed(data: Path, lines: Path, rate: float, stop: Event) -> None:
    """Ingest a file at a pace, acknowledging ten times a second; runs in a process of its own."""
    parse, writer, taken, started = formats.parser("x"), Writer(data), 0, time.monotonic()
    with lines.open("rb") as file:
        for line in file:
            writer.take(parse(line))
            taken += 1
            if taken % max(1, int(rate / 10)) == 0:
                writer.flush()
                time.sleep(max(0.0, started + taken / rate - time.monotonic()))
                if stop.is_set():
                    break
    writer.close()


async def every(think: float, until: float, seen: Seen, act: Callable[[], Awaitable[None]]) -> None:
    """One client: act, think, act again. Whatever goes wrong is an error."""
    await asyncio.sleep(random.uniform(0, think))
    while time.monotonic() < until:
        try:
            await act()
        except Exception as error:
            seen.errors.append(f"{type(error).__name__}: {error}"[:200])
        await asyncio.sleep(random.expovariate(1 / think))


async def reader(client: httpx.AsyncClient, seen: Seen, query: tuple[str, str]) -> None:
    started = time.perf_counter()
    answer = await client.get("/v1/search", params={"q": query[0], "sort": query[1]})
    answer.raise_for_status()
    seen.searches.append((time.perf_counter() - started) * 1e3)


async def asker(client: httpx.AsyncClient, seen: Seen, question: str) -> None:
    started, first, done = time.perf_counter(), 0.0, False
    async with client.stream("GET", "/v1/ask", params={"question": question, "stream": "true"}) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line in ("event: claim", "event: done"):
                first = first or time.perf_counter() - started
            done = done or line == "event: done"
    if not done:
        raise RuntimeError("an answer without its end")
    seen.first.append(first * 1e3)
    seen.answers.append((time.perf_counter() - started) * 1e3)


async def misbehave(url: str, until: float, seen: Seen) -> None:
    """Everything the server must shrug off."""
    host, port = url.removeprefix("http://").split(":")
    silent: list[asyncio.StreamWriter] = []
    bodies = itertools.cycle([b'"' + b"x" * 10_000_000, b'{"question":' + b"[" * 100_000])
    while time.monotonic() < until:
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /v1/search?q=x HTTP/1.1\r\nHost: ")
        silent.append(writer)
        _, slow = await asyncio.open_connection(host, int(port), limit=1)
        slow.write(f"GET /v1/live HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {TOKEN}\r\n\r\n".encode())
        silent.append(slow)
        async with httpx.AsyncClient(base_url=url, timeout=60, headers=AUTH) as client:
            with contextlib.suppress(httpx.TransportError):
                body = await client.post(
                    "/v1/ask", content=next(bodies), headers={"Content-Type": "application/json"}
                )
                flood = await client.get("/v1/stats", headers={f"x-{i}": "y" for i in range(500)})
                seen.refused += (400 <= body.status_code < 500) + (400 <= flood.status_code < 500)
        for old in silent[:-60]:
            old.close()
        await asyncio.sleep(1.0)
    for writer in silent:
        writer.close()


async def watch(client: httpx.AsyncClient, server: psutil.Process, until: float, seen: Seen) -> None:
    """Once a second: how far behind, how much memory (the server and the indexer; files mapped
    by both are not counted)."""
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            text = (await client.get("/metrics")).text
            gauges = dict(re.findall(r"^(trinch_(?:behind|events)) (\S+)$", text, re.MULTILINE))
            seen.behind.append(int(float(gauges["trinch_behind"])))
            seen.events.append((time.monotonic(), int(float(gauges["trinch_events"]))))
        with contextlib.suppress(psutil.Error):
            both = [server, *server.children(recursive=True)]
            seen.memory.append(sum(process.memory_full_info().uss for process in both))
        await asyncio.sleep(1.0)


async def play(
    url: str, server: psutil.Process, given: argparse.Namespace, made: corpus.Corpus, seen: Seen
) -> None:
    """All clients at once, for the length of the run."""
    until = time.monotonic() + given.seconds
    queries = itertools.cycle(list(search.queries(made, 2000)))
    questions = itertools.cycle(made.read_questions())
    limits = httpx.Limits(max_connections=given.readers + given.askers + 5, keepalive_expiry=5)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits, headers=AUTH) as client:
        clients = [
            *(
                every(given.think, until, seen, lambda: reader(client, seen, next(queries)))
                for _ in range(given.readers)
            ),
            *(
                every(2 * given.think, until, seen, lambda: asker(client, seen, next(questions)))
                for _ in range(given.askers)
            ),
        ]
        await asyncio.gather(*clients, misbehave(url, until, seen), watch(client, server, until, seen))


def serve(data: Path) -> tuple[subprocess.Popen[str], str]:
    """The real server; its process and address."""
    command = [
        sys.executable,
        "-m",
        "trinch.cli.main",
        "serve",
        "--no-listen",
        "--port",
        "0",
        "--data",
        str(data),
    ]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"TRINCH_TOKEN": TOKEN}
    )
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"http://\S+:\d+", line):
            return process, found.group()
    raise SystemExit(f"the server ended with status {process.wait()}")


def rows(seen: Seen, given: argparse.Namespace, stopped: float) -> list[Row]:
    """The numbers, each bar with its verdict in the note."""
    fifth = max(1, len(seen.memory) // 5)
    early, late = max(seen.memory[fifth : 2 * fifth]), max(seen.memory[-fifth:])
    (began, before), (ended, after) = seen.events[0], seen.events[-1]
    ingested = (after - before) / max(1.0, ended - began)

    def bar(measure: str, value: float, unit: str, good: bool, wanted: str) -> Row:
        return Row("load", measure, value, unit, f"{'ok' if good else 'MISSED'}: {wanted}")

    p95 = percentile(seen.searches, 0.95)
    return [
        bar("errors", len(seen.errors), "", not seen.errors, "none" + "".join(f"; {e}" for e in seen.errors[:3])),
        Row("load", "searches", len(seen.searches) / given.seconds, "1/s", f"{given.readers} readers, every {given.think:g} s"),
        Row("load", "search, p50", percentile(seen.searches, 0.5), "ms"),
        bar("search, p95", p95, "ms", p95 <= SEARCH_P95, f"at most {SEARCH_P95:g}"),
        Row("load", "search, p99", percentile(seen.searches, 0.99), "ms"),
        Row("load", "answers", len(seen.answers) / given.seconds, "1/s", f"{given.askers} askers, every {2 * given.think:g} s"),
        Row("load", "first claim, p50", percentile(seen.first, 0.5), "ms"),
        Row("load", "first claim, p95", percentile(seen.first, 0.95), "ms"),
        bar("events ingested", ingested, "1/s", ingested >= KEEPS_UP * given.rate, f"{given.rate:g} lines a second are sent"),
        bar("furthest behind", max(seen.behind), "events", max(seen.behind) <= BEHIND, f"at most {BEHIND}"),
        bar("memory, late / early", late / early, "times", late <= FLAT * early, f"at most {FLAT:g}; {late / 1e6:,.0f} MB"),
        Row("load", "misbehaviour refused", seen.refused, ""),
        bar("graceful stop", stopped, "s", stopped <= 5, "at most 5"),
    ]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__.splitlines()[0])
    parser.add_argument("--posts", type=int, default=1_000_000, help="posts in the store at the start")
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--askers", type=int, default=20)
    parser.add_argument("--rate", type=float, default=1000.0, help="posts a second ingested meanwhile")
    parser.add_argument("--think", type=float, default=5.0, help="mean seconds between a reader's searches")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "trinch-benchmarks")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    random.seed(given.seed)
    machine = describe()
    options = Options(given.posts, given.seed, given.work, 0)
    made, data = corpus.make(options.work, options.posts, options.seed), ingest.ocean_folder(options)
    if not (data / "ocean.db").exists():
        ingest.run_ingest(made.lines, data)
    more = corpus.make(options.work, max(20_000, int(given.rate * given.seconds * 1.2)), given.seed + 1)
    growing = data.with_name(data.name + "-load")
    shutil.rmtree(growing, ignore_errors=True)
    shutil.copytree(data, growing)
    process, url = serve(growing)
    spawn = multiprocessing.get_context("spawn")
    stop, seen = spawn.Event(), Seen()
    feeding = spawn.Process(target=feed, args=(growing, more.lines, given.rate, stop))
    feeding.start()
    try:
        asyncio.run(play(url, psutil.Process(process.pid), given, made, seen))
    finally:
        stop.set()
        feeding.join()
        began = time.monotonic()
        process.terminate()
        process.wait()
        stopped = time.monotonic() - began
        shutil.rmtree(growing, ignore_errors=True)
    found = rows(seen, given, stopped)
    if given.json:
        print(json.dumps({"machine": machine, "rows": as_dicts(found)}))
    else:
        table = Table(
            "measure", "value", "unit", "", title=" · ".join(f"{k} {v}" for k, v in machine.items()), box=None
        )
        for row in found:
            table.add_row(row.measure, f"{row.value:,.2f}", row.unit, row.note)
        Console().print(table)
    return int(any(row.note.startswith("MISSED") for row in found))


if __name__ == "__main__":
    sys.exit(main())
