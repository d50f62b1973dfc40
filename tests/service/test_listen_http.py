"""Live ingest over HTTP (X, Mastodon, feeds), against local servers that break, throttle and refuse as the real ones do."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.sources.http_server import Exchange, http_server
from trinch.cli.main import main
from trinch.service.listen import listen
from trinch.sources import feed_client, mastodon_client, x_client
from trinch.sources.feed_client import Feed
from trinch.sources.live import LiveSource, Refused
from trinch.sources.mastodon_client import Mastodon
from trinch.sources.registry import open_source
from trinch.sources.x_client import TAG, Backoff, X
from trinch.store.log import Log
from trinch.store.source_state import read_states
from trinch.store.writer import Totals

FIRST = 1_724_551_110_972_145_716


def ingest(
    data: Path,
    source: Callable[[str], LiveSource],
    handle: Callable[[Exchange], Awaitable[None]],
    enough: Callable[[Totals], bool],
    seconds: float = 30,
) -> Totals:
    """Listen to a server with this behaviour until there is enough."""

    async def run() -> Totals:
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stop.set)
        async with http_server(handle) as url:
            return await listen(data, source(url), stop=stop, until=enough)

    return asyncio.run(run())


def texts(data: Path) -> dict[str, str]:
    log = Log(data / "ocean.db")
    seqs = [entry.seq for entry in log.read(0, 10_000)]
    found = {v.post.id: v.post.text for v in log.visible(seqs).values()}
    log.close()
    return found


def cursor(data: Path, name: str) -> str | None:
    log = Log(data / "ocean.db")
    found = log.cursor(name)
    log.close()
    return found


# ---------------------------------------------------------------------------------------------------------- X


def post(n: int) -> dict[str, object]:
    return {
        "id": str(FIRST + n),
        "text": f"post {n}",
        "author_id": "7",
        "created_at": "2023-11-14T22:13:20.000Z",
    }


def line(n: int) -> bytes:
    return json.dumps({"data": post(n), "matching_rules": [{"id": "1"}]}).encode() + b"\r\n"


def x(address: str) -> Callable[[str], LiveSource]:
    return lambda url: X(address, token="secret", base=url)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of seconds take milliseconds here; that they are those that are documented is tested apart."""
    monkeypatch.setattr(Backoff, "after", lambda self, kind: 0.02)


def test_a_stream_that_breaks_goes_on_and_asks_for_what_it_missed(tmp_path: Path) -> None:
    asked: list[Exchange] = []

    async def handle(it: Exchange) -> None:
        asked.append(it)
        await it.head()
        if it.number == 1:
            await it.send(line(0) + line(1)[:40])
            await it.send(line(1)[40:] + b"\r\n")  # a keep-alive behind it
            await it.send(b'{"data": garbage}\r\n' + line(2))
            await asyncio.sleep(0.3)
            it.cut()
            return
        await it.send(line(2) + line(3))  # backfill repeats what was sent
        await it.until_closed()

    totals = ingest(tmp_path, x("filter?backfill_minutes=5"), handle, lambda t: t.accepted >= 4)
    assert texts(tmp_path) == {str(FIRST + n): f"post {n}" for n in range(4)}
    assert (totals.duplicates, totals.rejected) == (1, 1)
    assert [it.path for it in asked] == ["/2/tweets/search/stream"] * 2
    assert asked[0].headers["authorization"] == "Bearer secret"
    assert "attachments.poll_ids" in asked[0].query["expansions"][0]
    assert "backfill_minutes" not in asked[0].query
    assert asked[1].query["backfill_minutes"] == ["1"]
    (state,) = read_states(tmp_path)
    assert (state.name, state.state, state.reconnects, state.rejected) == ("x:filter", "stopped", 1, 1)


