"""Failure rates, checkpoints and intervals, against the published numbers and against each other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trinch.planner.ops import reliability as rel
from trinch.planner.ops.tables import MARKS, rows, table
from trinch.planner.perf.hardware import PlanError


def test_llama_3_causes_add_up_to_the_published_419() -> None:
    counts = [int(row["count"]) for row in rows("failure_causes") if row["fleet"] == "llama-3"]
    assert sum(counts) == 419
    assert sum(cause.share for cause in rel.fleet("llama-3").causes) == pytest.approx(1.0)


def test_rates_match_their_sources() -> None:
    llama = rel.fleet("llama-3")
    assert 24 / llama.per_gpu_day == pytest.approx(50_640, rel=2e-3)  # GPU-hours between failures
    assert llama.mtbf_s(16_384) / 3600 == pytest.approx(54 * 24 / 419, rel=1e-3)
    # Meta's projection for RSC-1: 1.8 h at 16,384 GPUs and 0.23 h at 131,072.
    assert rel.fleet("rsc-1").mtbf_s(16_384) / 3600 == pytest.approx(1.80, abs=0.01)
    assert rel.fleet("rsc-1").mtbf_s(131_072) / 3600 == pytest.approx(0.225, abs=0.01)
    assert rel.fleet("rsc-2").per_gpu_day * 8 == pytest.approx(2.34e-3)


@pytest.mark.parametrize(
    "name",
    [
        "fleets",
        "fleet_exposure",
        "operations",
        "domains",
        "power",
        "prices",
        "ownership",
        "carbon",
        "serving",
    ],
)
def test_every_number_carries_source_date_and_mark(name: str) -> None:
    for fact in table(name).values():
        assert fact.source
        assert fact.date[:2] == "20" or fact.date.startswith("19")
        assert fact.mark in MARKS
        assert fact.unit
        assert fact.low <= fact.value <= fact.high


@given(stall=st.floats(0.01, 300), mtbf=st.floats(600, 1e7))
def test_the_best_interval_is_the_best(stall: float, mtbf: float) -> None:
    best = rel.best_interval(stall, mtbf)
    share = rel.expected_ettr(best, stall, 0, 60, mtbf)
    for factor in (0.5, 0.8, 1.25, 2.0):
        assert rel.expected_ettr(best * factor, stall, 0, 60, mtbf) <= share + 1e-12
    if stall < mtbf / 1000:
        assert best == pytest.approx(rel.young(stall, mtbf), rel=0.05)


def test_the_worked_example_of_16384_gpus() -> None:
    # M 3.1 h, stall 5 s, interval 10 min, restart 10 min: 91.1 % to first order.
    first_order = 1 - (300 + 600) / (3.1 * 3600) - 5 / 600
    exact = rel.expected_ettr(600, 5, 0, 600, 3.1 * 3600)
    assert first_order == pytest.approx(0.911, abs=5e-4)
    assert exact == pytest.approx(first_order, abs=0.006)


def test_expected_ettr_agrees_with_a_direct_simulation() -> None:
    rng = np.random.default_rng(1)
    interval, stall, lag, down, mtbf = 200.0, 4.0, 9.0, 300.0, 3000.0
    gaps = rng.exponential(mtbf, 200_000)
    kept = np.floor(np.maximum(0, gaps - down - lag) / (interval + stall)) * interval
    assert rel.expected_ettr(interval, stall, lag, down, mtbf) == pytest.approx(
        kept.sum() / gaps.sum(), rel=0.01
    )


@settings(max_examples=60)
@given(
    kind=st.sampled_from(rel.KINDS),
    params=st.floats(1e9, 2e12),
    n_gpus=st.integers(64, 200_000),
    step=st.floats(0.1, 120),
)
def test_a_checkpoint_is_whole_steps_and_never_overlaps_itself(
    kind: str, params: float, n_gpus: int, step: float
) -> None:
    mtbf = rel.fleet("llama-3").mtbf_s(n_gpus)
    saved = rel.checkpoint(kind, rel.state_bytes(params), n_gpus, mtbf, step)
    steps = saved.interval_s / step
    assert steps == pytest.approx(round(steps))
    assert steps >= 1
    assert 0 < saved.stall_s <= saved.lag_s or kind == "sync"
    assert saved.interval_s >= min(saved.lag_s - step / 2, saved.lag_s * 0.999) or steps == 1


def test_grok_1s_checkpoint_is_4_4_terabytes() -> None:
    assert rel.state_bytes(315_684_820_992) == pytest.approx(4.4e12, rel=0.01)


def test_hot_restart_and_memory_matter_more_as_the_cluster_grows() -> None:
    fleet, size = rel.fleet("llama-3"), rel.state_bytes(315.7e9)

    def share(kind: str, hot: bool, n_gpus: int) -> float:
        mtbf = fleet.mtbf_s(n_gpus)
        saved = rel.checkpoint(kind, size, n_gpus, mtbf, 5.0)
        return rel.expected_ettr(
            saved.interval_s, saved.stall_s, saved.lag_s, rel.recovery(hot).down_s(fleet), mtbf
        )

    assert share("async", False, 16_384) > 0.9
    assert share("async", False, 100_000) < 0.7
    assert share("memory", True, 100_000) > share("async", True, 100_000) > share("async", False, 100_000)


def test_spares_cover_the_nodes_in_repair() -> None:
    fleet = rel.fleet("llama-3")
    repair = 72 * 3600.0
    needed = rel.spares_needed(fleet, 16_384, repair)
    mean = fleet.swap_share / fleet.mtbf_s(16_384) * repair
    drawn = np.random.default_rng(0).poisson(mean, 100_000)
    assert np.mean(drawn <= needed) >= 0.95
    assert np.mean(drawn <= needed - 1) < 0.95
    # Where exp(-mean) underflows the normal approximation takes over without a jump.
    assert rel.spares_needed(fleet, 5_000_000, repair * 10) == pytest.approx(
        mean * 5e6 / 16_384 * 10, rel=0.05
    )


def test_between_fleets_sigma_is_that_of_the_three_published_rates() -> None:
    assert rel.between_fleets_sigma() == pytest.approx(0.51, abs=0.01)
    assert math.exp(rel.between_fleets_sigma()) < 2


def test_bad_input_is_one_sentence() -> None:
    with pytest.raises(PlanError, match="did you mean llama-3"):
        rel.fleet("llama3")
    with pytest.raises(PlanError, match="did you mean async"):
        rel.checkpoint("asinc", 1e12, 8, 1e4, 1.0)
    with pytest.raises(PlanError, match="positive"):
        rel.checkpoint("sync", -1, 8, 1e4, 1.0)
