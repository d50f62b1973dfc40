"""Files as people really have them: other containers, encodings, framings and programs, and what is not read at all."""

import csv
import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.posts.samples_elsewhere import ID, OBJECTS, V11, result, status, view
from trinch.posts import times
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Edited, Post
from trinch.sources.files import Reject, events

AT = times.rfc3339("2023-11-14T22:13:20.123Z")
V2 = {"id": ID, "text": "Ferry docks", "author_id": "77", "edit_history_tweet_ids": [ID]}
LINES = b"".join(json.dumps({**V2, "id": id}).encode() + b"\n" for id in (ID, "1724551110972145666"))


def read(
    folder: Path, data: Any, name: str = "a.json", notes: Notes | None = None
) -> tuple[list[Post], list[str]]:
    """(posts, reasons of rejects) of a file."""
    data = data if isinstance(data, bytes) else (data if isinstance(data, str) else json.dumps(data)).encode()
    (folder / name).write_bytes(data)
    posts, reasons = [], []
    for item in events(folder / name, notes=notes):
        if isinstance(item, Reject):
            reasons.append(item.reason)
        else:
            posts += [event.post for event in item if isinstance(event, Created | Edited)]
    return posts, reasons


@pytest.mark.parametrize("name", OBJECTS)
def test_every_program_is_read(name: str, tmp_path: Path) -> None:
    posts, reasons = read(tmp_path, OBJECTS[name])
    assert reasons == []
    assert posts
    assert all("Ferry" in post.text for post in posts)
    if posts[0].network == "x":
        mine = {post.id: post for post in posts}[ID]
        assert (mine.created_at, mine.author) == (AT, "quaywatch")


WRAPPED = {
    "search of the enterprise API": {"results": [status()], "next": "x"},
    "tweets": {"tweets": [status()]},
    "Elasticsearch": {"_index": "t", "_id": "5", "_source": status()},
    "MongoDB": {"_id": {"$oid": "5"}, **status(id_str=None, id={"$numberLong": ID})},
    "a result alone": result(),
    "tweet_results": {"tweet_results": {"result": result()}},
}


@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_posts_of_x(name: str, tmp_path: Path) -> None:
    posts, reasons = read(tmp_path, WRAPPED[name])
    assert (reasons, [post.id for post in posts], posts[0].author) == ([], [ID], "quaywatch")


def test_views_of_bluesky_have_author_and_counts(tmp_path: Path) -> None:
    thread = {
        "thread": {"post": view(), "replies": [{"post": view(uri="at://did:plc:d/app.bsky.feed.post/5k")}]}
    }
    posts, reasons = read(tmp_path, thread)
    assert (reasons, len(posts)) == ([], 2)
    assert (posts[0].author, posts[0].author_name, posts[0].likes) == ("quay.example", "Quay", 3)
    assert posts[0].url == "https://bsky.app/profile/did:plc:abc/post/3k"


def test_listings_of_reddit_with_replies(tmp_path: Path) -> None:
    posts, reasons = read(
        tmp_path, [OBJECTS["reddit listing"], {"kind": "Listing", "data": {"children": []}}]
    )
    assert ([post.id for post in posts], reasons) == (["t3_z", "t1_k1", "t1_k2"], [])


STRANGERS = [
    {"type": "message", "text": "hi", "id": "5", "ts": "1700000000.000100", "user": "U1"},
    {"id": 412, "text": "hi", "user": {"name": "bob"}},
    {"id": 412, "text": "hi", "author": "bob"},
    {"id": 412, "text": "hi", "author_id": 7, "conversation_id": "c1"},
    {"id": 412, "full_text": "hi"},
    {"id": 4998, "idstr": "4998", "mid": "4998", "text": "hi", "user": {"id": 1, "screen_name": "bob"}},
    {
        "_type": "snscrape.modules.vkontakte.VKontaktePost",
        "id": 5,
        "content": "hi",
        "user": {"username": "b"},
    },
    {"id": 38270000, "type": "comment", "by": "bob", "time": 1700000000, "text": "hi", "parent": 5},
]


