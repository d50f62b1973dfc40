"""Stories, one story and trends as the JSON of docs/api.md; every front end calls these functions."""

import re
import time
from typing import Any

import msgspec

from trinch.answers.render import rfc3339
from trinch.answers.types import Claim
from trinch.errors import TrinchError
from trinch.posts.times import now
from trinch.service.serialize import post_key, safe_url, visible_keys
from trinch.store.budget import Budget
from trinch.store.store import Store
from trinch.stories import detect, timeline
from trinch.stories import trends as trending
from trinch.stories.term_index import Only, Progress, TermIndex
from trinch.stories.types import Kind, Story

WINDOW = "24h"
SHORTEST, LONGEST = 15 * 60 * 1_000_000, 31 * 24 * 3600 * 1_000_000
_UNITS = {"m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 7 * 86_400_000_000}


class WindowError(TrinchError, ValueError):
    """A window of time that cannot be read, or that is too short or too long."""


def parse_window(text: str) -> int:
    """Microseconds of `90m`, `24h`, `7d` or `2w`. Raises WindowError."""
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip().lower())
    if match is None:
        raise WindowError(f"cannot read the window {text!r}: write a number and m, h, d or w, such as 24h")
    length = int(match[1]) * _UNITS[match[2]]
    if not SHORTEST <= length <= LONGEST:
        raise WindowError(f"the window {text!r} is not between 15m and 31d")
    return length


def catch_up(store: Store, progress: Progress | None = None) -> None:
    """Bring the index of terms up to date, however long that takes; a request does so within a budget only."""
    index = TermIndex(store.data, store.log)
    index.catch_up(progress=progress)
    index.close()


def stories_json(
    store: Store,
    as_of: int | None = None,
    window: str = WINDOW,
    limit: int = 10,
    about: str = "",
    lang: str = "",
    network: str = "",
) -> dict[str, Any]:
    """The leading stories of a window; with `lang` or `network`, those of its posts alone. Raises WindowError, and
    QueryError for `about`."""
    started, moment, length = time.perf_counter(), now() if as_of is None else as_of, parse_window(window)
    with store.within(Budget()) as budget:
        found = detect.stories(
            store, moment, length, limit=limit, about=about, only=Only(lang.lower(), network.lower())
        )
    shown = [story_fields(story) for story in found]
    return {
        "as_of": rfc3339(moment),
        "window": window,
        "about": about,
        "lang": lang,
        "network": network,
        "stories": [story for story in (recheck(store, story) for story in shown) if story],
        "partial": budget.is_used_up,
        "took_ms": round((time.perf_counter() - started) * 1000, 1),
    }


def story_json(store: Store, id: str, as_of: int | None = None) -> dict[str, Any] | None:
    """One story with its timeline; None where there is none of this id as of that time."""
    moment = now() if as_of is None else as_of
    found = timeline.story(store, id, moment)
    if found is None:
        return None
    story = recheck(store, story_fields(found[0]))
    if story is None:
        return None
    lines = [{"at": rfc3339(line.at), "posts": line.posts} | claim_json(line.claim) for line in found[1]]
    visible = visible_citations(store, lines)
    return story | {
        "as_of": rfc3339(moment),
        "timeline": [line for line in lines if is_shown(line, visible)],
    }


def trends_json(
    store: Store,
    as_of: int | None = None,
    window: str = WINDOW,
    limit: int = 20,
    kind: Kind | None = None,
    lang: str = "",
    network: str = "",
) -> dict[str, Any]:
    """What rose most in a window, with the stories behind; with `lang` or `network`, among its posts alone. Raises
    WindowError."""
    started, moment, length = time.perf_counter(), now() if as_of is None else as_of, parse_window(window)
    with store.within(Budget()) as budget:
        found = trending.trends(
            store, moment, length, limit=limit, kind=kind, only=Only(lang.lower(), network.lower())
        )
    return {
        "as_of": rfc3339(moment),
        "window": window,
        "lang": lang,
        "network": network,
        "trends": [
            msgspec.structs.asdict(trend) | {"story": trend.story or None, "headline": trend.headline or None}
            for trend in found
        ],
        "partial": budget.is_used_up,
        "took_ms": round((time.perf_counter() - started) * 1000, 1),
    }


def story_fields(story: Story) -> dict[str, Any]:
    """A story as JSON, without its timeline."""
    shown = msgspec.structs.asdict(story)
    headline = claim_json(story.headline)
    return shown | {
        "headline": headline["text"],
        "citations": headline["citations"],
        "summary": [claim_json(claim) for claim in story.summary],
        "since": rfc3339(story.since),
        "first_seen": rfc3339(story.first_seen),
        "last_seen": rfc3339(story.last_seen),
    }


def claim_json(claim: Claim) -> dict[str, Any]:
    """A quote with its citations as JSON."""
    citations = [
        {
            "key": post_key(citation.network, citation.id),
            "id": citation.id,
            "network": citation.network,
            "url": safe_url(citation.url),
            "author": citation.author,
            "created_at": None if citation.created_at is None else rfc3339(citation.created_at),
            "at": rfc3339(citation.at),
            "quote": citation.quote,
            "start": citation.start,
            "end": citation.end,
        }
        for citation in claim.citations
    ]
    return {
        "text": claim.text,
        "as_of": rfc3339(claim.as_of),
        "authors": claim.authors,
        "posts": claim.posts,
        "citations": citations,
    }


def recheck(store: Store, story: dict[str, Any]) -> dict[str, Any] | None:
    """The story without the quotes of posts that were deleted or hidden while it was made; None without its headline."""
    visible = visible_citations(store, [story, *story["summary"]])
    if not is_shown(story, visible):
        return None
    return story | {"summary": [point for point in story["summary"] if is_shown(point, visible)]}


def visible_citations(store: Store, quoted: list[dict[str, Any]]) -> set[str]:
    """The keys of the posts cited by some quotes that are visible now."""
    return set(visible_keys(store, [c["key"] for item in quoted for c in item["citations"]], None))


def is_shown(quoted: dict[str, Any], visible: set[str]) -> bool:
    """Whether all posts that a quote cites are among the visible ones."""
    return all(citation["key"] in visible for citation in quoted["citations"])
