"""The Monte-Carlo against Llama 3's log, its own accounting, and operators' experience."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trinch.planner.ops import reliability as rel
from trinch.planner.perf.hardware import PlanError
from trinch.planner.simulate.run_simulation import Job, Outcome, percentiles, simulate

FLEET = rel.fleet("llama-3")
DAY = 86_400.0
LLAMA = rel.state_bytes(405e9)


def job(n_gpus: int, kind: str = "async", spares: int = 1000, elastic: bool = False) -> Job:
    mtbf = FLEET.mtbf_s(n_gpus)
    return Job(
        n_gpus=n_gpus,
        gpus_per_node=8,
        gpus_per_replica=128,
        checkpoint=rel.checkpoint(kind, LLAMA, n_gpus, mtbf, 5.0),
        store=rel.checkpoint("async", LLAMA, n_gpus, mtbf, 5.0),
        spare_nodes=spares,
        elastic=elastic,
    )


def run(n_gpus: int, hot: bool = False, kind: str = "async", spares: int = 1000, **rest: object) -> Outcome:
    elastic = bool(rest.pop("elastic", False))
    trials = int(rest.pop("trials", 300))  # type: ignore[call-overload]
    return simulate(
        job(n_gpus, kind, spares, elastic),
        FLEET,
        rel.recovery(hot),
        horizon_s=54 * DAY,
        trials=trials,
        **rest,  # type: ignore[arg-type]
    )


def test_it_reproduces_the_54_days_of_llama_3() -> None:
    # 16,384 of the 24,576 GPUs of the cluster: 1,024 nodes beside the job. Rate, causes and bandwidth are
    # published; detection and restart are the table's, not tuned to this run.
    seen = run(16_384, spares=1024, trials=1000)
    assert np.median(seen.interruptions) == pytest.approx(419, rel=0.03)
    assert np.mean(seen.ettr) > 0.90
    assert np.percentile(seen.interruptions, 10) < 419 < np.percentile(seen.interruptions, 90)
    assert seen.by_cause["faulty GPU"] == pytest.approx(148, rel=0.05)
    assert seen.by_cause["GPU HBM3 memory"] == pytest.approx(72, rel=0.08)


def test_what_changes_at_100000_gpus() -> None:
    cold, hot = run(100_000), run(100_000, hot=True)
    memory = run(100_000, hot=True, kind="memory")
    assert np.median(cold.interruptions) == pytest.approx(419 * 100_000 / 16_384, rel=0.03)
    assert np.mean(cold.ettr) < 0.70
    assert np.mean(hot.ettr) > np.mean(cold.ettr) + 0.10
    assert np.mean(memory.ettr) > np.mean(hot.ettr) + 0.01


@settings(max_examples=25, deadline=None)
@given(
    n_gpus=st.integers(8, 150_000),
    kind=st.sampled_from(rel.KINDS),
    hot=st.booleans(),
    spares=st.integers(0, 50),
    elastic=st.booleans(),
    days=st.floats(0.01, 5),
    by_work=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_every_second_is_accounted_for(
    n_gpus: int, kind: str, hot: bool, spares: int, elastic: bool, days: float, by_work: bool, seed: int
) -> None:
    # Work that hardly advances between failures may take for ever; `survival.py` bounds that case.
    assume(not by_work or n_gpus <= 40_000)
    limit = {"work_s": days * DAY} if by_work else {"horizon_s": days * DAY}
    try:
        seen = simulate(
            job(n_gpus, kind, spares, elastic),
            FLEET,
            rel.recovery(hot),
            rate_sigma=0.5,
            trials=20,
            seed=seed,
            **limit,
        )
    except PlanError:
        return
    parts = seen.productive + seen.stall + seen.lost + seen.down + seen.waiting + seen.shrunk
    np.testing.assert_allclose(parts, seen.wall, rtol=1e-9, atol=1e-3)
    for part in (seen.productive, seen.stall, seen.lost, seen.down, seen.waiting, seen.shrunk):
        assert (part >= -1e-6).all()
    done = seen.productive if by_work else seen.wall
    np.testing.assert_allclose(done, days * DAY, rtol=1e-9)
    assert (seen.swaps <= seen.interruptions).all()
    assert sum(seen.by_cause.values()) == pytest.approx(seen.interruptions.mean())


def test_it_agrees_with_the_closed_form() -> None:
    n_gpus = 32_768
    quiet = rel.Recovery(60, 60, 60, 300, 3600)
    work = job(n_gpus, spares=10_000)
    seen = simulate(work, FLEET, quiet, horizon_s=60 * DAY, trials=200)
    ckpt = work.checkpoint
    expected = rel.expected_ettr(
        ckpt.interval_s, ckpt.stall_s, ckpt.lag_s, quiet.down_s(FLEET), FLEET.mtbf_s(n_gpus)
    )
    assert np.mean(seen.ettr) == pytest.approx(expected, abs=0.006)


def test_the_seed_decides_everything() -> None:
    one, same, other = (run(16_384, trials=20, seed=seed) for seed in (7, 7, 8))
    assert (one.wall == same.wall).all()
    assert (one.productive == same.productive).all()
    assert (one.productive != other.productive).any()


def test_spares_save_waiting_and_shrinking_saves_more_than_waiting() -> None:
    none, some, many = (np.mean(run(16_384, spares=s).ettr) for s in (0, 15, 60))
    assert none < some < many
    assert np.mean(run(16_384, spares=0, elastic=True).ettr) > some


def test_the_band_widens_with_what_is_not_known() -> None:
    def width(sigma: float) -> float:
        at = percentiles(run(16_384, rate_sigma=sigma).ettr)
        return at["p90"] - at["p10"]

    assert width(rel.between_fleets_sigma()) > 2 * width(0.0)


def test_a_job_that_cannot_progress_is_refused() -> None:
    with pytest.raises(PlanError, match="almost no progress"):
        run(2_000_000)
    with pytest.raises(PlanError, match="either the work or the horizon"):
        simulate(job(8), FLEET, rel.recovery(False))
