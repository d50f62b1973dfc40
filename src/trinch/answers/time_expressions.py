"""Time words of a question, as an interval relative to the moment it is asked for.

Owns dates and durations in English, French, Spanish, German, Italian and Portuguese. Knows nothing of posts.
Days are UTC days. Times are integer microseconds since 1970.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from trinch.posts.text import fold

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_UNITS = {
    "minute": "minute minutes min mins minuto minutos minuten minuti",
    "hour": "hour hours hr hrs heure heures hora horas stunde stunden ora ore h",
    "day": "day days jour jours dia dias tag tage tagen giorno giorni",
    "week": "week weeks semaine semaines semana semanas woche wochen settimana settimane",
    "month": "month months mois mes meses monat monate monaten mese mesi",
    "year": "year years an ans annee annees ano anos jahr jahre jahren anno anni",
}
_UNIT = {word: unit for unit, words in _UNITS.items() for word in words.split()}
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
    for number, words in enumerate(
        (
            "january jan janvier enero januar gennaio janeiro",
            "february feb fevrier febrero februar febbraio fevereiro",
            "march mars marzo marz marco",
            "april apr avril abril aprile",
            "may mai mayo maggio maio",
            "june jun juin junio juni giugno junho",
            "july jul juillet julio juli luglio julho",
            "august aug aout agosto",
            "september sept sep septembre septiembre settembre setembro",
            "october oct octobre octubre oktober ottobre outubro",
            "november nov novembre noviembre novembro",
            "december dec decembre diciembre dezember dicembre dezembro",
        ),
        start=1,
    )
    for word in words.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_U = "|".join(sorted(_UNIT, key=len, reverse=True))
_LAST = (
    r"(?:(?:in|over|during|within|dans|pendant|durant|au cours|en|durante|in|nelle|nos|nas|en)\s+)?"
    r"(?:the\s+|les\s+|des\s+|las\s+|los\s+|den\s+|le\s+|gli\s+|as\s+|os\s+)?"
)
_PAST = r"(?:last|past|previous|dernieres?|derniers?|ultim[aeio]s?|letzten?|vergangenen?)"

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("last", re.compile(rf"\b{_LAST}{_PAST}\s+(\d+)\s+({_U})\b")),
    ("last", re.compile(rf"\b{_LAST}(\d+)\s+{_PAST}\s+({_U})\b")),
    ("last", re.compile(rf"\b(?:the\s+|la\s+|l')?{_PAST}()\s+({_U})\b")),
    ("iso", re.compile(r"\b(?:on\s+|le\s+|el\s+|am\s+)?(\d{4})-(\d{2})-(\d{2})\b")),
    (
        "dmy",
        re.compile(
            rf"\b(?:on\s+|the\s+|le\s+|el\s+|am\s+|il\s+|em\s+)*(\d{{1,2}})(?:st|nd|rd|th|er|\.)?\s+(?:of\s+|de\s+)?({_MONTH})\b(?:,?\s+(?:de\s+)?(\d{{4}})\b)?"
        ),
    ),
    ("mdy", re.compile(rf"\b(?:on\s+)?({_MONTH})\s+(\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(\d{{4}})\b)?")),
    ("my", re.compile(rf"\b(?:in|en|im|em|a|nel|since)\s+({_MONTH})\b(?:\s+(?:de\s+)?(\d{{4}})\b)?")),
    ("my", re.compile(rf"\b({_MONTH})\s+(?:de\s+)?(\d{{4}})\b")),
    ("yesterday", re.compile(r"\b(?:yesterday|hier|ayer|gestern|ieri|ontem)\b")),
    ("today", re.compile(r"\b(?:today|tonight|this morning|aujourd'?hui|hoy|heute|oggi|hoje|this day)\b")),
    ("thisweek", re.compile(r"\b(?:this week|cette semaine|esta semana|diese woche|questa settimana)\b")),
    (
        "year",
        re.compile(r"(?<!\w)(?:(?:in|en|im jahr|im|nel|em|of|de)\s+)?((?:19|20|21)\d{2})\b(?![-/.,]\d)"),
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


def _interval(kind: str, found: re.Match[str], now: datetime) -> tuple[datetime, datetime] | None:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    if kind == "last":
        return now - int(found[1] or 1) * _LENGTH[_UNIT[found[2]]], now
    if kind == "yesterday":
        return midnight - day, midnight
    if kind == "today":
        return midnight, midnight + day
    if kind == "thisweek":
        return midnight - now.weekday() * day, midnight + day
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
