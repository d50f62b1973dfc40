"""The tornado of twelve inputs, and what a cluster costs over years."""

from dataclasses import asdict

import pytest
from cluster_plans import grok

from trinch.planner.ops import power, reliability
from trinch.planner.ops.ownership import ways_to_pay
from trinch.planner.ops.recovery import Options, pick
from trinch.planner.ops.tornado import Inputs, tornado
from trinch.planner.perf.hardware import PlanError

GPU = "H100-SXM-80GB"


@pytest.fixture(scope="module")
def rows() -> dict[str, dict]:
    made = grok()
    way = pick(made, reliability.fleet("llama-3"), made.n_gpus, Options())
    return {row["input"]: row for row in tornado(made, way, Options())}


def test_twelve_inputs_each_over_a_range_that_holds_the_plan(rows: dict[str, dict]) -> None:
    assert set(rows) == set(Inputs.__dataclass_fields__)
    assert len(rows) == 12
    assert all(row["low"] <= row["base"] <= row["high"] for row in rows.values())


def test_worse_inputs_are_never_better(rows: dict[str, dict]) -> None:
    for name, row in rows.items():
        better_when_more = name in ("store_gbps_per_gpu", "depreciation_years")
        for ends in (row["days"], row["usd"]):
            assert (ends[0] >= ends[1]) if better_when_more else (ends[0] <= ends[1]), name


def test_the_widest_is_first_and_money_does_not_move_days(rows: dict[str, dict]) -> None:
    swings = [max(row["usd"]) - min(row["usd"]) for row in rows.values()]
    assert swings[0] == max(swings)
    assert rows["usd_per_gpu"]["days"][0] == rows["usd_per_gpu"]["days"][1]
    assert rows["failures_per_gpu_day"]["days"][0] < rows["failures_per_gpu_day"]["days"][1]


def test_ways_to_pay_are_sorted_and_scale_with_the_years() -> None:
    site = power.site_power(GPU, 10_000)
    four, eight = (ways_to_pay(GPU, 10_000, site, 0.9, years) for years in (4, 8))
    assert [way["usd"] for way in four] == sorted(way["usd"] for way in four)
    assert {way["how"].split(",")[0] for way in four} == {"own", "rent"}
    for short, long in zip(four, eight, strict=True):
        assert long["usd"] == pytest.approx(2 * short["usd"])
        assert short["low"] <= short["usd"] <= short["high"]
    own = {way["how"]: way["usd"] for way in four if way["how"].startswith("own")}
    assert own["own, germany"] > own["own, us-texas"], "dearer electricity"
    assert ways_to_pay("GB300", 72, power.site_power("GB300", 72), 0.9) == []
    with pytest.raises(PlanError, match="above zero"):
        ways_to_pay(GPU, 8, site, 0.9, 0)


def test_inputs_are_all_read() -> None:
    made = grok()
    options = Options()
    way = pick(made, reliability.fleet("llama-3"), made.n_gpus, options)
    found = {row["input"]: row for row in tornado(made, way, options)}
    still = [
        name
        for name, row in found.items()
        if row["days"][0] == row["days"][1] and row["usd"][0] == row["usd"][1]
    ]
    assert still == [], asdict(options)
