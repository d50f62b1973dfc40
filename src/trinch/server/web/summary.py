"""What the page knows of the store before a request: its time span, networks, languages and frequent tags."""

import asyncio
import re
import time
from typing import Any

from trinch.posts.times import iso
from trinch.server.workers.worker_pool import WorkerPool
from trinch.service.search import search
from trinch.store.store import Store

SECONDS = 15.0
"""Time for which a summary is cached."""


class CachedSummary:
    """The summary of one store, one query for all requests at once."""

    def __init__(self) -> None:
        self._found: tuple[float, dict[str, Any]] | None = None
        self._lock = asyncio.Lock()

    async def get(self, pool: WorkerPool) -> dict[str, Any]:
        """`{posts, first, newest, networks, languages, tags}`. Raises Problem where the server is too busy."""
        async with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > SECONDS:
                self._found = time.monotonic(), await pool.run(summarize)
            return self._found[1]


def summarize(store: Store) -> dict[str, Any]:
    """The summary now. `first` is the first day, `newest` the time of the newest post; null in an empty store."""
    days = store.days()
    newest = search(store, "", limit=1, sort="latest").hits
    return {
        "posts": store.num_posts,
        "first": f"{min(days)}T00:00:00Z" if days else None,
        "newest": iso(newest[0].at) if newest else None,
        "networks": store.log.num_posts_by("network"),
        "languages": store.log.num_posts_by("lang"),
        "tags": _tags(store),
    }


def _tags(store: Store) -> list[str]:
    """The most frequent tags. The index may still count deleted posts: a tag needs three visible ones."""
    tags = []
    for tag in store.common_tags(8):
        texts = [hit.post.text for hit in search(store, tag, limit=3, sort="latest").hits]
        found = re.search(re.escape(tag) + r"\b", texts[0], re.IGNORECASE) if len(texts) == 3 else None
        if found:
            tags.append(found.group())
    return tags[:5]
