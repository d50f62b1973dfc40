"""`trinch serve` ingests from live sources, here from a Jetstream server of the test, and keeps their credentials."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest
from click.testing import CliRunner
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.server.running import Running
from tests.server.test_lifecycle import slowness
from trinch.cli.serve import serve as serve_command
from trinch.server.run import saved_sources
from trinch.simulator.network import stream
from trinch.simulator.wire_jetstream import JetstreamFrames
from trinch.sources.jetstream_client import JETSTREAM
from trinch.store.writer import Writer

POSTS = 300
SECRETS = ("swordfish", "hunter22")


def frames() -> list[bytes]:
    writer, written = JetstreamFrames(), []
    for event in stream(5, posts=POSTS, network="bluesky", incidents=False):
        try:
            written.append(writer.frame(event))
        except ValueError:  # not part of a relay's stream
            continue
    return written


class Jetstream(NamedTuple):
    """A Jetstream server of the test: it sends half of its posts and hangs up; then it waits for `resume`."""

    url: str
    cursors: list[str]
    """The cursor of each connection."""
    resume: threading.Event


@pytest.fixture
def jetstream() -> Iterator[Jetstream]:
    cursors: list[str] = []
    resume = threading.Event()

    def send(connection: ServerConnection) -> None:
        assert connection.request is not None
        cursor = parse_qs(urlsplit(connection.request.path).query).get("cursor", ["0"])[0]
        cursors.append(cursor)
        left = [frame for frame in frames() if json.loads(frame)["time_us"] > int(cursor)]
        if len(cursors) == 1:
            left = left[: len(left) // 2]
        else:
            resume.wait(60)
        with contextlib.suppress(ConnectionClosed):
            for frame in left:
                connection.send(frame.decode())
            if len(cursors) > 1:
                connection.recv()  # until the client disconnects

    with serve(send, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Jetstream(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/subscribe", cursors, resume)
        resume.set()
        server.shutdown()
        thread.join()


def live_events(running: Running, seconds: float) -> Iterator[dict[str, Any]]:
    """The events of /v1/live; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    with running.stream("/v1/live") as response:
        for line in response.iter_lines():
            assert time.monotonic() < deadline, running.output()
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def test_a_source_is_ingested_resumed_and_shown(jetstream: Jetstream, tmp_path: Path) -> None:
    address = jetstream.url.replace("ws://", "ws://user:swordfish@") + "?token=hunter22"
    with Running(tmp_path / "store", listening=True, env={"TRINCH_LISTEN": address}) as running:
        live = live_events(running, 40)
        # The rate covers the last ten seconds: half of the posts are held back until the stream is being watched.
        next(event for event in live if event["events"] > 0)
        jetstream.resume.set()
        event = next(event for event in live if event["events_per_second"])
        (source,) = event["sources"]
        assert source["name"] == jetstream.url
        assert event["lag_seconds"] >= 0
        next(event for event in live if event["posts"] >= POSTS * 0.9)
        stats = running.get("/v1/stats").text
        assert jetstream.url.removeprefix("ws://") in stats
        assert not any(secret in stats for secret in SECRETS)
        assert not any(secret in str(event) for secret in SECRETS)
        for process in psutil.Process(running.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                assert not any(secret in " ".join(process.cmdline()) for secret in SECRETS)
        status, took = running.stop()
    assert (status, took < 5 * slowness()) == (0, True)
    assert not any(secret in running.output() for secret in SECRETS)
    for file in (tmp_path / "store").rglob("*"):
        if file.is_file():
            assert not any(secret.encode() in file.read_bytes() for secret in SECRETS), file
    assert jetstream.cursors[0] == "0"
    assert int(jetstream.cursors[1]) > 0


def test_credentials_are_not_accepted_as_an_option(tmp_path: Path) -> None:
    for address in ("wss://user:swordfish@x.example/s", "wss://x.example/s?token=hunter22"):
        refused = CliRunner().invoke(serve_command, ["--data", str(tmp_path), "--listen", address])
        assert refused.exit_code == 2
        assert not any(secret in refused.output for secret in SECRETS)


def test_without_options_the_sources_of_the_store_are_used(tmp_path: Path) -> None:
    assert saved_sources(tmp_path / "none") == [JETSTREAM]
    writer = Writer(tmp_path)
    assert saved_sources(tmp_path) == [JETSTREAM]
    for event in stream(1, posts=3):
        writer.take([event])
    writer.flush()
    assert saved_sources(tmp_path) == []
    writer.take([], ("jetstream:jet.example/subscribe", "5"))
    writer.close()
    assert saved_sources(tmp_path) == ["wss://jet.example/subscribe"]
