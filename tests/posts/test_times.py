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
