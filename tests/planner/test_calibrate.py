"""The fit: it finds what made the numbers, never splits what belongs together, and survives a round trip."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from plan_rows import run_row

from trinch.planner.perf import fit as calibrate
from trinch.planner.perf.calibration import Calibration, band, load, save, shipped
from trinch.planner.perf.run_rows import Run, understand
from trinch.planner.perf.step_time import SITE

SHAPES = [
    (32, 4096, 14336, 32),
    (40, 5120, 20480, 40),
    (48, 6144, 24576, 48),
    (24, 2048, 8192, 16),
    (80, 8192, 28672, 64),
]


def made_up() -> list[Run]:
    """Dense and expert runs whose step times come from known coefficients."""
    rows = []
    for layers, hidden, ffn, heads in SHAPES:
        for tp, dp in ((1, 8), (2, 8), (4, 4), (8, 4), (8, 16)):
            for micro in (1, 2, 4):
                rows.append(
                    run_row(
                        id=f"r{len(rows)}",
                        layers=layers,
                        hidden=hidden,
                        ffn=ffn,
                        heads=heads,
                        kv_heads=heads,
                        TP=tp,
                        PP=2,
                        VPP="",
                        CP=1,
                        n_gpus=tp * dp * 2,
                        micro_batch=micro,
                        global_batch=dp * micro * 16,
                        recompute="none",
                    )
                )
    return [understand(row) for row in rows]


def measured_with(runs: list[Run], found: dict[str, float], noise: float = 0.0) -> list[Run]:
    errors = calibrate.log_errors([replace(run, measured_s=1.0) for run in runs], found)
    jitter = np.random.default_rng(7).normal(0, noise, len(runs))
    return [
        replace(run, measured_s=float(np.exp(e + j))) for run, e, j in zip(runs, errors, jitter, strict=True)
    ]


def test_the_fit_finds_the_truth_behind_the_numbers() -> None:
    truth = shipped().coefficients | {"mm_hopper": 0.6, "tp_overlapped": 0.9}
    runs = measured_with(made_up(), truth, noise=0.01)
    found = calibrate.fit(runs)
    assert np.mean(np.abs(calibrate.log_errors(runs, found))) < 0.02
    assert found["mm_hopper"] == pytest.approx(0.6, rel=0.12)


def test_a_wild_row_does_not_bend_the_fit() -> None:
    runs = measured_with(made_up(), shipped().coefficients, noise=0.01)
    wild = [replace(runs[0], measured_s=(runs[0].measured_s or 0) * 20), *runs[1:]]
    found = calibrate.fit(wild)
    assert np.mean(np.abs(calibrate.log_errors(runs[1:], found))) < 0.03


def test_without_rows_the_coefficients_stay_where_physics_put_them() -> None:
    found = calibrate.fit(measured_with(made_up(), shipped().coefficients))
    assert found["mm_ampere"] == pytest.approx(np.exp(calibrate.priors()["mm_ampere"][0]))


def test_folds_never_split_a_layout_or_a_family() -> None:
    runs = [replace(run, row={**run.row, "dup_group": f"g{i // 3}"}) for i, run in enumerate(made_up())]
    layouts, families = calibrate.by_layout(runs), calibrate.by_family(runs)
    groups = [run.row["dup_group"] for run in runs]
    for group in set(groups):
        assert len({layouts[i] for i, g in enumerate(groups) if g == group}) == 1
    assert len(set(families.tolist())) == len(SHAPES)


def test_the_quantile_is_conformal() -> None:
    assert calibrate.quantile(np.arange(1.0, 10.0)) == 8
    assert calibrate.quantile(np.array([3.0])) == 3


@pytest.mark.long
def test_calibration_leaves_families_out_and_survives_a_round_trip(tmp_path: Path) -> None:
    runs = measured_with(made_up(), shipped().coefficients, noise=0.03)
    apart = calibrate.held_out(runs)
    found = calibrate.calibrate(runs)
    assert apart
    assert not found.families & set(apart)
    assert found.bands["dense:new"] > 0
    path = tmp_path / "calibration.csv"
    save(found, path)
    again = load(path)
    assert again.families == found.families
    assert again.coefficients["mm_hopper"] == pytest.approx(found.coefficients["mm_hopper"], rel=1e-5)
    assert again.bands == pytest.approx(found.bands, abs=1e-4)


def test_a_band_is_symmetric_in_logarithms() -> None:
    low, high = band(2.0, 0.1)
    assert low * high == pytest.approx(4.0)


def test_the_shipped_fit_knows_every_coefficient() -> None:
    fit = shipped()
    assert isinstance(fit, Calibration)
    assert set(fit.coefficients) == {*calibrate.priors(), SITE}
    assert fit.bands[SITE] > 0
    assert all(0.02 < width < 1.0 for width in fit.bands.values())


@pytest.mark.long
@pytest.mark.needs("runs/published_runs.csv")
def test_the_shipped_fit_is_what_the_published_rows_give(shared: Path) -> None:
    from trinch.planner.perf.run_rows import read_table, understand_all

    runs = calibrate.usable(understand_all(read_table(shared))[0].values())
    apart = calibrate.held_out(runs)
    found = calibrate.fit([run for run in runs if calibrate.family(run.case.workload) not in apart])
    for name, value in shipped().coefficients.items():
        assert found[name] == pytest.approx(value, rel=0.02, abs=0.005), name


def test_a_site_is_one_draw_however_many_rows_it_has() -> None:
    run = made_up()[0]
    away = [
        replace(run, case=replace(run.case, elsewhere=True), row={"site": site})
        for site in ("a",) * 4 + ("b",)
    ]
    factor, width = calibrate.site_effect([run, *away], np.array([9.0, -0.1, -0.1, -0.1, -0.1, 0.0]))
    assert 0.02 < factor < 0.05  # towards the mean of the two sites, -0.05, not of the rows
    assert width > 0.05
    nothing_known = calibrate.site_effect([run], np.array([0.1]))
    assert nothing_known[0] == 0.0
    assert nothing_known[1] > width / 2


def test_a_row_of_another_site_is_slower_and_less_certain() -> None:
    base = {"engine": "NeMo", "date": "25.04", "source": "NVIDIA/dgxc-benchmarking v25.04"}
    own, other = (understand(run_row(**base, site=site)) for site in ("", "colossus"))
    assert (own.case.elsewhere, other.case.elsewhere) == (False, True)
    assert shipped().half_width(other.case) > shipped().half_width(own.case)
