"""Objects of every format with random parts changed: a parser answers with events or with `Malformed`, never otherwise.

TRINCH_SEED and TRINCH_CASES, as `make soak` sets them, choose other changes and more of them.
"""

import copy
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.posts.samples_elsewhere import OBJECTS, status
from trinch.posts import formats, jsonl
from trinch.posts.notes import Notes
from trinch.posts.schema import Created, Edited, Event, Malformed
from trinch.sources.files import Reject, events

SEED, CASES = int(os.environ.get("TRINCH_SEED", "1")), int(os.environ.get("TRINCH_CASES", "60"))
JUNK: list[Any] = [
    *(None, True, False, 0, -1, 10**30, 1.5, float("nan"), float("inf"), "", " ", "x", "5", "\ud83d", "\x00"),
    *([], {}, [None], [[]], [{}], ["x"], [5], {"": None}, {"x": {}}, {"text": 5}, {"result": []}),
    *(
        "9" * 40,
        "2025-02-30T00:00:00Z",
        "https://[",
        "at://",
        {"$numberLong": "5"},
        {"$date": {}},
        "<p",
        "&#x110000;",
    ),
]


def changed(value: Any, draw: random.Random) -> Any:
    """A copy with one to three parts removed, replaced by junk, or doubled."""
    value = copy.deepcopy(value)
    for _ in range(draw.randint(1, 3)):
        holder, key = draw.choice(list(places(value)))
        match draw.randrange(4):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1:
                holder[key] = [holder[key], holder[key]]
            case _:
                holder[key] = copy.deepcopy(draw.choice(JUNK))
        if not any(places(value)):
            break
    return value


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def checked(found: list[Event]) -> None:
    for event in found:
        assert jsonl.parse(jsonl.dump(event)) == [event]
        if isinstance(event, Created | Edited):
            assert event.post.id
            assert isinstance(event.post.text, str)


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_with_parts_changed(name: str) -> None:
    draw = random.Random(f"{SEED} {name}")
    for _ in range(CASES):
        value = changed(OBJECTS[name], draw)
        line = json.dumps(value).encode()
        notes = Notes()
        try:
            found = formats.parser("auto")(line, notes)
        except Malformed as error:
            assert 0 < len(str(error)) < 500
            continue
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} {error}: {line!r}") from error
        checked(found)


HEADERS = ["id", "text", "created_at", "likes", "urls", "author", "lang", "retweets", "extra", "", "text"]
CELLS = [
    "",
    "5",
    "ferry",
    '"a, b"',
    '"',
    "[1]",
    "['a']",
    "2023-11-14",
    "x" * 50,
    "\u0000",
    "\r",
    "é",
    "1,5",
    "🚢",
]


def test_tables_with_random_cells(tmp_path: Path) -> None:
    draw = random.Random(SEED)
    for number in range(CASES // 3):
        mark = draw.choice(",;\t|")
        header = draw.sample(HEADERS, draw.randint(1, 9))
        rows = [[draw.choice(CELLS) for _ in range(draw.randint(0, 11))] for _ in range(draw.randint(0, 5))]
        text = "\n".join(mark.join(row) for row in [header, *rows])
        file = tmp_path / f"{number}.csv"
        file.write_bytes(text.encode(draw.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"]), "replace"))
        for item in events(file):
            if isinstance(item, Reject):
                assert item.reason
            else:
                checked(item)


FILES = {
    "tweets.js": b"window.YTD.tweets.part0 = " + json.dumps([{"tweet": status()}] * 3, indent=1).encode(),
    "feed.xml": b"<rss version='2.0'><channel><title>Quay</title><item><title>Ferry</title><link>https://a.example</link>"
    b"<pubDate>Tue, 14 Nov 2023 22:13:20 GMT</pubDate></item></channel></rss>",
    "table.tsv": b"tweet_id\ttext\tcreated_at\n5\tferry\t2023-11-14\n6\tquay\t2023-11-15\n",
    "stream.txt": b"event: update\ndata: " + json.dumps(OBJECTS["mastodon"]).encode() + b"\n\n: quiet\n\n",
}


@pytest.mark.parametrize("name", FILES)
def test_files_with_bytes_changed(name: str, tmp_path: Path) -> None:
    if name == "feed.xml":
        pytest.importorskip("feedparser")
    draw, whole = random.Random(f"{SEED} {name}"), FILES[name]
    file = tmp_path / name
    for _ in range(CASES // 3):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            place = draw.randrange(len(data))
            match draw.randrange(3):
                case 0:
                    data[place] = draw.randrange(256)
                case 1:
                    del data[place : place + draw.randint(1, 20)]
                case _:
                    data[place:place] = draw.choice(
                        [b"\x00", b"\xff", b"\n", b'"', b"{", b"]", b"<", b"\xed\xa0\x80"]
                    )
        file.write_bytes(data)
        found = [item for item in events(file) if not isinstance(item, Reject)]
        checked([event for item in found for event in item])
