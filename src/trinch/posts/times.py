"""Times on the wire, as integer microseconds since 1970, UTC.

Reads RFC 3339, X's v1.1 form, RFC 822, Unix time, dates in other spellings (`written_times.py`) and the clock inside an
X id. Every reader raises ValueError with a reason on what it cannot read.
"""

import re
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

from trinch.posts import written_times

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
EARLIEST, LATEST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999, the times that RFC 3339 can write."""

_RFC3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_SHORT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(:\d\d(?:\.\d{1,9})?)?([Zz]|[+-]\d\d:?\d\d)?)?", re.ASCII
).fullmatch
_V11 = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d \d\d:\d\d:\d\d [+-]\d{4} \d{4}", re.ASCII).fullmatch
_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


def now() -> int:
    """The present."""
    return time.time_ns() // 1000


def rfc3339(text: str) -> int:
    """`2026-07-04T14:38:08.999Z`, any offset, up to nine fractional digits (cut to microseconds).

    A 60th second, a 30th of February or a missing offset is a ValueError."""
    if not _RFC3339(text):
        raise ValueError(f"not an RFC 3339 time: {text[:40]!r}")
    return _micros(text.upper())


def lenient(text: str) -> int:
    """RFC 3339 as people write it in files: seconds, time and offset (UTC) may be missing."""
    parts = _SHORT(text)
    if not parts:
        raise ValueError(f"not a date or time: {text[:40]!r}")
    day, minute, second, offset = parts.groups()
    return _micros(f"{day}T{minute or '00:00'}{second or ':00'}{(offset or 'Z').upper()}")


def _micros(text: str) -> int:
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no such time: {text[:40]!r} ({error})") from None
    micros = since.days * _DAY + since.seconds * _SECOND + since.microseconds
    if not EARLIEST <= micros <= LATEST:
        raise ValueError(f"no such time in UTC: {text[:40]!r}")
    return micros


def v11(text: str) -> int:
    """X's v1.1 spelling: `Wed Oct 01 08:55:58 +0000 2014`."""
    month = _MONTHS.find(text[4:7]) // 3 + 1 if _V11(text) else 0
    if not month:
        raise ValueError(f"not a time like 'Wed Oct 01 08:55:58 +0000 2014': {text[:40]!r}")
    return _micros(f"{text[26:30]}-{month:02}-{text[8:10]}T{text[11:19]}{text[20:23]}:{text[23:25]}")


def written(micros: int) -> str:
    """RFC 3339 with six fractional digits, `Z`; the inverse of `rfc3339` for the years 1 to 9999."""
    moment = _EPOCH + timedelta(microseconds=micros)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def iso(micros: int | None) -> str | None:
    """RFC 3339, UTC: seconds where the time is whole, else microseconds; None where there is no time."""
    if micros is None:
        return None
    text = written(micros)
    return text.replace(".000000Z", "Z")


_OTHER = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[Tt ]+(\d\d:\d\d)(:\d\d)?(?:[.,](\d{1,9}))?\s*"
    r"(UTC|GMT|[Zz]|[+-]\d\d(?::?\d\d)?)?(?: [A-Z]{3,4})?",  # Go writes the name of the zone behind its offset
    re.ASCII,
).fullmatch
_BASIC = re.compile(r"(\d{4})(\d\d)(\d\d)[Tt](\d\d)(\d\d)(\d\d)([Zz]|[+-]\d{4})?", re.ASCII).fullmatch
"""The basic form of ISO 8601."""
_TICKS = re.compile(r"\\?/Date\((\d{1,15})(?:[+-]\d{4})?\)\\?/", re.ASCII).fullmatch
"""Milliseconds as older .NET programs write them."""
_UNITS = ((10**11, 1_000_000), (10**14, 1_000), (10**17, 1))
"""(first number too large for the unit, microseconds of the unit): seconds until 5138, milliseconds, microseconds."""


