"""The searchable facts about a post besides its words: who, to whom, which language, what kind, which links.

Their spelling as index terms is shared by the index (`text_index.py`) and by the evaluation of one post
(`query_eval.py`), so that the two cannot disagree.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache

from trinch.posts.schema import Post
from trinch.posts.text import tokens

_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^/@?#]*@)?([^/:?#]+)", re.ASCII)
_MENTION = re.compile(
    r"(?:(?<![a-z0-9_!#$%&*@＠])|(?<=\brt))[@＠]([a-z0-9_]++(?:[.-]+[a-z0-9_]++)*+)(?![@＠\u00c0-\u024f]|://)",
    re.ASCII | re.IGNORECASE,
)
"""Handles as twitter-text finds them (`validMentionPrecedingChars`, `endMentionMatch`), and those that are host names."""
_PARTS = re.compile(r"[^\w.%-]+|[_]")
_HOST_LENGTH, _LABELS = 253, 10
"""Characters of a host name (RFC 1035), and its parts that are indexed, the last ones."""

_LINKS = 20
"""Links of one post that are indexed; spam carries hundreds."""


def facets(post: Post) -> list[str]:
    """Terms `field:value` of a post, lower-case."""
    found = [f"net:{post.network}", f"lang:{post.lang}"]
    _add_people(found, post)
    _add_references(found, post)
    if not post.sensitive:
        found.append("is:safe")
    if post.media:
        found += [_KINDS.get(kind) or f"is:{kind}" for kind in dict.fromkeys(post.media)]
        found.append("is:media")
    if post.urls or "http" in post.text:
        found.append("is:links")
        for url in post.urls[:_LINKS]:
            found += ["url:" + term for term in url_terms(url)]
    _add_text_kinds(found, post)
    if post.likes or post.reposts or post.replies:
        _add_counts(found, post)
    found += places(post)
    if post.created_at is None:
        found.append("is:undated")
    return found


def joined_facets(post: Post) -> str:
    """`facets` with a space between each two, as the text index takes them; their order means nothing."""
    if _native:
        with suppress(UnicodeEncodeError):  # half of a surrogate pair is no UTF-8
            joined: str = _native.facets(post)
            return " ".join([joined, *places(post)])
    return " ".join(facets(post))


_KINDS = {"image": "is:images", "video": "is:videos", "gif": "is:videos"}


def _add_people(found: list[str], post: Post) -> None:
    if post.author:
        found.append(f"from:{post.author.lower()}")
    if post.author_id:
        found.append(f"from:{post.author_id.lower()}")
    if post.reply_to_author:
        found.append(f"to:{post.reply_to_author.lower()}")
    if post.author_verified:
        found.append("is:verified")


def _add_references(found: list[str], post: Post) -> None:
    if post.conversation_id and post.conversation_id != post.id:
        found.append(f"conversation:{post.conversation_id.lower()}")
    if post.quote_of:
        found += [f"quoted:{post.quote_of.lower()}", "is:quote"]
    if post.reply_to:
        found.append("is:reply")
        if post.reply_to_author.lower() in {post.author.lower(), post.author_id.lower()} - {""}:
            found.append("is:self_thread")
    if post.repost_of:
        found.append("is:retweet")


def _add_text_kinds(found: list[str], post: Post) -> None:
    text = post.text
    if post.tags or "#" in text:
        found.append("is:hashtags")
    if "$" in text:
        found.append("is:cashtags")
    if post.mentions or "@" in text or "＠" in text:
        found.append("is:mentions")
        found += [f"mention:{name}" for name in mentions(post)]


_LEVELS = {count: [f"{count}:{level}" for level in range(64)] for count in ("likes", "reposts", "replies")}
"""Count -> the terms of its levels, from the lowest; a post has as many as its value has bits."""


def _add_counts(found: list[str], post: Post) -> None:
    for count, value in (("likes", post.likes), ("reposts", post.reposts), ("replies", post.replies)):
        if value:
            found += _LEVELS[count][: value.bit_length()]
    found.append("is:engagement")


def places(post: Post) -> list[str]:
    """The terms of where a post says that it was written; few posts have any."""
    found = []
    if post.latitude is not None:
        found.append("is:geo")
    if post.country:
        found.append(f"country:{post.country.lower()}")
    if post.place:
        parts = [post.place, *post.place.split(",")] if "," in post.place else [post.place]
        found += [f"place:{term}" for term in dict.fromkeys(map(place_term, parts)) if term]
    return found


def place_term(name: str) -> str:
    """The index term of the name of a place: folded, its words joined by `_`."""
    return "_".join(tokens(name))[:100]


def mentions(post: Post) -> set[str]:
    """Mentioned handles, lower-case: those the source lists and those in the text."""
    written = _MENTION.findall(post.text)
    return {name.lower() for name in (*post.mentions, *written)}


def url_terms(url: str) -> set[str]:
    """The index terms of a link: its host and the domains above it, the words of host and path."""
    lowered = url.lower()
    match = _HOST.match(lowered)
    if not match:
        return set()
    path = [part.strip(".-")[:64] for part in _PARTS.split(lowered[match.end() :])][:20]
    return {*_host_terms(match[1]), *filter(None, path)}


@lru_cache(10_000)
def _host_terms(host: str) -> frozenset[str]:
    labels = host.removeprefix("www.")[-_HOST_LENGTH:].split(".")[-_LABELS:]
    return frozenset([*labels, *(".".join(labels[i:]) for i in range(len(labels) - 1))])


def wanted_url_terms(value: str) -> list[str]:
    """The terms that a link must all have to match the value of `url:`."""
    bare = re.sub(r"^[a-z]+://(www\.)?", "", value.lower())
    return [part for part in (p.strip(".-")[:64] for p in _PARTS.split(bare)) if part]


def level_terms(count: str, n: int) -> Iterator[str]:
    """The index term that every post with at least `n` has: counts are indexed by powers of two."""
    if n > 0:
        yield f"{count}:{n.bit_length() - 1}"


try:
    from trinch_native import Facets
except ImportError:  # it is optional: see docs/native.md
    _native = None
else:
    _native = Facets(mentions, url_terms)
