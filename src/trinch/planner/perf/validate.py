"""Errors of predictions against measurements by family, and the coverage of the bands."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from trinch.planner.perf import fit as calibrate
from trinch.planner.perf.calibration import Calibration, band, family, shipped
from trinch.planner.perf.fit import usable
from trinch.planner.perf.run_rows import Run, predict

WITHIN = {"ampere", "hopper"}
"""GPU generations the accuracy targets are about."""


@dataclass(frozen=True)
class Score:
    """Errors of a group of rows, as shares of the measured step time."""

    group: str
    rows: int
    mape: float
    median: float
    worst: float
    bias: float
    covered: float
    fitted: str

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return asdict(self)


def score(group: str, records: Sequence[dict[str, Any]], measured: Sequence[float], fitted: str) -> Score:
    """Score records that hold an `error` against their measured step times."""
    error = np.array([record["error"] for record in records])
    inside = [low <= y <= high for (low, high), y in zip((r["band"] for r in records), measured, strict=True)]
    return Score(
        group=group,
        rows=len(error),
        mape=float(np.mean(np.abs(error))),
        median=float(np.median(np.abs(error))),
        worst=float(np.max(np.abs(error))),
        bias=float(np.median(error)),
        covered=float(np.mean(inside)),
        fitted=fitted,
    )


def cross_validated(runs: Sequence[Run]) -> list[Score]:
    """Every usable run scored by a fit that saw no row of its family; bands as shipped for new families."""
    runs = usable(runs)
    folds = calibrate.by_family(runs)
    width = Calibration({}, shipped().bands, frozenset())
    records = []
    for run, miss in zip(runs, calibrate.cross_errors(runs, folds), strict=True):
        step = (run.measured_s or 0.0) * math.exp(miss)
        records.append({"error": math.exp(miss) - 1, "band": band(step, width.half_width(run.case))})
    return _grouped(runs, records, lambda _: "cross-validated")


def by_family(runs: Sequence[Run], fit: Calibration) -> list[Score]:
    """Scores of every family and GPU generation, then of all dense and all expert rows, seen and held out.

    Runs without a measurement, and those of tier C, are left out.
    """
    runs = usable(runs)
    return _grouped(
        runs,
        predict(runs, fit),
        lambda run: "fitted" if family(run.case.workload) in fit.families else "held out",
    )


def _grouped(
    runs: Sequence[Run], records: Sequence[dict[str, Any]], status: Callable[[Run], str]
) -> list[Score]:
    places: dict[tuple[str, str], list[int]] = {}
    totals: dict[tuple[str, str], list[int]] = {}
    for i, run in enumerate(runs):
        generation = run.case.machine.gpu.generation
        kind = "moe" if run.case.workload.experts else "dense"
        where = "A100 H100 H200" if generation in WITHIN else "Blackwell"
        title = f"{family(run.case.workload)} {run.case.engine.name} {generation}"
        places.setdefault((title, status(run)), []).append(i)
        totals.setdefault((f"all {kind}, {where}", status(run)), []).append(i)
    return [
        score(name, [records[i] for i in which], [runs[i].measured_s or 0.0 for i in which], left)
        for groups in (places, totals)
        for (name, left), which in sorted(groups.items())
    ]