def test_rules_of_ours_are_set_and_those_of_others_left(tmp_path: Path) -> None:
    held = [
        {"id": "1", "value": "old", "tag": TAG},
        {"id": "2", "value": "of others"},
        {"id": "3", "value": "storm", "tag": TAG},
    ]
    changes: list[object] = []

    async def handle(it: Exchange) -> None:
        if it.path.endswith("/rules"):
            if it.method == "POST":
                changes.append(json.loads(it.body))
            await it.reply({"data": held})
            return
        await it.head()
        await it.send(line(0))
        await it.until_closed()

    ingest(tmp_path, x("filter?rule=storm&rule=lang%3Aen+flood"), handle, lambda t: t.accepted >= 1)
    assert changes == [{"delete": {"ids": ["1"]}}, {"add": [{"value": "lang:en flood", "tag": TAG}]}]


@pytest.mark.parametrize("status", [401, 403])
def test_refused_credentials_end_it_with_what_x_says(tmp_path: Path, status: int) -> None:
    async def handle(it: Exchange) -> None:
        await it.reply({"title": "Unauthorized", "detail": "no such token"}, status)

    with pytest.raises(Refused, match=f"HTTP {status}.*no such token"):
        ingest(tmp_path, x("sample"), handle, lambda _: False)
    assert read_states(tmp_path)[0].state.startswith("refused: HTTP")


def test_throttling_waits_as_long_as_asked(tmp_path: Path) -> None:
    seen: list[float] = []

    async def handle(it: Exchange) -> None:
        seen.append(time.monotonic())
        if it.number == 1:
            await it.reply({"title": "Too Many Requests"}, 429, retry_after="1")
        elif it.number == 2:
            await it.reply(b"<html>bad gateway</html>", 502)
        else:
            await it.head()
            await it.send(line(0))
            await it.until_closed()

    ingest(tmp_path, x("sample"), handle, lambda t: t.accepted >= 1)
    assert seen[1] - seen[0] >= 1.0
    assert read_states(tmp_path)[0].reconnects == 2


def test_a_silent_stream_and_one_that_x_ends_are_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(x_client, "SILENCE", 0.4)

    async def handle(it: Exchange) -> None:
        await it.head()
        if it.number == 1:
            for n in range(len(line(0))):  # slow bytes are no silence
                await it.send(line(0)[n : n + 1])
                await asyncio.sleep(0.005)
        elif it.number == 2:
            error = {"title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect"}
            await it.send(json.dumps({"errors": [error]}).encode() + b"\r\n")
        else:
            await it.send(line(1))
        await it.until_closed()

    assert ingest(tmp_path, x("sample"), handle, lambda t: t.accepted >= 2).rejected == 0
    assert read_states(tmp_path)[0].reconnects == 2


def test_the_compliance_stream_hides_and_erases(tmp_path: Path) -> None:
    async def handle(it: Exchange) -> None:
        if it.path == "/2/tweets/sample/stream":
            await it.head()
            await it.send(line(0) + line(1))
            await it.until_closed()
        assert it.query["partition"] == ["2"]
        await it.head()
        deleted = {"tweet": {"id": str(FIRST), "author_id": "7"}, "event_at": "2023-11-14T23:00:00.000Z"}
        await it.send(json.dumps({"data": {"delete": deleted}}).encode() + b"\r\n")
        await it.until_closed()

    ingest(tmp_path, x("sample"), handle, lambda t: t.accepted >= 2)
    ingest(tmp_path, x("compliance/posts?partition=2"), handle, lambda t: t.deleted >= 1)
    assert texts(tmp_path) == {str(FIRST + 1): "post 1"}


