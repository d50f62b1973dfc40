"""Tables and feeds: rows and entries become posts."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from trinch.cli.main import main
from trinch.posts import times
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Post
from trinch.sources.files import Reject, events


def posts(path: Path, columns: dict[str, str] | None = None) -> list[Post]:
    found = []
    for item in events(path, notes=Notes(), columns=columns):
        assert not isinstance(item, Reject), item
        found += [event.post for event in item if isinstance(event, Created)]
    return found


def test_columns_of_common_names_need_no_mapping(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text('tweet_id,tweet,date,likes_count\n20,"a, b\nc",2006-03-21 20:50:14,7\n')
    (post,) = posts(path)
    assert (post.network, post.id, post.text, post.likes) == ("x", "20", "a, b\nc", 7)
    assert post.created_at == times.rfc3339("2006-03-21T20:50:14Z")


def test_a_mapping_names_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "posts.tsv"
    path.write_text("key\tsaid\twhen\na1\tferry docks\t2025-03-12\n")
    (post,) = posts(path, {"id": "key", "text": "said", "created_at": "when"})
    assert (post.network, post.id, post.text) == ("table", "a1", "ferry docks")
    assert post.created_at == times.rfc3339("2025-03-12T00:00:00Z")


def test_a_table_without_a_text_is_one_reject_that_names_the_option(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("key,said\na1,ferry\n")
    (reject,) = events(path)
    assert isinstance(reject, Reject)
    assert "--map text=COLUMN" in reject.reason


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "posts.bin"
    pq.write_table(pa.table({"id": ["1", "2"], "content": ["one", "two"]}), path)
    assert [post.text for post in posts(path)] == ["one", "two"]


def test_the_command_maps_columns_and_refuses_unknown_fields(tmp_path: Path) -> None:
    path = tmp_path / "posts.csv"
    path.write_text("key,said,hearts\na1,ferry docks,many\n")
    ingest = ["ingest", str(path), "--data", str(tmp_path / "store"), "--json"]
    done = CliRunner().invoke(main, [*ingest, "--map", "id=key,text=said", "--map", "likes=hearts"])
    assert done.exit_code == 0, done.output
    totals = json.loads(done.stdout)
    assert (totals["accepted"], totals["rejected"], totals["forgiven"]) == (1, 0, {"likes": 1})
    wrong = CliRunner().invoke(main, [*ingest, "--map", "colour=said"])
    assert wrong.exit_code == 2
    assert "colour" in wrong.output


FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Harbour</title><link>https://lund.example/</link>
<item><title>Ferry docks</title><guid>g1</guid><link>https://lund.example/1</link>
<pubDate>Wed, 12 Mar 2025 18:39:19 GMT</pubDate><description>&lt;p&gt;At &lt;b&gt;noon&lt;/b&gt;&lt;/p&gt;</description>
</item></channel></rss>"""


def test_the_entries_of_a_feed_are_posts(tmp_path: Path) -> None:
    pytest.importorskip("feedparser")
    path = tmp_path / "feed.xml"
    path.write_text(FEED)
    (post,) = posts(path)
    assert (post.network, post.id, post.text) == ("feed", "g1", "Ferry docks\nAt noon")
    assert post.created_at == times.rfc3339("2025-03-12T18:39:19Z")
    assert post.url == "https://lund.example/1"
