"""When an alert fires for the posts that it matches: at once for `match` and `denial`, by counts over time for `burst`.

`number`, `story` and `silence` only note here what matched; `clock.py` looks at them from time to time.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from trinch.alerts.types import MOST_POSTS, Alert, Firing
from trinch.answers.negation import denies
from trinch.answers.quantities import figures
from trinch.answers.spans import spans
from trinch.posts.schema import UNDATED, Post

PARTS = 6
"""Buckets of the window of a burst."""
WINDOWS = 24
"""Windows before, whose mean is the usual number of posts."""
FEWEST_WINDOWS = 2
"""Windows that must be known before a burst can be seen."""
USUAL = 0.5
"""Least number of posts that counts as usual."""
MOST_RECENT = 200
"""Matches that are remembered of an alert."""
MOST_REPORTS = 100
"""Posts with numbers that are remembered of an alert."""


class Match(NamedTuple):
    """A post that an alert matches."""

    key: str
    at: int
    """Time of the post; `UNDATED` without one."""
    post: Post


def post_key(post: Post) -> str:
    """The id of a post across networks: `network:id`."""
    return f"{post.network}:{post.id}"


class State(msgspec.Struct, omit_defaults=True):
    """What is remembered of an alert."""

    last_match: int = 0
    """When a match was acknowledged last."""
    newest: int = 0
    """Time of the newest match."""
    recent: list[str] = []
    """Keys of the last matches, so that an edit or a new count of a post is no other match."""
    due: bool = False
    """Whether `clock.py` has something to look at: what matched, or for `burst` the posts before the alert."""
    buckets: dict[int, int] = {}
    """`burst`: number of a bucket of time -> posts."""
    counted_from: int = 0
    """`burst`: time from which on all matches are counted; at first when the alert was made."""
    quiet_until: int = 0
    """`burst`: it does not fire again before."""
    reports: list[str] = []
    """`number`: keys of the last posts with numbers."""
    numbers: dict[str, float] = {}
    """`number`: quantity -> the value believed last."""
    stories: list[str] = []
    """`story`: ids of stories announced, and of their posts."""
    silent: bool = False
    """`silence`: fired since the last match."""


def fire(alert: Alert, state: State, found: Sequence[Match], clock: int) -> list[Firing]:
    """What fires for new matches; `state` takes note of them. `clock` is the time of their acknowledgement."""
    if alert.trigger == "match":
        return _named(alert, found, clock)
    if alert.trigger == "denial":
        return _denials(alert, found, clock)
    state.last_match, state.silent = clock, False
    state.recent = [*state.recent, *(one.key for one in found)][-MOST_RECENT:]
    state.newest = max(state.newest, *(one.at for one in found))
    match alert.trigger:
        case "burst":
            return _bursts(alert, state, found, clock)
        case "number":
            reporting = [one.key for one in found if figures(one.post.text)]
            state.reports = [*state.reports, *reporting][-MOST_REPORTS:]
            state.due = state.due or bool(reporting)
        case "story":
            state.due = True
    return []


def _firing(alert: Alert, found: Sequence[Match], clock: int, **more: object) -> Firing:
    """A firing about matches, of which the first are named."""
    posts = tuple(one.key for one in found[:MOST_POSTS])
    values: dict[str, Any] = {"posts": posts, "count": len(found)} | more
    return Firing(alert=alert.id, at=clock, kind=alert.trigger, **values)


def _named(
    alert: Alert, found: Sequence[Match], clock: int, quotes: Mapping[str, tuple[int, int]] | None = None
) -> list[Firing]:
    """Firings that name every match."""
    parts = [found[start : start + MOST_POSTS] for start in range(0, len(found), MOST_POSTS)]
    return [
        _firing(alert, part, clock, spans={one.key: quotes[one.key] for one in part} if quotes else {})
        for part in parts
    ]


def _denials(alert: Alert, found: Sequence[Match], clock: int) -> list[Firing]:
    """Firings for the posts of which a sentence denies something."""
    denying: list[Match] = []
    quoted: dict[str, tuple[int, int]] = {}
    for one in found:
        text = one.post.text
        span = next((span for span in spans(text) if denies(text[span.start : span.end])), None)
        if span is not None:
            denying.append(one)
            quoted[one.key] = (span.start, span.end)
    return _named(alert, denying, clock, quoted)


def bucket_width(alert: Alert) -> int:
    """Microseconds of a bucket of a burst."""
    return max(1, alert.window_micros // PARTS)


def add_history(alert: Alert, state: State, times: Sequence[int]) -> None:
    """Count the matches that were posted before a new alert, so that it knows what is usual."""
    width = bucket_width(alert)
    for at in times:
        state.buckets[at // width] = state.buckets.get(at // width, 0) + 1
    state.counted_from = min(state.counted_from, history_start(alert))


def history_start(alert: Alert) -> int:
    """From when on the posts before a new alert are counted."""
    return alert.created - (WINDOWS + 1) * alert.window_micros


def _bursts(alert: Alert, state: State, found: Sequence[Match], clock: int) -> list[Firing]:
    """A firing where the window that ends with the newest match holds many more posts than those before."""
    width = bucket_width(alert)
    times = [clock if one.at == UNDATED else one.at for one in found]
    for at in times:
        state.buckets[at // width] = state.buckets.get(at // width, 0) + 1
    state.counted_from = min(state.counted_from, *times)
    newest = max(state.buckets)
    state.buckets = {b: n for b, n in state.buckets.items() if b > newest - PARTS * (WINDOWS + 1)}
    posts = sum(n for bucket, n in state.buckets.items() if bucket > newest - PARTS)
    before = sum(state.buckets.values()) - posts
    known = min(WINDOWS, ((newest - PARTS + 1) * width - state.counted_from) / alert.window_micros)
    if known < FEWEST_WINDOWS or max(times) < state.quiet_until:
        return []
    usual = before / known
    if posts < alert.least or posts < alert.factor * max(usual, USUAL):
        return []
    state.quiet_until = max(times) + alert.window_micros
    facts = {"usual": round(usual, 1), "window": alert.window}
    named = [one for one, at in zip(found, times, strict=True) if at // width > newest - PARTS]
    return [_firing(alert, named, clock, count=posts, facts=facts)]