@lru_cache(4096, typed=True)  # a stream has many posts of one second
def parse(written: str | float) -> int:
    """A time in any form that posts are handed around with: RFC 3339 with or without seconds, time or offset, X's
    v1.1 form, RFC 822, dates with a month in words or the day first, and Unix time in seconds, milli-, micro- or
    nanoseconds, as a number or as digits.

    The unit of a Unix time follows from its size. A time without an offset is read as UTC."""
    if isinstance(written, int | float):
        return _unix(written)
    text = written.strip()
    for reader in (rfc3339, lenient) if text[:1].isdigit() else (v11,):
        try:
            return reader(text)
        except ValueError:
            continue
    if re.fullmatch(r"\d{5,19}(?:\.\d{1,9})?", text, re.ASCII):
        return _unix(float(text) if "." in text else int(text))
    if parts := _OTHER(text):
        year, month, day, minute, second, fraction, offset = parts.groups()
        offset = {"utc": "Z", "gmt": "Z", "": "Z"}.get((offset or "").lower(), offset or "Z")
        offset = offset + "00" if len(offset) == 3 else offset
        return _micros(f"{year}-{month}-{day}T{minute}{second or ':00'}.{fraction or '0'}{offset.upper()}")
    if parts := _BASIC(text):
        year, month, day, hour, minute, second, offset = parts.groups()
        return _micros(f"{year}-{month}-{day}T{hour}:{minute}:{second}{(offset or 'Z').upper()}")
    if parts := _TICKS(text):
        return _unix(int(parts[1]) / 1000)
    try:
        return _rfc822(text)
    except ValueError:
        return written_times.date(text)


def typed(text: str) -> int:
    """A time as a person types it: any form of `parse`, `yesterday`, `-2h`, `3 days ago`, `2013-04-15_12:30:00_UTC`.

    Raises ValueError with a message for people."""
    given = re.sub(r"^(\d{4}-\d\d-\d\d)_", r"\1T", text.strip().replace("_UTC", "Z"))
    found = written_times.relative(given, now())
    try:
        micros = parse(given) if found is None else found
    except ValueError as error:
        if "two readings" in str(error):
            raise
        raise ValueError(
            f"cannot read the time {text!r}; write 2013-04-15, 2013-04-15T22:00Z, 19 April 2013, yesterday or -2h"
        ) from None
    if not EARLIEST <= micros <= LATEST:
        raise ValueError(f"no such time: {text!r}")
    return micros


def _rfc822(text: str) -> int:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ValueError(f"not a date or time: {text[:40]!r}") from None
    return _micros((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat())


def _unix(number: float) -> int:
    if isinstance(number, bool) or not 0 <= number < 10**19:
        raise ValueError(f"not a Unix time: {str(number)[:40]}")
    unit = next((micros for limit, micros in _UNITS if number < limit), None)
    micros = int(number) // 1000 if unit is None else round(number * unit)
    if micros > LATEST:
        raise ValueError(f"not a Unix time: {str(number)[:40]}")
    return micros


SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
"""2010-11-04T01:42:54.657Z: X's ids since count milliseconds from here in the bits above the lowest 22."""
_FIRST_CERTAIN = 10**12
"""Ids before the change were counted one by one and stopped near 3 * 10**10: from here on no doubt."""
_LAST = 2**63


def snowflake(id: str, claimed: int | None = None) -> int | None:
    """When X made this id, exact to the millisecond, or None where the id does not say.

    A time claimed beside it wins if it has a fraction of a second itself, or is of another second (copied,
    imported or invented ids); one that is a whole minute or day is taken for one that says no more."""
    if claimed is not None and claimed % _SECOND:
        return claimed
    number = int(id) if id.isascii() and id.isdigit() and len(id) <= 19 else 0
    if not _FIRST_CERTAIN <= number < _LAST:
        return claimed
    made = ((number >> 22) + SNOWFLAKE_EPOCH_MS) * 1000
    if claimed is None or made // _SECOND == claimed // _SECOND:
        return made
    said = _DAY if claimed % _DAY == 0 else 60 * _SECOND if claimed % (60 * _SECOND) == 0 else _SECOND
    return made if made // said == claimed // said else claimed


def millis(text: str) -> int:
    """Milliseconds since 1970, as digits."""
    if not (text.isascii() and text.isdigit() and len(text) <= 15) or int(text) * 1000 > LATEST:
        raise ValueError(f"not milliseconds since 1970: {text[:40]!r}")
    return int(text) * 1000
