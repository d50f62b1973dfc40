"""Verify sentences against the posts they cite: from the Python API, and as JSON lines."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from trinch.answers.verify.reading import CitedText, moment
from trinch.answers.verify.verifier import Verdict
from trinch.answers.verify.verifier import verify as verify_texts
from trinch.posts.language_id import identify
from trinch.posts.schema import Post
from trinch.posts.wire import UNREADABLE

MAX_POSTS = 50


class CitedPostLine(msgspec.Struct):
    """A cited post as JSON; only its text is needed. Without `created_at` nothing about order in time is supported."""

    text: str
    id: str | None = None
    network: str | None = None
    author: str | None = None
    created_at: str | None = None
    lang: str | None = None


class Line(msgspec.Struct):
    """A sentence and its posts as JSON."""

    sentence: str
    posts: list[CitedPostLine]
    lang: str | None = None


_decode = msgspec.json.Decoder(Line).decode


def verify(
    sentence: str, posts: Sequence[Post | CitedText | Mapping[str, Any] | str], lang: str = ""
) -> Verdict:
    """Whether a sentence follows from the set of posts it cites: `(supported, score, reason)`.

    A post is a `trinch.Post`, a mapping with `text` and if known `author`, `created_at` (RFC 3339) and `lang`, or only
    its text. `lang` is the language of the sentence, identified where it is not given. Times decide what is newer.
    """
    return verify_texts(
        sentence, lang or identify(sentence), [cited_text(post) for post in posts[:MAX_POSTS]]
    )


def cited_text(post: Post | CitedText | Mapping[str, Any] | str) -> CitedText:
    """A post in the form that the verifier reads."""
    if isinstance(post, CitedText):
        return post
    if isinstance(post, str):
        return CitedText(post)
    if isinstance(post, Post):
        at = None if post.created_at is None else datetime.fromtimestamp(post.created_at / 1_000_000, UTC)
        return CitedText(post.text, post.author, at, post.lang)
    at_text = post.get("created_at")
    return CitedText(
        post["text"], post.get("author") or "", moment(at_text) if at_text else None, post.get("lang") or ""
    )


def verify_line(line: str | bytes) -> dict[str, Any]:
    """The verdict on one JSON line as JSON. Raises ValueError for a line that is not one."""
    try:
        given = _decode(line)
    except UNREADABLE as error:
        raise ValueError(str(error)) from None
    verdict = verify(given.sentence, [msgspec.to_builtins(post) for post in given.posts], given.lang or "")
    return verdict._asdict()
