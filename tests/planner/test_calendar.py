"""Dates, ramps and deadlines."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.planner.ops.schedule import Tranche, parse_count, parse_date, parse_ramp, schedule
from trinch.planner.perf.hardware import PlanError
from trinch.planner.simulate.run_simulation import Floats

START = date(2025, 6, 1)
DAY = 86_400.0


def steady(share: float, trials: int = 500):  # type: ignore[no-untyped-def]
    def ettr(_: int) -> Floats:
        return np.full(trials, share)

    return ettr


def test_one_tranche_is_work_over_rate() -> None:
    when = schedule(1000 * 30 * DAY, START, [Tranche(START, 1000)], steady(0.75), trials=500)
    assert when.days["p50"] == pytest.approx(40)
    assert when.finish["p50"] == START + timedelta(days=40)
    assert when.gpu_hours == pytest.approx(1000 * 40 * 24)
    assert when.mean_gpus == pytest.approx(1000)


def test_twenty_thousand_now_a_hundred_thousand_by_the_end_of_2025() -> None:
    ramp = parse_ramp("20,000@now;100k@2025-12-31", START)
    assert ramp == [Tranche(START, 20_000), Tranche(date(2025, 12, 31), 100_000)]
    work = 20_000 * 300 * DAY * 0.9  # 300 days on the first delivery alone
    small = schedule(work, START, ramp[:1], steady(0.9), trials=500)
    both = schedule(work, START, ramp, steady(0.9), slip_days=0, trials=500)
    late = schedule(work, START, ramp, steady(0.9), slip_days=30, trials=500)
    assert small.days["p50"] == pytest.approx(300)
    # 213 days on the first, the other 87 five times as fast.
    assert both.days["p50"] == pytest.approx(213 + 87 / 5, abs=0.5)
    assert both.days["p50"] < late.days["p50"] < small.days["p50"] + 1
    assert both.mean_gpus > 20_000


def test_the_probability_of_a_deadline() -> None:
    work = 1000 * 100 * DAY
    chances = []
    for days in (80, 99, 100, 110, 140):
        when = schedule(
            work,
            START,
            [Tranche(START, 1000)],
            steady(1.0, 4000),
            work_sigma=0.05,
            deadline=START + timedelta(days=days),
            trials=4000,
        )
        chances.append(when.probability)
        assert when.latest_start is not None
    assert chances == sorted(chances)  # type: ignore[type-var]
    assert chances[0] == 0.0
    assert chances[-1] == 1.0
    assert chances[2] == pytest.approx(0.5, abs=0.1)


def test_the_latest_start_meets_the_deadline() -> None:
    deadline = date(2025, 12, 31)

    def planned(start: date):  # type: ignore[no-untyped-def]
        return schedule(
            1000 * 100 * DAY,
            start,
            [Tranche(start, 1000)],
            steady(0.9),
            work_sigma=0.05,
            deadline=deadline,
            trials=500,
        )

    latest = planned(date(2025, 12, 1)).latest_start
    assert latest is not None
    assert planned(latest).probability >= 0.9
    assert planned(latest + timedelta(days=30)).probability < 0.9


def test_a_deadline_in_the_past_has_no_chance() -> None:
    when = schedule(
        1000 * DAY, START, [Tranche(START, 1000)], steady(1.0), deadline=date(2025, 5, 1), trials=500
    )
    assert when.probability == 0.0
    assert when.latest_start is not None
    assert when.latest_start <= date(2025, 5, 1)


@given(st.integers(1, 10**6))
def test_counts_are_read_as_people_write_them(count: int) -> None:
    assert parse_count(str(count)) == count
    assert parse_count(f"{count:,}") == count
    assert parse_count(f"{count / 1000:.3f}k") == count


@given(st.text(max_size=30))
def test_any_text_is_a_ramp_or_one_sentence(text: str) -> None:
    message, ramp = "", []
    try:
        ramp = parse_ramp(text, START)
    except PlanError as err:
        message = str(err)
    assert bool(ramp) != bool(message)
    assert "\n" not in message.strip()
    assert all(tranche.gpus > 0 and tranche.on >= START for tranche in ramp)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("20k", "has no date"),
        ("20k@soon", "no date: write it as 2025-12-31"),
        ("many@now", "no number of GPUs"),
        ("20k@now;10k@2026-01-01", "must grow"),
        ("20k@2026-02-01;30k@2026-01-01", "must grow"),
    ],
)
def test_bad_ramps(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parse_ramp(text, START)


def test_bad_dates_and_endless_runs() -> None:
    with pytest.raises(PlanError, match="2025-12-31"):
        parse_date("31.12.2025")
    with pytest.raises(PlanError, match="years on 8 GPUs"):
        schedule(8 * 400 * 365 * DAY, START, [Tranche(START, 8)], steady(1.0), trials=500)
