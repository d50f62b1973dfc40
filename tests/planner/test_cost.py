"""Costs add up, keep their range, and report what is missing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.planner.ops import cost
from trinch.planner.perf.hardware import PlanError

H100 = "H100-SXM-80GB"


def test_renting_from_oracle_costs_the_list_price() -> None:
    money = cost.rent("oci", H100, 1_000_000)
    assert money.usd == pytest.approx(10e6)
    assert money.low == pytest.approx(5.5e6)  # Universal Credits at 45 % off
    assert money.fact.mark == "second-hand"


def test_a_hundred_thousand_h100_cost_three_to_five_billion() -> None:
    buy = cost.purchase(H100, 100_000)
    assert 3e9 <= buy.low <= buy.usd <= buy.high <= 5e9


@given(n=st.integers(8, 200_000), hours=st.floats(1, 50_000), mwh=st.floats(0, 1e7))
def test_owning_adds_up_and_keeps_its_range(n: int, hours: float, mwh: float) -> None:
    money = cost.own(H100, n, hours, mwh)
    assert sum(money.parts.values()) == pytest.approx(money.usd)
    assert money.low <= money.usd <= money.high
    twice = cost.own(H100, n, 2 * hours, 2 * mwh)
    assert twice.usd == pytest.approx(2 * money.usd)


def test_owning_for_its_whole_life_costs_the_purchase() -> None:
    years = 5 * cost.YEAR_HOURS
    assert cost.own(H100, 8, years, 0).parts["depreciation"] == pytest.approx(cost.purchase(H100, 8).usd)
    assert cost.own(H100, 8, 1, 1000, usd_per_kwh=0.1).parts["electricity"] == pytest.approx(100_000)


def test_bad_input_is_one_sentence() -> None:
    with pytest.raises(PlanError, match="did you mean oci"):
        cost.price("ocii", H100)
    with pytest.raises(PlanError, match="none is known: give --price"):
        cost.price("oci", "GB200")
    with pytest.raises(PlanError, match="known for it: oci, own"):
        cost.price("neocloud", "H200")
    with pytest.raises(PlanError, match="is not one"):
        cost.rent("oci", H100, 10, usd_per_gpu_hour=-1)
