"""Briefs as the JSON of docs/api.md, and as Markdown, HTML or e-mail: what happened since a time, each line cited."""

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from trinch.answers.render import rfc3339
from trinch.answers.time_expressions import period
from trinch.errors import TrinchError
from trinch.posts.times import iso, now
from trinch.service import ask, brief_text
from trinch.service.limits import answer_budget
from trinch.service.stories import (
    LONGEST,
    SHORTEST,
    claim_json,
    is_shown,
    parse_window,
    story_fields,
    visible_citations,
)
from trinch.store.query import QueryError, parse_time
from trinch.store.store import Store
from trinch.stories.brief import Entry, brief

SINCE = "yesterday"
LIMIT = 8
"""Stories of a topic."""
MOST_TOPICS, LONGEST_TOPIC = 30, 200
Format = Literal["md", "html", "email"]


class BriefError(TrinchError, ValueError):
    """A time or a topic of a brief that cannot be used."""


def parse_since(text: str, as_of: int) -> int:
    """The beginning of a brief, in microseconds: `yesterday` (its midnight, UTC), `monday`, `24h`, a date or a time, the
    words for them in the languages of questions. Raises BriefError."""
    text = text.strip()
    if re.fullmatch(r"-?\d+[mhdw]", text.lower()):
        since = as_of - parse_window(text.lstrip("-"))
    elif re.match(r"\d{4}-\d\d-\d\d", text):
        since = _moment(text)
    else:  # words count from `as_of`, not from now
        named = period(f"since {text}", as_of) or period(text, as_of)
        since = named.since if named else _moment(text)
    if not SHORTEST <= as_of - since <= LONGEST:
        raise BriefError(f"a brief since {text!r} would not cover between 15 minutes and 31 days")
    return since


def _moment(text: str) -> int:
    try:
        return parse_time(text)
    except ValueError:
        raise BriefError(
            f"cannot read the time {text!r}: write yesterday, monday, 24h, 2026-05-12 or 2026-05-12T18:00Z"
        ) from None


def brief_json(
    store: Store,
    topics: Sequence[str] = (),
    since: str = SINCE,
    as_of: int | None = None,
    limit: int = LIMIT,
    format: Format | None = None,
) -> dict[str, Any]:
    """What happened since a time, by topic, and what of it is new since then. With a `format`, `text` holds it written out.

    The same request, time and store give the same brief; no language model is asked. Raises BriefError, WindowError,
    and QueryError for a topic."""
    started, moment = time.perf_counter(), now() if as_of is None else as_of
    wanted, start = _checked(topics), parse_since(since, moment)
    with store.within(answer_budget()) as budget:
        found = brief(store, moment, start, wanted, limit)
        sections = [
            {
                "topic": section.topic,
                "stories": [_entry_json(entry) for entry in section.entries],
                "quotes": []
                if section.entries or not section.topic
                else _quotes(store, section.topic, start, moment),
            }
            for section in found.sections
        ]
    shown = {
        "as_of": rfc3339(moment),
        "since": rfc3339(start),
        "topics": sections,
        "ended": [story_fields(story) | {"summary": []} for story in found.ended],
        "partial": budget.is_used_up,
    }
    shown = _rechecked(store, shown)
    written = {"text": brief_text.FORMATS[format](shown)} if format else {}
    return shown | written | {"took_ms": round((time.perf_counter() - started) * 1000, 1)}


def _checked(topics: Sequence[str]) -> list[str]:
    """The topics without repetitions. Raises BriefError."""
    wanted = list(dict.fromkeys(" ".join(topic.split()) for topic in topics if topic.strip()))
    if len(wanted) > MOST_TOPICS:
        raise BriefError(f"{len(wanted)} topics are more than {MOST_TOPICS}, which a brief may have")
    for topic in wanted:
        if len(topic) > LONGEST_TOPIC:
            raise BriefError(f"the topic {topic[:40]!r}… is longer than {LONGEST_TOPIC} characters")
    return wanted


def _entry_json(entry: Entry) -> dict[str, Any]:
    return story_fields(entry.story) | {
        "change": "new" if entry.is_new else "continued",
        "developments": [
            {"at": rfc3339(line.at), "posts": line.posts} | claim_json(line.claim)
            for line in entry.developments
        ],
    }


def _quotes(store: Store, topic: str, since: int, as_of: int) -> list[dict[str, Any]]:
    """What posts say of a topic that no story is about, by the machinery of answers."""
    try:
        request = ask.interpret(topic, where=f"since:{iso(since)}", as_of=as_of)
        given = ask.answer(store, request)
    except (ask.QuestionError, QueryError):
        return []
    usable = given.outcome in ("answer", "conflicting") and given.task not in ("trends", "brief")
    return [claim_json(claim) for claim in given.claims] if usable else []


def _rechecked(store: Store, shown: dict[str, Any]) -> dict[str, Any]:
    """The brief without the quotes of posts that were deleted or hidden while it was made."""
    visible = visible_citations(store, list(_quoted(shown)))

    def kept(quoted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [one for one in quoted if is_shown(one, visible)]

    def story(one: dict[str, Any]) -> dict[str, Any]:
        return one | {key: kept(one[key]) for key in ("summary", "developments") if key in one}

    topics = [
        section
        | {"stories": [story(one) for one in kept(section["stories"])], "quotes": kept(section["quotes"])}
        for section in shown["topics"]
    ]
    return shown | {"topics": topics, "ended": kept(shown["ended"])}


def _quoted(shown: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for section in shown["topics"]:
        yield from section["quotes"]
        for story in section["stories"]:
            yield from (story, *story["summary"], *story["developments"])
    yield from shown["ended"]
