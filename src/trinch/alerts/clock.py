"""Triggers that do not follow from one post: a number that moved, a new story, silence.

The consumer notes what matched; the functions here look at it from time to time, in turn, so that none of them holds up
the log.
"""

from collections.abc import Callable, Sequence
from typing import Any

from trinch.alerts.triggers import State, history_start, post_key
from trinch.alerts.types import Alert, Firing
from trinch.answers.count_timeline import CountState, Report, curve
from trinch.answers.evidence import collapse
from trinch.answers.quantities import figures
from trinch.answers.spans import Span, spans
from trinch.posts.times import now
from trinch.store.budget import Budget
from trinch.store.pages import scan
from trinch.store.query import joined
from trinch.store.store import Store

FindStories = Callable[[Store, int, str, str], Sequence[dict[str, Any]]]
"""The stories as of a time (microseconds) within a window (`24h`) about a query, as JSON."""

HISTORY_MS = 1000.0
"""CPU time in milliseconds to find the matches before a new alert."""
SUPPORT = 2
"""Independent sources of a number, where none was believed before."""
KNOWN_STORIES = 2000
"""Ids of stories and of their posts that are remembered of an alert."""
SAME_STORY = 1 / 3
"""A story of which this share of posts was announced is not new, whatever its id is now."""


def number(store: Store, alert: Alert, state: State) -> list[Firing]:
    """What fires because the believed value of a quantity changed (`answers/count_timeline.py`)."""
    hits = [hit for key in state.reports if (hit := store.get(key))]
    reports: dict[str, list[Report]] = {}
    for group in collapse(hits):
        for figure in figures(group.best.post.text):
            span = _sentence(group.best, figure.start)
            reports.setdefault(figure.quantity, []).append(Report(group, span, figure, 1.0))
    fired: list[Firing] = []
    for quantity, found in sorted(reports.items()):
        line = curve(found)
        value = _believed(line)
        before = state.numbers.get(quantity)
        if value is not None and value.value != before:
            state.numbers[quantity] = value.value
            fired.append(_moved(alert, quantity, before, value))
    return fired


def _believed(line: Sequence[CountState]) -> CountState | None:
    """The last state, unless nobody but one source ever said it."""
    if not line or (len(line) == 1 and line[-1].support < SUPPORT):
        return None
    return line[-1]


def _moved(alert: Alert, quantity: str, before: float | None, value: CountState) -> Firing:
    named = {post_key(report.source.best.post): report.span for report in value.reports[-3:]}
    return Firing(
        alert=alert.id,
        at=now(),
        kind="number",
        posts=tuple(named),
        count=len(value.reports),
        spans={key: (span.start, span.end) for key, span in named.items()},
        facts={"quantity": quantity, "before": before, "value": value.value},
    )


def _sentence(hit: Any, place: int) -> Span:
    """The sentence of a post around a place; the whole text where no sentence can be quoted."""
    text = hit.post.text
    found = next((span for span in spans(text) if span.start <= place < span.end), None)
    return found or Span(0, len(text), False)


def story(store: Store, alert: Alert, state: State, find: FindStories) -> list[Firing]:
    """What fires for stories about the query that were not announced. Window and time are those of the newest match."""
    known = set(state.stories)
    fired: list[Firing] = []
    for found in find(store, min(state.newest + 1, now()), alert.window, alert.query):
        if found["id"] in known or not found["citations"]:
            continue
        keys = [citation["key"] for citation in found["citations"]]
        posts = set(found["post_ids"])
        is_new = len(posts & known) < SAME_STORY * len(posts)
        state.stories = [*state.stories, found["id"], *posts][-KNOWN_STORIES:]
        if is_new:
            spans_of = {c["key"]: (c["start"], c["end"]) for c in found["citations"]}
            facts = {"story": found["id"], "posts": found["posts"]}
            fired.append(
                Firing(
                    alert=alert.id, at=now(), kind="story", posts=tuple(keys[:3]), count=found["posts"],
                    spans=spans_of, facts=facts,
                )
            )  # fmt: skip
    return fired


def history(store: Store, alert: Alert) -> list[int] | None:
    """Times of the matches before a new alert for bursts; None where it takes too long to find them."""
    query = joined(alert.query, f"since_time:{history_start(alert) // 1_000_000}")
    with store.within(Budget(HISTORY_MS)) as budget:
        times = [hit.at for hit in scan(store, query) if hit.seq <= alert.after]
    return None if budget.is_used_up else times


def silence(alert: Alert, state: State, clock: int) -> list[Firing]:
    """What fires because nothing matched for the window."""
    since = max(state.last_match, alert.created)
    if state.silent or clock - since < alert.window_micros:
        return []
    state.silent = True
    return [Firing(alert=alert.id, at=clock, kind="silence", facts={"since": since, "window": alert.window})]
