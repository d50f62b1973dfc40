"""The searchable facts about a post besides its words: who, to whom, which language, what kind, which links.

Their spelling as index terms is shared by the index (`text_index.py`) and by the evaluation of one post
(`query_eval.py`), so that the two cannot disagree.
"""

import re
from collections.abc import Iterator

from trinch.posts.schema import Post

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
    return [
        f"net:{post.network}",
        f"lang:{post.lang}",
        *_people(post),
        *_references(post),
        *_kinds(post),
        *_links(post),
        *_text_kinds(post),
        *_counts(post),
        *(["is:undated"] if post.created_at is None else []),
    ]


def _people(post: Post) -> Iterator[str]:
    for name in (post.author, post.author_id):
        if name:
            yield f"from:{name.lower()}"
    if post.reply_to_author:
        yield f"to:{post.reply_to_author.lower()}"
    if post.author_verified:
        yield "is:verified"


def _references(post: Post) -> Iterator[str]:
    if post.conversation_id and post.conversation_id != post.id:
        yield f"conversation:{post.conversation_id.lower()}"
    if post.quote_of:
        yield f"quoted:{post.quote_of.lower()}"
        yield "is:quote"
    if post.reply_to:
        yield "is:reply"
        if post.reply_to_author.lower() in {post.author.lower(), post.author_id.lower()} - {""}:
            yield "is:self_thread"
    if post.repost_of:
        yield "is:retweet"


def _kinds(post: Post) -> Iterator[str]:
    if not post.sensitive:
        yield "is:safe"
    for kind in set(post.media):
        yield {"image": "is:images", "video": "is:videos", "gif": "is:videos"}.get(kind, f"is:{kind}")
    if post.media:
        yield "is:media"


def _links(post: Post) -> Iterator[str]:
    if post.urls or "http" in post.text:
        yield "is:links"
        for url in post.urls[:_LINKS]:
            for term in url_terms(url):
                yield f"url:{term}"


def _text_kinds(post: Post) -> Iterator[str]:
    if post.tags or "#" in post.text:
        yield "is:hashtags"
    if "$" in post.text:
        yield "is:cashtags"
    if post.mentions or "@" in post.text or "＠" in post.text:
        yield "is:mentions"
        for name in mentions(post):
            yield f"mention:{name.lower()}"


def _counts(post: Post) -> Iterator[str]:
    for count, value in (("likes", post.likes), ("reposts", post.reposts), ("replies", post.replies)):
        for level in range((value or 0).bit_length()):
            yield f"{count}:{level}"
    if post.likes or post.reposts or post.replies:
        yield "is:engagement"


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
    labels = match[1].removeprefix("www.")[-_HOST_LENGTH:].split(".")[-_LABELS:]
    domains = {".".join(labels[i:]) for i in range(len(labels) - 1)} or {labels[0]}
    path = [part.strip(".-")[:64] for part in _PARTS.split(lowered[match.end() :])][:20]
    return domains | set(labels) | {part for part in path if part}


def wanted_url_terms(value: str) -> list[str]:
    """The terms that a link must all have to match the value of `url:`."""
    bare = re.sub(r"^[a-z]+://(www\.)?", "", value.lower())
    return [part for part in (p.strip(".-")[:64] for p in _PARTS.split(bare)) if part]


def level_terms(count: str, n: int) -> Iterator[str]:
    """The index term that every post with at least `n` has: counts are indexed by powers of two."""
    if n > 0:
        yield f"{count}:{n.bit_length() - 1}"
