"""Live ingestion, against a real WebSocket server on loopback that replays, cuts off and resumes like Jetstream."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.asyncio.server import ServerConnection, serve

from trinch.service.listen import listen
from trinch.sources.jetstream_client import REWIND, Jetstream, address, cursor_of, source_name
from trinch.store.log import Log
from trinch.store.writer import Totals

START = 1_760_000_000_000_000


def frame(n: int, text: str | None = None) -> str:
    """A v1 event: the n-th post of an author, or its deletion."""
    commit: dict[str, object] = {
        "rev": str(n),
        "operation": "delete",
        "collection": "app.bsky.feed.post",
        "rkey": f"k{n}",
    }
    if text is not None:
        record = {
            "$type": "app.bsky.feed.post",
            "text": text,
            "createdAt": "2025-10-09T08:53:20Z",
            "langs": ["en"],
        }
        commit |= {"operation": "create", "record": record, "cid": f"cid{n}"}
    return json.dumps(
        {"did": "did:plc:abc", "time_us": START + n * 1_000_000, "kind": "commit", "commit": commit}
    )


Handler = Callable[[ServerConnection, int], "asyncio.Future[None] | object"]


@asynccontextmanager
async def jetstream(
    handle: Callable[[ServerConnection, dict[str, list[str]], int], object], path: str = "/subscribe"
) -> AsyncIterator[str]:
    """A server that hands each connection, its query and its number to `handle`."""
    count = 0

    async def one(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        assert socket.request is not None
        await handle(socket, parse_qs(urlsplit(socket.request.path).query), count)  # type: ignore[misc]

    async with serve(
        one, "127.0.0.1", 0, subprotocols=["xrpc.v1.json"] if "xrpc" in path else None
    ) as server:  # type: ignore[list-item]
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}{path}"


def texts(data: Path) -> dict[str, str]:
    log = Log(data / "ocean.db")
    seqs = [entry.seq for entry in log.read(0, 10_000)]
    found = {v.post.id.rsplit("/", 1)[1]: v.post.text for v in log.visible(seqs).values()}
    log.close()
    return found


async def ingest(data: Path, url: str, enough: Callable[[Totals], bool]) -> Totals:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(20, stop.set)
    return await listen(data, Jetstream(url), stop=stop, until=enough)


def test_a_cut_connection_resumes_where_it_was_without_loss_or_doubling(tmp_path: Path) -> None:
    asked: list[int | None] = []

    async def handle(socket: ServerConnection, query: dict[str, list[str]], count: int) -> None:
        cursor = int(query["cursor"][0]) if "cursor" in query else None
        asked.append(cursor)
        first = 0 if cursor is None else max(0, -(-(cursor - START) // 1_000_000))
        for n in range(first, 40):
            await socket.send(frame(n, f"post number {n}"))
            if count == 1 and n == 19:
                socket.transport.abort()  # no goodbye, as a cable that is pulled
                return
        await socket.wait_closed()

    async def run() -> Totals:
        async with jetstream(handle) as url:
            return await ingest(tmp_path, url, lambda totals: totals.accepted >= 40)

    totals = asyncio.run(run())
    assert totals.accepted == 40
    assert texts(tmp_path) == {f"k{n}": f"post number {n}" for n in range(40)}
    assert asked[0] is None
    assert asked[1] is not None
    stored = asked[1] + REWIND
    assert START <= stored <= START + 19 * 1_000_000, "resumes from what was stored, a little earlier"
    assert totals.duplicates == totals.read - 40 > 0


def test_a_new_process_resumes_from_the_stored_cursor(tmp_path: Path) -> None:
    asked: list[str | None] = []

    async def handle(socket: ServerConnection, query: dict[str, list[str]], count: int) -> None:
        asked.append(query.get("cursor", [None])[0])
        for n in range(5 * (count - 1), 5 * count):
            await socket.send(frame(n, "words"))
        await socket.wait_closed()

    async def run() -> None:
        async with jetstream(handle) as url:
            await ingest(tmp_path, url, lambda totals: totals.accepted >= 5)
            await ingest(tmp_path, url, lambda totals: totals.accepted >= 5)

    asyncio.run(run())
    assert asked == [None, str(START + 4 * 1_000_000 - REWIND)]
    assert len(texts(tmp_path)) == 10


def test_deletions_take_effect_and_bad_frames_are_set_aside(tmp_path: Path) -> None:
    async def handle(socket: ServerConnection, _query: object, _count: int) -> None:
        for sent in (frame(1, "stays"), frame(2, "goes"), '{"did": 7, "time_us": 1}', "not json", frame(2)):
            await socket.send(sent)
        await socket.wait_closed()

    async def run() -> Totals:
        async with jetstream(handle) as url:
            return await ingest(tmp_path, url, lambda totals: totals.read >= 5 and totals.deleted >= 1)

    totals = asyncio.run(run())
    assert (totals.rejected, totals.deleted) == (2, 1)
    assert texts(tmp_path) == {"k1": "stays"}
    aside = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert [one["raw"] for one in aside] == ['{"did": 7, "time_us": 1}', "not json"]
    assert all(one["reason"] and one["source"].startswith("jetstream:127.0.0.1") for one in aside)


def test_a_server_that_is_away_is_tried_again_more_and_more_slowly(tmp_path: Path) -> None:
    states: list[str] = []

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(1.2, stop.set)
        await listen(
            tmp_path,
            Jetstream("ws://127.0.0.1:9/subscribe"),
            stop=stop,
            report=lambda _, state: states.append(state),
        )

    asyncio.run(run())
    assert [state.rsplit("again in ", 1)[1] for state in states][:2] == ["0.2 s", "0.5 s"]


def test_it_stops_at_once_while_a_server_keeps_it_waiting(tmp_path: Path) -> None:
    async def run() -> float:
        silent = await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0)
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, stop.set)
        started = time.monotonic()
        port = silent.sockets[0].getsockname()[1]
        await listen(tmp_path, Jetstream(f"ws://127.0.0.1:{port}/subscribe"), stop=stop)
        silent.close()
        return time.monotonic() - started

    assert asyncio.run(run()) < 3, "not the ten seconds that opening may take"


def test_frames_that_say_nothing_to_us_move_the_cursor(tmp_path: Path) -> None:
    other = json.loads(frame(7, "words"))
    other["commit"]["collection"] = "app.bsky.graph.follow"

    async def handle(socket: ServerConnection, _query: object, _count: int) -> None:
        await socket.send(json.dumps(other).encode())  # a binary frame, too
        await socket.wait_closed()

    async def run() -> Totals:
        async with jetstream(handle) as url:
            return await ingest(tmp_path, url, lambda totals: totals.read >= 1)

    totals = asyncio.run(run())
    assert (totals.accepted, totals.rejected) == (0, 0)
    assert list(Log(tmp_path / "ocean.db").cursors().values()) == [str(other["time_us"])]


def test_version_2_speaks_its_protocol(tmp_path: Path) -> None:
    seen: dict[str, object] = {}

    async def handle(socket: ServerConnection, query: dict[str, list[str]], count: int) -> None:
        seen[f"query{count}"], seen["protocol"] = query, socket.subprotocol
        payload = {
            "$type": "network.bsky.jetstream.subscribeEvents#commit",
            "seq": 41 + count,
            "did": "did:plc:abc",
            "time": "2026-08-01T00:00:00.000001Z",
            "rev": "r",
            "operation": "create",
            "collection": "app.bsky.feed.post",
            "rkey": f"k{count}",
            "record": {"text": "over two", "createdAt": "2026-08-01T00:00:00Z"},
        }
        await socket.send(json.dumps({"$type": "message", "payload": payload}))
        if count == 1:
            await socket.send('{"$type":"error","error":"ConsumerTooSlow","message":"bye"}')
        await socket.wait_closed()

    async def run() -> Totals:
        async with jetstream(handle, "/xrpc/network.bsky.jetstream.subscribeEvents") as url:
            return await ingest(tmp_path, url, lambda totals: totals.accepted >= 2)

    assert asyncio.run(run()).accepted == 2
    assert seen["protocol"] == "xrpc.v1.json"
    first, second = seen["query1"], seen["query2"]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert "collections" in first
    assert "wantedCollections" not in first
    assert second["cursor"] == ["42"]


@pytest.mark.needs("payloads/bluesky_jetstream/internal/corpus/testdata/expected_v1.jsonl")
def test_the_real_capture_is_ingested_whole(tmp_path: Path, shared: Path) -> None:
    lines = shared.read_text().splitlines()

    async def handle(socket: ServerConnection, _query: object, _count: int) -> None:
        for line in lines:
            await socket.send(line)
        await socket.wait_closed()

    async def run() -> Totals:
        async with jetstream(handle) as url:
            return await ingest(tmp_path, url, lambda totals: totals.read >= len(lines))

    totals = asyncio.run(run())
    assert totals.read == len(lines) == 152
    assert totals.rejected == 0
    created = [json.loads(line) for line in lines]
    posts = [
        c for c in created if c["kind"] == "commit" and c["commit"]["collection"] == "app.bsky.feed.post"
    ]
    made = {
        c["commit"]["rkey"]: c["commit"]["record"]["text"]
        for c in posts
        if c["commit"]["operation"] == "create"
    }
    gone = {c["commit"]["rkey"] for c in posts if c["commit"]["operation"] == "delete"}
    assert len(made) == 17
    assert len(gone) == 1
    assert texts(tmp_path) == {key: text for key, text in made.items() if key not in gone}


def test_addresses_ask_for_what_we_read() -> None:
    asked = parse_qs(urlsplit(address("wss://h.example/subscribe?wantedDids=did:plc:x", None)).query)
    assert asked["wantedDids"] == ["did:plc:x"]
    assert len(asked["wantedCollections"]) == 3
    assert "compress" not in address("wss://h.example/subscribe?compress=true", None)
    assert cursor_of(b"{}") is None
    assert cursor_of(b"nonsense") is None
    assert source_name("wss://h.example/subscribe?a=b") == "jetstream:h.example/subscribe"