def test_a_search_takes_all_pages_and_goes_on_behind_the_newest(tmp_path: Path) -> None:
    asked: list[dict[str, list[str]]] = []

    async def handle(it: Exchange) -> None:
        asked.append(it.query)
        if "next_token" in it.query:
            await it.reply({"data": [post(0)], "meta": {"newest_id": str(FIRST)}})
        elif "since_id" not in it.query:
            await it.reply(
                {"data": [post(2), post(1)], "meta": {"newest_id": str(FIRST + 2), "next_token": "t"}}
            )
        else:
            await it.reply({"data": [post(3)], "meta": {"newest_id": str(FIRST + 3)}})

    search = x("search?query=storm+lang%3Aen&every=1")
    ingest(tmp_path, search, handle, lambda t: t.accepted >= 4)
    assert len(texts(tmp_path)) == 4
    assert asked[0]["query"] == ["storm lang:en"]
    assert [one.get("since_id") for one in asked[:3]] == [None, None, [str(FIRST + 2)]]
    assert cursor(tmp_path, "x:search?query=storm+lang%3Aen") == str(FIRST + 3)


def test_a_search_interrupted_between_pages_begins_again(tmp_path: Path) -> None:
    async def handle(it: Exchange) -> None:
        await it.reply(
            {"data": [post(it.number)], "meta": {"newest_id": str(FIRST + it.number), "next_token": "t"}}
        )

    ingest(tmp_path, x("search?query=storm"), handle, lambda t: t.accepted >= 1)
    assert cursor(tmp_path, "x:search?query=storm") is None


def test_a_cursor_older_than_a_week_is_dropped(tmp_path: Path) -> None:
    async def handle(it: Exchange) -> None:
        if it.query.get("since_id") == [str(FIRST)]:
            await it.reply({"errors": [{"message": "'since_id' must be a tweet id created after …"}]}, 400)
        else:
            await it.reply({"data": [post(5)], "meta": {"newest_id": str(FIRST + 5)}})

    log = Log(tmp_path / "ocean.db")
    log.append([], {"x:search?query=storm": str(FIRST)})
    log.close()
    ingest(tmp_path, x("search?query=storm"), handle, lambda t: t.accepted >= 1)
    assert texts(tmp_path) == {str(FIRST + 5): "post 5"}


# --------------------------------------------------------------------------------------------------- Mastodon


def status(n: int, text: str, **more: object) -> bytes:
    given = {
        "id": str(n), "uri": f"https://far.example/notes/{n}", "created_at": "2026-03-17T07:00:00.000Z",
        "content": f"<p>{text}</p>", "account": {"acct": "mara@far.example", "uri": "https://far.example/u/mara"},
    }  # fmt: skip
    return json.dumps(given | more).encode()


