"""`trinch serve` drinks from live sources: here a Jetstream of our own, on this machine."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.server.running import Running
from trinch.server.run import saved_sources
from trinch.simulator.network import stream
from trinch.simulator.wire_jetstream import JetstreamFrames
from trinch.sources.jetstream_client import JETSTREAM
from trinch.store.writer import Writer

POSTS = 300


def frames() -> list[bytes]:
    writer, written = JetstreamFrames(), []
    for event in stream(5, posts=POSTS, network="bluesky", incidents=False):
        try:
            written.append(writer.frame(event))
        except ValueError:  # a relay does not tell that
            continue
    return written


@pytest.fixture
def jetstream() -> Iterator[tuple[str, list[str]]]:
    """An address that sends 300 posts and hangs up after the first half; and the cursors it was asked for."""
    asked: list[str] = []

    def send(connection: ServerConnection) -> None:
        assert connection.request is not None
        cursor = parse_qs(urlsplit(connection.request.path).query).get("cursor", ["0"])[0]
        asked.append(cursor)
        told = [frame for frame in frames() if json.loads(frame)["time_us"] > int(cursor)]
        for frame in told[: len(told) // 2] if len(asked) == 1 else told:
            connection.send(frame.decode())
        if len(asked) > 1:
            with contextlib.suppress(ConnectionClosed):
                connection.recv()  # until the listener goes

    with serve(send, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/subscribe", asked
        server.shutdown()
        thread.join()


def test_a_source_is_drunk_resumed_and_shown(jetstream: tuple[str, list[str]], tmp_path: Path) -> None:
    url, asked = jetstream
    with Running(tmp_path / "store", "--listen", url, listening=True) as running:
        deadline = time.monotonic() + 20
        while httpx.get(f"{running.url}/v1/stats").json()["posts"] < POSTS * 0.9:
            assert time.monotonic() < deadline, running.said()
            time.sleep(0.1)
        with httpx.stream("GET", f"{running.url}/v1/live", timeout=10) as response:
            for line in response.iter_lines():
                live = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if live.get("events_per_second"):
                    break
        (source,) = live["sources"]
        assert source["name"] == url
        assert source["state"] in ("connected", "ingesting")
        assert live["lag_seconds"] >= 0
        status, took = running.stop()
    assert (status, took < 5) == (0, True)
    assert asked[0] == "0"
    assert int(asked[1]) > 0


def test_without_a_word_the_ocean_goes_on_drinking(tmp_path: Path) -> None:
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
