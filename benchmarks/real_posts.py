"""Collected posts, of any network, as X v2 stream lines: real text in wire shape.

What collections leave out is made up by a rule: a numeric id in order of time, an author, the usual metrics. Only
posts are written, one line each; the envelope has the fields and about the size of a recorded stream line.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

import msgspec

from trinch.posts.language_id import identify
from trinch.posts.schema import Created, Edited, Post
from trinch.sources import files

_FIRST_ID = 2_033_423_013_168_283_649
_HASHTAG = re.compile(r"#(\w+)")
_STEP = 1 << 22
"""Ids of X count 1 << 22 a millisecond."""

_encode = msgspec.json.Encoder().encode


def posts(paths: Sequence[str]) -> Iterator[Post]:
    """The posts of collected files, in order; each id once."""
    seen: set[tuple[str, str]] = set()
    for path in paths:
        for item in files.events(path):
            for event in item if isinstance(item, list) else ():
                if (
                    isinstance(event, Created | Edited)
                    and (key := (event.network, event.post.id)) not in seen
                ):
                    seen.add(key)
                    yield event.post


def write(found: Iterable[Post], lines: Path, texts: Path) -> int:
    """Write `lines` (X v2) and `texts` (`[id, at, author, text]`). Returns how many posts there are."""
    number = 0
    with lines.open("wb") as wire, texts.open("wb") as plain:
        for number, post in enumerate(found, 1):
            data = _tweet(post, str(_FIRST_ID + number * _STEP), number)
            wire.write(
                _encode({"data": data, "includes": {"users": [_user(post, data["author_id"])]}}) + b"\n"
            )
            plain.write(_encode([data["id"], number, post.author, post.text]) + b"\n")
    return number


def _author_id(post: Post) -> str:
    return post.author_id if post.author_id.isdigit() else str(crc32((post.author or post.id).encode()))


def _tweet(post: Post, id: str, number: int) -> dict[str, Any]:
    text = post.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    made = (
        f"2026-03-16T{number // 3_600_000 % 24:02}:{number // 60_000 % 60:02}:{number // 1000 % 60:02}.000Z"
    )
    data: dict[str, Any] = {
        "author_id": _author_id(post),
        "conversation_id": id,
        "created_at": made,
        "edit_controls": {"edits_remaining": "5", "is_edit_eligible": True, "editable_until": made},
        "edit_history_tweet_ids": [id],
        "id": id,
        "lang": post.lang if post.lang != "und" else identify(post.text),
        "possibly_sensitive": post.sensitive,
        "public_metrics": {
            "retweet_count": post.reposts or 0,
            "reply_count": post.replies or 0,
            "like_count": post.likes or 0,
            "quote_count": 0,
            "bookmark_count": 0,
            "impression_count": 0,
        },
        "reply_settings": "everyone",
        "source": "X for Android",
        "text": text,
    }
    entities: dict[str, Any] = {}
    if post.urls:
        entities["urls"] = [
            {
                "start": 0,
                "end": 23,
                "url": f"https://t.co/{id[-10:]}",
                "expanded_url": url,
                "display_url": url[8:34],
            }
            for url in post.urls
        ]
    if tags := [{"start": one.start(), "end": one.end(), "tag": one[1]} for one in _HASHTAG.finditer(text)]:
        entities["hashtags"] = tags
    if entities:
        data["entities"] = entities
    return data


def _user(post: Post, id: str) -> dict[str, Any]:
    name = post.author or f"user{id}"
    return {
        "id": id,
        "username": name,
        "name": name,
        "created_at": "2018-01-03T18:37:24.000Z",
        "description": "Walks, reads, and posts about both.",
        "location": "here",
        "protected": False,
        "verified": post.author_verified is True,
        "verified_type": "none",
        "profile_image_url": f"https://pictures.example/profile_images/{id}/{name}_normal.jpg",
        "public_metrics": {
            "followers_count": post.author_followers or 0,
            "following_count": 68,
            "tweet_count": 868,
            "listed_count": 0,
            "like_count": 1736,
        },
    }