def event(name: str, data: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


def test_a_mastodon_stream_posts_edits_deletes_and_returns(tmp_path: Path) -> None:
    async def handle(it: Exchange) -> None:
        assert it.path == "/api/v1/streaming/public/local"
        assert it.headers["authorization"] == "Bearer secret"
        await it.head(content_type="text/event-stream")
        await it.send(
            b":)\n" + event("update", status(1, "first")) + event("update", status(2, "second"))[:30]
        )
        if it.number == 1:
            await asyncio.sleep(0.2)
            it.cut()
            return
        await it.send(event("update", status(2, "second"))[30:] + b":thump\n")
        await it.send(event("status.update", status(2, "corrected", edited_at="2026-03-17T08:00:00.000Z")))
        await it.send(event("update", b"{garbage") + event("filters_changed", b""))
        await it.send(event("delete", b"1"))  # its own number: the post is of another server
        await it.until_closed()

    source = lambda url: Mastodon(f"{url}/public/local", token="secret")  # noqa: E731 - a short function of one test
    totals = ingest(tmp_path, source, handle, lambda t: t.deleted >= 1)
    assert texts(tmp_path) == {"https://far.example/notes/2": "corrected"}
    assert totals.rejected == 1
    assert read_states(tmp_path)[0].reconnects == 1


def test_a_mastodon_server_that_wants_a_token_says_so(tmp_path: Path) -> None:
    async def handle(it: Exchange) -> None:
        await it.reply({"error": "Missing access token"}, 401)

    with pytest.raises(Refused, match="Missing access token"):
        ingest(tmp_path, Mastodon, handle, lambda _: False)


# ------------------------------------------------------------------------------------------------------- feeds


def rss(*titles: str) -> bytes:
    items = "".join(f"<item><guid>{t}</guid><title>{t}</title></item>" for t in titles)
    return f"<?xml version='1.0'?><rss version='2.0'><channel><title>News</title>{items}</channel></rss>".encode()


def test_a_feed_is_asked_conditionally_and_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("feedparser")
    monkeypatch.setattr(feed_client, "SHORTEST", 0.05)
    asked: list[str | None] = []

    async def handle(it: Exchange) -> None:
        if it.path == "/robots.txt":
            await it.reply(b"", 404)
            return
        asked.append(it.headers.get("if-none-match"))
        if it.number == 2:
            await it.reply(b"", 304, cache_control="max-age=0")
        else:
            titles = ["one", "two"] if it.number == 1 else ["two", "three"]
            await it.reply(rss(*titles), etag=f'"{it.number}"', cache_control="public, max-age=0")

    totals = ingest(tmp_path, lambda url: Feed(f"{url}/rss"), handle, lambda t: t.accepted >= 3)
    assert set(texts(tmp_path).values()) == {"one", "two", "three"}
    assert totals.duplicates >= 1  # "two", and what came again before the first flush
    assert asked[:3] == [None, '"1"', '"1"']


def test_a_feed_that_robots_txt_excludes_is_not_asked(tmp_path: Path) -> None:
    asked: list[str] = []

    async def handle(it: Exchange) -> None:
        asked.append(it.path)
        await it.reply(b"User-agent: *\nDisallow: /private\n")

    with pytest.raises(Refused, match=r"robots\.txt"):
        ingest(tmp_path, lambda url: Feed(f"{url}/private/rss"), handle, lambda _: False)
    assert asked == ["/robots.txt"]


def test_garbage_in_place_of_a_feed_is_rejected(tmp_path: Path) -> None:
    pytest.importorskip("feedparser")

    async def handle(it: Exchange) -> None:
        await it.reply(b"\x00\x01 not a feed")

    assert ingest(tmp_path, lambda url: Feed(f"{url}/rss"), handle, lambda t: t.rejected >= 1).accepted == 0


# ---------------------------------------------------------------------------------------------------- settings


def test_waits_are_those_that_x_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    waits = Backoff()
    assert [waits.after("network") for _ in range(3)] == [0.25, 0.5, 0.75]
    assert [waits.after("http") for _ in range(8)] == [5, 10, 20, 40, 80, 160, 320, 320]
    assert [waits.after("limit") for _ in range(2)] == [60, 120]
    waits.reset()
    assert waits.after("http") == 5


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x:firehose", "no such stream"),
        ("x:filter?track=a", "no parameter 'track'"),
        ("x:filter?backfill_minutes=9", "from 1 to 5"),
        ("x:search", "needs a query"),
        ("mastodon:", "no Mastodon server"),
        ("feed:news.example", "no address of a feed"),
        ("myspace", "no such source"),
    ],
)
def test_a_source_that_cannot_be_used_is_a_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    monkeypatch.setenv(x_client.TOKEN, "secret")
    with pytest.raises(ValueError, match=reason):
        open_source(source)
    result = CliRunner().invoke(main, ["listen", source])
    assert result.exit_code == 2


def test_x_without_a_token_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(x_client.TOKEN, raising=False)
    result = CliRunner().invoke(main, ["listen", "x"])
    assert (result.exit_code, x_client.TOKEN in result.output) == (2, True)


def test_names_of_cursors_open_the_same_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(x_client.TOKEN, "secret")
    monkeypatch.setenv(mastodon_client.TOKEN, "secret")
    for source in (
        "x:filter",
        "x:search?query=a+b",
        "x:compliance/users?partition=3",
        "mastodon:m.example/public",
    ):
        assert open_source(open_source(source).name).name == open_source(source).name
