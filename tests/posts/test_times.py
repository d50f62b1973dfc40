"""Times of the wire, to the microsecond."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.posts.samples import ID
from trinch.posts import times

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
moments = st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30))


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@given(moment=moments, minutes=st.integers(-14 * 60, 14 * 60))
def test_rfc3339_of_any_offset(moment: datetime, minutes: int) -> None:
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = moment.isoformat(timespec="microseconds") + f"{sign}{hours:02}:{rest:02}"
    assert times.rfc3339(text) == micros(moment.replace(tzinfo=UTC)) - minutes * 60_000_000


@given(moment=moments)
def test_written_is_read_back(moment: datetime) -> None:
    at = micros(moment.replace(tzinfo=UTC))
    assert times.rfc3339(times.written(at)) == at
    assert times.lenient(times.written(at)) == at


@given(moment=moments)
def test_v11(moment: datetime) -> None:
    whole = moment.replace(microsecond=0, tzinfo=UTC)
    month = "JanFebMarAprMayJunJulAugSepOctNovDec"[3 * whole.month - 3 : 3 * whole.month]
    text = f"Wed {month} {whole.day:02} {whole:%H:%M:%S} +0000 {whole.year:04}"
    assert times.v11(text) == micros(whole)


@pytest.mark.parametrize(
    ("text", "fraction"),
    [("", 0), (".5", 500_000), (".78349200", 783_492), (".000001", 1), (".999999999", 999_999)],
)
def test_fractions_of_one_to_nine_digits(text: str, fraction: int) -> None:
    assert times.rfc3339(f"2025-12-05T10:16:59{text}Z") == 1_764_929_819_000_000 + fraction
    assert times.rfc3339(f"2025-12-05t10:16:59{text}z") == 1_764_929_819_000_000 + fraction


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-12-05",
        "2025-12-05T10:16:59",
        "2025-12-05T10:16:60Z",
        "2025-02-30T10:16:59Z",
        "0000-01-01T00:00:00Z",
        "2025-12-05T10:16:59.Z",
        "2025-12-05T10:16:59.1234567890Z",
        "2025-W01-1T10:16:59Z",
        "20251205T101659Z",
        "2025-12-05T24:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "٢٠٢٥-12-05T10:16:59Z",
        "2025-12-05T10:16:59Z\n",
    ],
)
def test_what_is_no_rfc3339_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        times.rfc3339(text)


@pytest.mark.parametrize(
    "text", ["Wed Foo 01 08:55:58 +0000 2014", "Wed Oct 32 08:55:58 +0000 2014", "anF", ""]
)
def test_what_is_no_v11_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time"):
        times.v11(text)


def test_lenient_fills_in_utc() -> None:
    day = 1_764_892_800_000_000
    assert times.lenient("2025-12-05") == day
    assert (
        times.lenient("2025-12-05T10:16Z") == times.lenient("2025-12-05 10:16") == day + 37_000_000_000 - 4e7
    )
    assert times.lenient("2025-12-05T01:00:00+0100") == day
    with pytest.raises(ValueError, match="date"):
        times.lenient("yesterday")


def test_a_snowflake_refines_a_whole_second_and_nothing_else() -> None:
    exact = times.rfc3339("2025-03-12T18:39:19.001Z")
    assert times.snowflake(str(ID)) == exact
    assert times.snowflake(str(ID), times.rfc3339("2025-03-12T18:39:19Z")) == exact
    other = times.rfc3339("2025-03-12T18:39:20Z")
    assert times.snowflake(str(ID), other) == other
    fine = times.rfc3339("2025-03-12T18:39:19.5Z")
    assert times.snowflake(str(ID), fine) == fine


@pytest.mark.parametrize("id", ["20", "6971079756", "29700859247", "at://x", "", "9" * 30, "-5", str(2**63)])
def test_other_ids_tell_no_time(id: str) -> None:
    assert times.snowflake(id) is None
    assert times.snowflake(id, 7_000_000) == 7_000_000


def test_the_clock_reads_like_the_others() -> None:
    assert abs(times.now() - micros(datetime.now(UTC))) < 60_000_000


WRITTEN = {
    "20231114T221320Z": "2023-11-14T22:13:20Z",
    "2023-11-14 22:13:20 +0000 UTC": "2023-11-14T22:13:20Z",
    "14.11.2023 22:13:20": "2023-11-14T22:13:20Z",
    "14/11/2023": "2023-11-14T00:00:00Z",
    "Nov 14, 2023 · 10:13 PM UTC": "2023-11-14T22:13:00Z",
    "10:13 PM - 14 Nov 2023": "2023-11-14T22:13:00Z",
    "12:05 a.m., 14th of November 2023": "2023-11-14T00:05:00Z",
    "19 April 2013": "2013-04-19T00:00:00Z",
    "April 19, 2013 at 8:30 +0200": "2013-04-19T06:30:00Z",
    "/Date(1700000000000)/": "2023-11-14T22:13:20Z",
}


@pytest.mark.parametrize("text", WRITTEN)
def test_times_in_other_spellings(text: str) -> None:
    assert times.iso(times.parse(text)) == WRITTEN[text]
    assert times.iso(times.typed(text)) == WRITTEN[text]


@pytest.mark.parametrize(
    "text", ["05/06/2023", "31 April 2013", "13:00 PM 1 May 2013", "Smarch 5, 2013", "5 May", "-5"]
)
def test_what_has_two_readings_or_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are for people
        times.parse(text)


def test_times_relative_to_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(times, "now", lambda: times.rfc3339("2026-03-05T10:20:30Z"))
    said = {
        "now": "2026-03-05T10:20:30Z",
        "today": "2026-03-05T00:00:00Z",
        "Yesterday": "2026-03-04T00:00:00Z",
        "-2h": "2026-03-05T08:20:30Z",
        "90 minutes ago": "2026-03-05T08:50:30Z",
        "-1w": "2026-02-26T10:20:30Z",
        "2013-04-15_12:30:00_UTC": "2013-04-15T12:30:00Z",
    }
    assert {text: times.iso(times.typed(text)) for text in said} == said
    for text in ("lately", "-999999w", "2h", "tomorrow"):
        with pytest.raises(ValueError, match="time"):
            times.typed(text)


def test_a_claim_of_a_day_or_a_minute_leaves_the_clock_to_the_id() -> None:
    id, made = "1724551110972145664", times.rfc3339("2023-11-14T22:13:20.123Z")
    for claimed, found in {
        "2023-11-14": made,
        "2023-11-14T22:13Z": made,
        "2023-11-14T22:13:20Z": made,
        "2023-11-15": times.parse("2023-11-15"),
        "2023-11-14T22:14Z": times.parse("2023-11-14T22:14Z"),
    }.items():
        assert times.snowflake(id, times.parse(claimed)) == found
