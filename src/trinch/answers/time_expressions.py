"""Time words of a question, as an interval relative to the moment it is asked for.

Owns dates and durations in English, French, Spanish, German, Italian and Portuguese.
Days are UTC days. Times are integer microseconds since 1970.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from trinch.answers import lexicon
from trinch.posts.text import fold

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_UNIT = {
    word: unit
    for lang in lexicon.COMPLETE
    for unit in ("minute", "hour", "day", "week", "month", "year")
    for word in lexicon.LANGUAGES[lang]["time"][unit].split()
}
_LENGTH = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}
_MONTHS = {
    word: number
    for lang in lexicon.COMPLETE
    for number, names in enumerate(lexicon.LANGUAGES[lang]["time"]["months"], start=1)
    for word in names.split()
}
_WEEKDAYS = {
    word: number
    for lang in lexicon.COMPLETE
    for number, word in enumerate(lexicon.LANGUAGES[lang]["time"]["weekdays"].split())
}


def _any(key: str) -> str:
    """The alternatives under one key of all languages, longest first."""
    found = {part for lang in lexicon.COMPLETE for part in lexicon.LANGUAGES[lang]["time"][key].split("|")}
    return "(?:" + "|".join(sorted(found, key=lambda part: (-len(part), part))) + ")"


_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_U = "|".join(sorted(_UNIT, key=len, reverse=True))
_ARTICLE = r"(?:the\s+|l[ae]s?\s+|des\s+|los\s+|den\s+|gli\s+|[ao]s\s+)?"
_LAST = rf"(?:{_any('last_lead')}\s+)?{_ARTICLE}"
_PAST = (
    "(?:"
    + "|".join(word for lang in lexicon.COMPLETE for word in lexicon.LANGUAGES[lang]["time"]["past"].split())
    + ")"
)
_DAY = rf"(?:{_any('day_lead')}\s+)*"

_SINCE = rf"\b{_any('since')}\s+(?:the\s+|le\s+|el\s+)?"
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("sincemorning", re.compile(rf"{_SINCE}{_any('morning')}\b")),
    ("sincenight", re.compile(rf"{_SINCE}{_any('night')}\b")),
    ("sinceyesterday", re.compile(rf"{_SINCE}{_any('yesterday')}\b")),
    ("sinceweekday", re.compile(rf"{_SINCE}({'|'.join(sorted(_WEEKDAYS, key=len, reverse=True))})\b")),
    ("last", re.compile(rf"\b{_LAST}{_PAST}\s+(\d+)\s+({_U})\b")),
    ("last", re.compile(rf"\b{_LAST}(\d+)\s+{_PAST}\s+({_U})\b")),
    ("last", re.compile(rf"\b(?:the\s+|la\s+|l')?{_PAST}()\s+({_U})\b")),
    ("iso", re.compile(rf"\b{_DAY}(\d{{4}})-(\d{{2}})-(\d{{2}})\b")),
    (
        "dmy",
        re.compile(
            rf"\b{_DAY}(\d{{1,2}})(?:st|nd|rd|th|er|\.)?\s+(?:of\s+|de\s+)?({_MONTH})\b(?:,?\s+(?:de\s+)?(\d{{4}})\b)?"
        ),
    ),
    ("mdy", re.compile(rf"\b(?:on\s+)?({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?")),
    ("my", re.compile(rf"\b{_any('month_lead')}\s+({_MONTH})\b(?:\s+(?:de\s+)?(\d{{4}})\b)?")),
    ("my", re.compile(rf"\b({_MONTH})\s+(?:de\s+)?(\d{{4}})\b")),
    ("lastnight", re.compile(rf"\b{_any('night')}\b")),
    ("yesterday", re.compile(rf"\b{_any('yesterday')}\b")),
    ("today", re.compile(rf"\b{_any('today')}\b")),
    ("thisweek", re.compile(rf"\b{_any('this_week')}\b")),
    ("thismonth", re.compile(rf"\b{_any('this_month')}\b")),
    (
        "year",
        re.compile(rf"(?<!\w)(?:{_any('year_lead')}\s+)?((?:19|20|21)\d{{2}})\b(?![-/.,]\d)"),
    ),
)


class Period(NamedTuple):
    since: int
    until: int
    """Exclusive."""
    rest: str
    """The folded question without its time words."""
    year: str = ""
    """Set where the period is a bare year, which may also be part of a name ("the 1998 world cup")."""


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _month(year: int, month: int) -> tuple[datetime, datetime]:
    following = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return datetime(year, month, 1, tzinfo=UTC), following


def _relative(kind: str, found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    """The interval of words that need no number; None for the other kinds."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    back = (now.weekday() - _WEEKDAYS[found[1]]) % 7 or 7 if kind == "sinceweekday" else 0
    moments = {
        "yesterday": (midnight - day, midnight),
        "lastnight": (midnight - timedelta(hours=6), midnight + timedelta(hours=12)),
        "today": (midnight, midnight + day),
        "thisweek": (midnight - now.weekday() * day, midnight + day),
        "thismonth": (midnight.replace(day=1), midnight + day),
        "sincemorning": (midnight + timedelta(hours=5), midnight + day),
        "sincenight": (midnight - timedelta(hours=6), midnight + day),
        "sinceyesterday": (midnight - day, midnight + day),
        "sinceweekday": (midnight - back * day, midnight + day),
    }
    return moments.get(kind)


def _interval(kind: str, found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    if kind == "last":
        return now - int(found[1] or 1) * _LENGTH[_UNIT[found[2]]], now
    if relative := _relative(kind, found, now):
        return relative
    day = timedelta(days=1)
    if kind == "year":
        start = datetime(int(found[1]), 1, 1, tzinfo=UTC)
        return start, start.replace(year=start.year + 1)
    if kind == "iso":
        start = datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC)
        return start, start + day
    if kind == "my":
        month, given = _MONTHS[found[1]], found[2]
        return _month(int(given) if given else now.year - (month > now.month), month)
    date, name = (found[1], found[2]) if kind == "dmy" else (found[2], found[1])
    month, given = _MONTHS[name], found[3]
    start = datetime(int(given) if given else now.year, month, int(date), tzinfo=UTC)
    if not given and start > now:
        start = start.replace(year=now.year - 1)
    return start, start + day


def period(question: str, as_of: int) -> Period | None:
    """The interval a question speaks of, or None. A month or day without a year is the last one before `as_of`."""
    text = fold(question)
    try:
        now = EPOCH + timedelta(microseconds=as_of)
    except OverflowError:
        return None
    for kind, pattern in _PATTERNS:
        found = pattern.search(text)
        if not found:
            continue
        try:
            interval = _interval(kind, found, now)
        except (ValueError, OverflowError):  # 31 April, 10^9 years ago
            continue
        if interval:
            rest = text[: found.start()] + " " + text[found.end() :]
            year = found[1] if kind == "year" else ""
            return Period(_us(interval[0]), _us(interval[1]), rest, year)
    return None
