"""The searchable facts about a post besides its words: who, to whom, which language, what kind, which links.

Owns their spelling as index terms, shared by the index (`text_index.py`) and by the judgement of one post
(`query_eval.py`), so that the two cannot disagree. Knows nothing of queries.
"""

import re
from collections.abc import Iterator

from trinch.posts.schema import Post

_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^/@?#]*@)?([^/:?#]+)", re.ASCII)
_PARTS = re.compile(r"[^\w.%-]+|[_]")
_HOST_LENGTH, _LABELS = 253, 10
"""Characters of a host name (RFC 1035), and its parts that are indexed, the last ones."""

_LINKS = 20
"""Links of one post that are indexed; spam carries hundreds."""


def facets(post: Post) -> list[str]:
    """Terms `field:value` of a post, lower-case."""
    found = [f"net:{post.network}", f"lang:{post.lang}"]
    add = found.append
    for name in (post.author, post.author_id):
        if name:
            add(f"from:{name.lower()}")
    if post.reply_to_author:
        add(f"to:{post.reply_to_author.lower()}")
    if post.conversation_id and post.conversation_id != post.id:
        add(f"conversation:{post.conversation_id.lower()}")
    if post.quote_of:
        add(f"quoted:{post.quote_of.lower()}")
        add("is:quote")
    if post.reply_to:
        add("is:reply")
        if post.reply_to_author and post.reply_to_author.lower() in (
            post.author.lower(),
            post.author_id.lower(),
        ):
            add("is:self_thread")
    if post.repost_of:
        add("is:retweet")
    if post.author_verified:
        add("is:verified")
    if not post.sensitive:
        add("is:safe")
    for kind in set(post.media):
        add({"image": "is:images", "video": "is:videos", "gif": "is:videos"}.get(kind, f"is:{kind}"))
    if post.media:
        add("is:media")
    if post.urls or "http" in post.text:
        add("is:links")
        for url in post.urls[:_LINKS]:
            found += (f"url:{term}" for term in url_terms(url))
    text = post.text
    if post.tags or "#" in text:
        add("is:hashtags")
    if "$" in text:
        add("is:cashtags")
    if post.mentions or "@" in text:
        add("is:mentions")
        found += (f"mention:{name.lower()}" for name in mentions(post))
    for count, value in (("likes", post.likes), ("reposts", post.reposts), ("replies", post.replies)):
        if value:
            found += (f"{count}:{level}" for level in range(value.bit_length()))
    if post.likes or post.reposts or post.replies:
        add("is:engagement")
    return found


def mentions(post: Post) -> set[str]:
    """Handles spoken to or of, lower-case: those the source lists and those in the text."""
    written = re.findall(r"(?<!\w)@([\w.-]*\w)", post.text)
    return {name.lower() for name in (*post.mentions, *written)}


def url_terms(url: str) -> set[str]:
    """What a link is found under: its host and the domains above it, the words of host and path."""
    lowered = url.lower()
    match = _HOST.match(lowered)
    if not match:
        return set()
    labels = match[1].removeprefix("www.")[-_HOST_LENGTH:].split(".")[-_LABELS:]
    domains = {".".join(labels[i:]) for i in range(len(labels) - 1)} or {labels[0]}
    path = [part.strip(".-")[:64] for part in _PARTS.split(lowered[match.end() :])][:20]
    return domains | set(labels) | {part for part in path if part}


def wanted_url_terms(value: str) -> list[str]:
    """Terms that a link must all have to match what a person wrote behind `url:`."""
    bare = re.sub(r"^[a-z]+://(www\.)?", "", value.lower())
    return [part for part in (p.strip(".-")[:64] for p in _PARTS.split(bare)) if part]


def level_terms(count: str, n: int) -> Iterator[str]:
    """The index term that every post with at least `n` has: counts are indexed by powers of two."""
    if n > 0:
        yield f"{count}:{n.bit_length() - 1}"
