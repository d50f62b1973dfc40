"""Dates and times as pages, spreadsheets and people write them, in English: `19 April 2013`, `14.11.2023 22:13`,
`Nov 14, 2023 · 10:13 PM UTC`, `yesterday`, `-2h`, `3 days ago`.
"""

import re
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

_MONTH = r"(?P<{0}>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
_CLOCK = (
    r"(?P<hour{0}>\d{{1,2}}):(?P<minute{0}>\d\d)(?::(?P<second{0}>\d\d))?"
    r"\s*(?P<half{0}>[ap]\.?m\.?)?\s*(?P<zone{0}>utc|gmt|z|[+-]\d\d:?\d\d)?"
)
_GAP = r"[\s,·–-]+(?:at\s+)?"
_DAY = (
    r"(?:(?P<day>\d{1,2})(?:st|nd|rd|th)?\.?[\s-]+(?:of\s+)?"
    + _MONTH.format("month")
    + "|"
    + _MONTH.format("month2")
    + r"\s*(?P<day2>\d{1,2})(?:st|nd|rd|th)?"
    r"|(?P<day3>\d{1,2})(?P<mark>[./])(?P<number>\d{1,2})(?=[./]))[\s,./-]+(?P<year>\d{4})"
)
_DATE = re.compile(
    rf"(?:{_CLOCK.format(1)}{_GAP})?{_DAY}(?:{_GAP}{_CLOCK.format(2)})?", re.ASCII | re.IGNORECASE
).fullmatch

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGO = re.compile(
    r"(?:-\s*(\d{1,6})\s*([smhdw])|(\d{1,6})\s*(s|sec|second|m|min|minute|h|hour|d|day|w|week)s?\s+ago)",
    re.ASCII | re.IGNORECASE,
).fullmatch
_DAYS = {"today": 0, "yesterday": 1}


def relative(text: str, now: int) -> int | None:
    """`now`, `today` and `yesterday` (their beginning, UTC), `-2h`, `3 days ago`, in microseconds; None where the text is
    none of these. Raises ValueError for a time before the year 1."""
    word = " ".join(text.lower().split())
    if word == "now":
        return now
    day = 86_400_000_000
    if word in _DAYS:
        return now // day * day - _DAYS[word] * day
    if not (parts := _AGO(word)):
        return None
    number, unit = int(parts[1] or parts[3]), (parts[2] or parts[4])[0]
    return now - number * _UNITS[unit] * 1_000_000


def date(text: str) -> int:
    """A date with or without a time, microseconds since 1970; UTC where no offset is written.

    A day comes before a month given as a number, except that `05/06/2023`, which has two readings, is refused.
    Raises ValueError."""
    parts = _DATE(text.strip())
    if not parts:
        raise ValueError(f"not a date or time: {text[:40]!r}")
    day, month = int(parts["day"] or parts["day2"] or parts["day3"]), _month(parts)
    if parts["mark"] == "/" and day <= 12 and month <= 12 and day != month:
        raise ValueError(f"{text[:40]!r} has two readings; write 2013-04-15")
    hour, minute, second, offset = _clock(parts)
    try:
        moment = datetime(int(parts["year"]), month, day, hour, minute, second, tzinfo=UTC) - offset
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no such time: {text[:40]!r} ({error})") from None
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _month(parts: "re.Match[str]") -> int:
    word = parts["month"] or parts["month2"]
    return _MONTHS.index(word[:3].lower()) + 1 if word else int(parts["number"])


def _clock(parts: "re.Match[str]") -> tuple[int, int, int, timedelta]:
    """(hour, minute, second, offset) of the time beside the date; midnight where there is none."""
    which = next((n for n in "12" if parts[f"hour{n}"]), "")
    if not which:
        return 0, 0, 0, timedelta()
    hour, half = int(parts[f"hour{which}"]), (parts[f"half{which}"] or "")[:1].lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0) if 1 <= hour <= 12 else 99
    zone, offset = parts[f"zone{which}"] or "", timedelta()
    if zone[:1] in ("+", "-"):
        digits = zone[1:].replace(":", "")
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if zone[0] == "-" else 1)
    return hour, int(parts[f"minute{which}"]), int(parts[f"second{which}"] or 0), offset