@pytest.mark.parametrize("value", STRANGERS)
def test_objects_of_strangers_are_no_posts_of_x(value: dict[str, Any], tmp_path: Path) -> None:
    posts, reasons = read(tmp_path, value)
    assert (posts, len(reasons)) == ([], 1)


def zipped(name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", method) as archive:
        archive.writestr(name, data)
    return held.getvalue()


CONTAINERS = {
    "lzma": lzma.compress(LINES, lzma.FORMAT_ALONE),
    "zip with bzip2": zipped("a.json", LINES, zipfile.ZIP_BZIP2),
    "zip in a zip": zipped("b.zip", zipped("a.json", LINES)),
    "UTF-16 without a mark": LINES.decode().encode("utf-16-le"),
    "UTF-16, big end first": LINES.decode().encode("utf-16-be"),
    "server-sent events": b"".join(b"event: post\nid: 5\ndata: " + line + b"\n\n: quiet\n" for line in LINES.splitlines()),
    "a variable": b"var tweets = [" + LINES.replace(b"\n", b",").rstrip(b",") + b"];",
    "an archive of 2013": b"Grailbird.data.tweets_2013_04 = \n[" + LINES.replace(b"\n", b",\n").rstrip(b",\n") + b"]",
    "CESU-8": LINES.replace(b"docks", b"\xed\xa0\xbd\xed\xb8\x80"),
    "NaN": LINES.replace(b'"text"', b'"lang": NaN, "text"'),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_and_framing(name: str, tmp_path: Path) -> None:
    posts, reasons = read(tmp_path, CONTAINERS[name])
    assert (len(posts), reasons) == (2, [])
    assert name != "CESU-8" or posts[0].text == "Ferry 😀"


REFUSED = {
    "7-Zip": (b"7z\xbc\xaf\x27\x1c\x00\x04\n\n\n", "7-Zip archive"),
    "RAR": (b"Rar!\x1a\x07\x00\n\n", "RAR archive"),
    "SQLite": (b"SQLite format 3\x00\n\n\n", "SQLite"),
    "a picture": (b"\x89PNG\r\n\x1a\n\n\n", "picture"),
    "an Office document": (zipped("[Content_Types].xml", b"<x/>"), "CSV"),
    "some binary": (b"\x01\x02\x00\x00\n\x00\x05\n\x09" * 9, "binary file"),
    "long texts alone": (b'window.YTD.note_tweet.part0 = [{"noteTweet": {"core": {"text": "long"}}}]', "tweets.js"),
    "text": (b"just words", "not JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_one_reject(name: str, tmp_path: Path) -> None:
    data, reason = REFUSED[name]
    posts, reasons = read(tmp_path, data)
    assert (posts, len(reasons)) == ([], 1)
    assert reason in reasons[0]


def table(rows: list[list[str]], mark: str = ",") -> str:
    held = io.StringIO()
    csv.writer(held, delimiter=mark).writerows(rows)
    return held.getvalue()


TABLES = {
    "tags.csv": table([["id_str", "from_user", "text", "created_at"], [ID, "quaywatch", "Ferry, café", V11]]),
    "old.csv": table(
        [["username", "date", "retweets", "favorites", "text", "id", "permalink"],
         ["quaywatch", "2023-11-14", "3", "4", "Ferry, café", ID, f"https://twitter.com/q/status/{ID}"]], ";"
    ),
    "piped": table([["tweet_id", "text", "screen_name"], [ID, "Ferry, café", "quaywatch"]], "\t"),
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("name", TABLES)
def test_tables_of_posts_of_x(name: str, encoding: str, tmp_path: Path) -> None:
    notes = Notes()
    (post,), reasons = read(tmp_path, TABLES[name].encode(encoding), name, notes)
    assert (reasons, post.network, post.id, post.text) == ([], "x", ID, "Ferry, café")
    assert (post.created_at, post.author) == (AT, "quaywatch")
    assert dict(notes.forgiven) == {}  # digits in a cell are a number


def test_a_table_without_a_header_is_rejected(tmp_path: Path) -> None:
    posts, reasons = read(tmp_path, '"0","1467810369","Mon Apr 06 22:19:45 PDT 2009","Awww"\n', "a.csv")
    assert (posts, len(reasons)) == ([], 1)
    assert "--map text=COLUMN" in reasons[0]
