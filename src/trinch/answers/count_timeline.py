"""A number that moves while people post about it: which state is the newest that can be believed.

Owns the curve of one quantity (the dead, the injured, ...) and the choice of its present value. What each rule is for:

- a report is as old as its first copy, so a repost of an old number never looks new;
- a number is believed when two independent sources say it or numbers close to it; one source alone is believed
  only where it continues the rise (`STEP`, more on the first day, when counts double within hours);
- the newest number believed wins over bigger and over oftener repeated ones; a fall (a count corrected) needs
  three sources, and is refused where it would drop below `COLLAPSE` of what was known: that is another event;
- nobody is a count too ("no one still missing"): of the missing it may come last;
- "over 500" and "nears 600" support exact numbers near them and stand for themselves only without one;
- "500 feared dead" supports nothing, and is used only where nothing else was said.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.answers.evidence import PostGroup
from trinch.answers.quantities import Figure
from trinch.answers.spans import Span
from trinch.posts.text import fold, tokens

HOUR = 3_600_000_000

STEP = 1.15
FIRST_STEP = 1.3
FIRST = 24 * HOUR
LEAP, FIRST_LEAP = 2.0, 10.0
"""A rise by more than this factor, after and on the first day, needs five sources."""
COLLAPSE = 0.05
CORRECTED, FOUND = 3, 2
"""Reports that correct a count downwards, and those from which on fewer are missing."""
RETURN = 3
CLOSE = 0.05
"""Numbers that differ by less are one state of a moving count, when reported within `TOGETHER`."""
TOGETHER = 8 * HOUR
QUIET = 14 * 24 * HOUR
"""A silence this long parts two happenings."""


class Report(NamedTuple):
    """One source stating one figure."""

    source: PostGroup
    span: Span
    figure: Figure
    about: float


class CountState(NamedTuple):
    value: float
    firm: str
    since: int
    """When it was first reported."""
    latest: int
    reports: tuple[Report, ...]
    """Those that state this very value, earliest first."""
    support: float
    """Independent sources that state it or a number close to it at about the time."""


def agrees(figure: Figure, value: float) -> bool:
    """Whether a figure can be said of a count whose value is `value`."""
    if figure.firm == "over":
        return figure.value <= value <= 1.2 * figure.value
    if figure.firm in ("near", "feared") or (figure.value >= 100 and figure.value % 50 == 0):
        return 0.92 * figure.value <= value <= 1.08 * figure.value
    return abs(figure.value - value) < 0.5


def _is_close(figure: Figure, value: float) -> bool:
    """Whether a figure may be the same count, seen a little earlier or later."""
    return figure.firm == "exact" and abs(figure.value - value) <= CLOSE * value


def _corroborates(report: Report, value: float, since: int) -> bool:
    if abs(report.source.first - since) > TOGETHER:
        return False
    figure = report.figure
    if figure.firm == "feared":
        return False
    return _is_close(figure, value) or (figure.firm != "exact" and agrees(figure, value))


def states(reports: Iterable[Report]) -> list[CountState]:
    """Group the reports of one quantity by value, in order of first report (ties: smaller value first)."""
    ordered = sorted(reports, key=lambda r: (r.source.first, r.figure.value, r.source.best.post.id))
    groups: dict[tuple[float, str], list[Report]] = {}
    for report in ordered:
        groups.setdefault((report.figure.value, report.figure.firm), []).append(report)
    result = []
    for (value, firm), group in groups.items():
        since = group[0].source.first
        support = sum(_corroborates(r, value, since) for r in ordered)
        support += sum(1 for r in group if abs(r.source.first - since) > TOGETHER)
        result.append(CountState(value, firm, since, group[-1].source.first, tuple(group), float(support)))
    return sorted(result, key=lambda s: (s.since, s.value))


def episode(reports: Sequence[Report]) -> list[Report]:
    """The reports of one happening: those not parted by `QUIET`. Of several, the last that at least three sources
    speak of; else the one most speak of, the last among equals."""
    ordered = sorted(reports, key=lambda r: (r.source.first, r.source.best.post.id))
    episodes: list[list[Report]] = []
    for report in ordered:
        if not episodes or report.source.first - episodes[-1][-1].source.first > QUIET:
            episodes.append([])
        episodes[-1].append(report)
    reported = [group for group in episodes if len(group) >= 3]
    return reported[-1] if reported else max(reversed(episodes), key=len, default=[])


def curve(reports: Sequence[Report]) -> list[CountState]:
    """The states believed one after the other; the last one is the present state. Empty without reports."""
    counting = [report for report in reports if report.figure.value]
    believed = _course(counting)
    if len(counting) == len(reports):
        return believed
    none = _none(reports, believed)
    if none is None:
        return believed or states(reports)[-1:]
    return [*believed, none] if believed and believed[-1].support >= 2 else [none]


def _none(reports: Sequence[Report], believed: Sequence[CountState]) -> CountState | None:
    """The state in which nobody is counted, if it is the present one: two sources, or one by a verified author, say so,
    and no more say otherwise since. The missing may become none; of the dead none are counted only at first."""
    now = believed[-1] if believed else None
    if now and now.support >= 2 and reports[0].figure.quantity != "missing":
        return None
    since = now.since if now else 0
    saying = sorted(
        (r for r in episode(reports) if not r.figure.value and r.source.first >= since),
        key=lambda r: (r.source.first, r.source.best.post.id),
    )
    if len(saying) < 2 and not any(r.source.best.post.author_verified for r in saying):
        return None
    first = saying[0].source.first
    if sum(r.figure.value > 0 and r.source.first > first for r in reports) > len(saying):
        return None
    return CountState(0.0, "exact", first, saying[-1].source.first, tuple(saying), float(max(len(saying), 2)))


def _course(reports: Sequence[Report]) -> list[CountState]:
    """The same of reports that each count somebody."""
    every = states(episode(reports))
    if not every:
        return []
    start = every[0].since
    believed: list[CountState] = []
    for state in every:
        if believed and (back := _revived(every, believed[-1], state.since)):
            believed.append(back)
        if not believed:
            if state.support >= 2:
                believed.append(state)
        elif _believed(state, believed[-1], start, every):
            believed.append(state)
    if not believed:
        # Nobody agrees with anybody: the number most said, the newest among equals.
        return [max(every, key=lambda s: (len(s.reports), s.since, s.value))]
    if back := _revived(every, believed[-1], every[-1].since + QUIET):
        believed.append(back)
    return believed


def _revived(every: Sequence[CountState], now: CountState, until: int) -> CountState | None:
    """An older number that many sources went on reporting after a doubtful one replaced it, as a state of its own.

    A higher one returns with `RETURN` fresh reports and more than the present one has; a lower one, since slow
    outlets repeat low numbers for hours, needs three times as many of each.
    """
    reported = sorted((r for s in every for r in s.reports), key=lambda r: r.source.first)
    reported = [r for r in reported if now.since < r.source.first <= until]
    for state in reversed(every):
        if state.since > now.since or state.value == now.value or state.firm != "exact":
            continue
        factor = 1 if state.value > now.value else 3
        returned = kept = 0
        for place in range(len(reported) - 1, -1, -1):  # since some moment, ever longer ago
            returned += _is_close(reported[place].figure, state.value)
            kept += agrees(reported[place].figure, now.value)
            if returned >= RETURN * factor and returned > kept * factor:
                fresh = tuple(r for r in reported[place:] if _is_close(r.figure, state.value))
                first, last = fresh[0].source.first, fresh[-1].source.first
                return CountState(state.value, state.firm, first, last, fresh, float(returned))
    return None


def _believed(state: CountState, now: CountState, start: int, every: Sequence[CountState]) -> bool:
    if state.value != now.value and any(agrees(r.figure, now.value) for r in state.reports):
        return False  # rounder than what is known, and no news
    if state.firm == "feared" or (state.firm == "near" and state.value <= now.value):
        return False
    ratio = state.value / now.value if now.value else float("inf")
    if ratio >= 1:
        early = state.since - start <= FIRST
        if ratio <= (FIRST_STEP if early else STEP) and state.firm != "near" and _prevails(state, now, every):
            return True
        return state.support >= (2 if ratio <= (FIRST_LEAP if early else LEAP) else 5) and (
            ratio <= LEAP or _prevails(state, now, every)
        )
    # Only numbers never heard before can correct a count; slow outlets repeat old ones for days.
    correcting = sum(
        len(other.reports)
        for other in every
        if other.since > now.since
        and other.firm == "exact"
        and abs(other.value - state.value) <= CLOSE * state.value
    )
    falls = (
        state.reports[0].figure.quantity == "missing"
    )  # the missing are found: their number falls by itself
    enough = correcting >= (FOUND if falls else CORRECTED) or _is_corrected(state)
    return ratio >= COLLAPSE and state.firm == "exact" and enough and _prevails(state, now, every)


def _is_corrected(state: CountState) -> bool:
    """Whether somebody verified, or two others, give a number as a correction or as the last."""
    said = [
        r for r in state.reports if not lexicon.CORRECTING.isdisjoint(tokens(fold(r.source.best.post.text)))
    ]
    return len(said) >= 2 or any(r.source.best.post.author_verified for r in said)


def _prevails(state: CountState, now: CountState, every: Sequence[CountState]) -> bool:
    """Whether, since a number came up, at least half as many say it, or go beyond it, as go on saying the old one.

    A real jump or correction is taken up; another event's number ("30 killed in Kabul") is not.
    """
    fresh = [r for other in every for r in other.reports if r.source.first >= state.since]
    new = sum(
        agrees(r.figure, state.value)
        or _is_close(r.figure, state.value)
        or (r.figure.firm != "feared" and now.value < state.value <= r.figure.value <= LEAP * state.value)
        for r in fresh
    )
    old = sum(agrees(r.figure, now.value) or _is_close(r.figure, now.value) for r in fresh)
    return new >= 0.5 * old
