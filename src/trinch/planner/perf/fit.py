"""Fitting the coefficients of the step-time model to measured runs.

Maximum a posteriori: robust (Huber) residuals of log step time, and a prior on every coefficient so that the
few that a table does not determine stay where physics put them. Levenberg-Marquardt in plain numpy.
data/coefficients.csv holds names, priors and meanings. This module also decides which families are left out of
the fit and cross-validates to set the bands. Run by `trinch plan calibrate RUNS.csv`.
"""

import math
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from trinch.planner.perf.calibration import COVERAGE, Calibration, band_groups, family
from trinch.planner.perf.hardware import PlanError, table
from trinch.planner.perf.layout import Array, Layouts
from trinch.planner.perf.model_inputs import Cases, engine_names
from trinch.planner.perf.run_rows import Run, site_of
from trinch.planner.perf.step_time import SITE, step_time

NOISE = 0.05
"""Spread of log step time a perfect model would leave: the same layout differs by 4 % between releases."""
HUBER = 1.5
"""Residuals beyond this many times the noise count linearly, not squared."""
ENGINE_SPREAD = 0.08
YEAR_SPREAD = 0.05
SITE_SPREAD = 0.05
"""Prior of the log factor of a site: the releases of one engine differ by 4 % at one site."""
Z80 = 1.2816
"""Standard deviations on each side of the mean that hold 80 % of a normal distribution."""
FOLDS = 5
BAND_ROWS = 8
"""A group has a band of its own from this many rows."""
BAND_FAMILIES = 3
"""Families from which a group's band for unseen ones no longer has to be as wide as that around it."""
SERIES_POWER = 0.4
"""A series of n alike rows (one family, source, GPU and precision) weighs n ** (1 - this), not n."""
BLACKWELL_WEIGHT = 0.5
"""Young software: its rows count half."""


@cache
def priors() -> dict[str, tuple[float, float]]:
    """Coefficient: (prior, spread). Positive ones in logarithms; drifts and engine factors are additive."""
    found = {
        row["name"]: (math.log(float(row["prior"])), float(row["spread"]))
        for row in table("coefficients.csv")
    }
    found |= {"year_dense": (0.0, YEAR_SPREAD), "year_moe": (0.0, 3 * YEAR_SPREAD)}
    names = engine_names()
    return found | {f"engine:{name}": (0.0, ENGINE_SPREAD) for name in names}


def additive(name: str) -> bool:
    """Is the coefficient used as an exponent itself, rather than as a positive factor?"""
    return name.startswith(("engine:", "year_"))


def coefficients(values: Array) -> dict[str, float]:
    """Named coefficients from the vector of the fit."""
    return {
        name: float(v if additive(name) else math.exp(v)) for name, v in zip(priors(), values, strict=True)
    }


def fit(runs: Sequence[Run], rounds: int = 25) -> dict[str, float]:
    """Coefficients fitted to the measured runs."""
    on, at = Cases.of([r.case for r in runs]), Layouts.of([r.layout for r in runs])
    measured = np.log([r.measured_s or math.nan for r in runs])
    weight = weights(runs)
    centre = np.array([p[0] for p in priors().values()])
    spread = np.array([p[1] for p in priors().values()])

    def residual(x: Array) -> Array:
        return (np.log(step_time(on, at, coefficients(x))) - measured) / NOISE

    def loss(r: Array, x: Array) -> float:
        size = np.abs(r)
        huber = np.where(size <= HUBER, 0.5 * size**2, HUBER * (size - 0.5 * HUBER))
        return float(np.sum(weight * huber) + 0.5 * np.sum(((x - centre) / spread) ** 2))

    x, damping = centre.copy(), 1e-2
    r = residual(x)
    best = loss(r, x)
    for _ in range(rounds):
        slope = np.stack([(residual(x + step) - r) / 1e-4 for step in np.eye(len(x)) * 1e-4], axis=1)
        trust = weight * np.minimum(1.0, HUBER / np.maximum(np.abs(r), 1e-9))
        normal = slope.T @ (slope * trust[:, None]) + np.diag(1 / spread**2)
        gradient = slope.T @ (trust * r) + (x - centre) / spread**2
        before = best
        for _ in range(8):
            trial = x - np.linalg.solve(normal + damping * np.diag(np.diag(normal)), gradient)
            tried = residual(trial)
            value = loss(tried, trial)
            if value < best:
                x, r, best, damping = trial, tried, value, damping / 5
                break
            damping *= 5
        if before - best < 1e-4 * before:
            break
    return coefficients(x)


def weights(runs: Sequence[Run]) -> Array:
    """Weight of each run in the fit."""
    series = [
        (family(r.case.workload), r.row.get("source"), r.case.machine.gpu.name, r.case.precision)
        for r in runs
    ]
    count = Counter(series)
    young = np.array([r.case.machine.gpu.generation == "blackwell" for r in runs])
    return np.array([count[s] ** -SERIES_POWER for s in series]) * np.where(young, BLACKWELL_WEIGHT, 1.0)


def usable(runs: Iterable[Run]) -> list[Run]:
    """Runs with a measurement that may be scored: tier C rows are incomplete."""
    return [r for r in runs if r.measured_s and r.row.get("tier") != "C"]


def held_out(runs: Iterable[Run]) -> list[str]:
    """Families kept out of the fit: of all in alphabetical order every fifth, from the third."""
    return sorted({family(r.case.workload) for r in runs})[2::5]


def calibrate(runs: Sequence[Run]) -> Calibration:
    """Fit on the families that are not held out; bands from errors on rows a fit had not seen."""
    apart = set(held_out(runs))
    known = [r for r in runs if family(r.case.workload) not in apart]
    if len(known) < 50:
        raise PlanError(f"{len(known)} measured runs are too few to calibrate on: 50 are needed")
    new = cross_errors(known, by_family(known))
    seen = cross_errors(known, by_layout(known))
    factor, spread = site_effect(known, new)
    widths = bands(known, new, seen) | {SITE: spread}
    return Calibration(fit(known) | {SITE: factor}, widths, frozenset(family(r.case.workload) for r in known))


def site_effect(runs: Sequence[Run], errors: Array) -> tuple[float, float]:
    """(log factor, 80 % log half-width) of step time at a site other than those an engine was measured at.

    A site is one draw, however many rows it has: the mean of the sites' mean `errors`, shrunk towards no effect as a
    normal prior of SITE_SPREAD asks; the width holds the spread between sites and the error of that mean."""
    by_site: dict[str, list[float]] = {}
    for run, error in zip(runs, errors, strict=True):
        if run.case.elsewhere:
            by_site.setdefault(site_of(run.row), []).append(float(error))
    means = np.array([np.mean(some) for some in by_site.values()])
    spread = max(float(np.std(means, ddof=1)), SITE_SPREAD / 2) if len(means) > 1 else SITE_SPREAD
    own = spread**2 / len(means) if len(means) else math.inf
    kept = SITE_SPREAD**2 / (SITE_SPREAD**2 + own)
    factor = -kept * float(np.mean(means)) if len(means) else 0.0
    return factor, Z80 * math.hypot(spread, SITE_SPREAD * math.sqrt(1 - kept))


def bands(runs: Sequence[Run], new: Array, seen: Array) -> dict[str, float]:
    """Half-widths by group from log errors of the runs as members of a family the fit did not see (`new`) or
    did (`seen`). The widest groups have one whatever their size.

    A group of few families says little about the next one: its `new` width is no narrower than that of the group
    around it."""
    groups = [band_groups(r.case) for r in runs]
    families = np.array([family(r.case.workload) for r in runs])
    found: dict[str, float] = {}
    for level in (2, 1, 0):
        names = np.array([group[level] for group in groups])
        around = {group[level]: group[min(level + 1, 2)] for group in groups}
        for name in sorted(set(names.tolist())):
            inside = names == name
            if inside.sum() < (1 if level == 2 else BAND_ROWS):
                continue
            found[f"{name}:new"] = quantile(np.abs(new[inside]))
            found[f"{name}:seen"] = quantile(np.abs(seen[inside]))
            if len(set(families[inside].tolist())) < BAND_FAMILIES:
                wider = found.get(f"{around[name]}:new", 0.0)
                found[f"{name}:new"] = max(found[f"{name}:new"], wider)
    return found


def quantile(sizes: Array) -> float:
    """The conformal quantile of n error sizes: the k-th smallest, which holds k / (n + 1) of new errors in
    expectation, for the k nearest to 80 %."""
    place = min(max(1, round(COVERAGE * (len(sizes) + 1))), len(sizes))
    return float(np.sort(sizes)[place - 1])


def by_family(runs: Sequence[Run]) -> NDArray[np.intp]:
    """Fold of each run: one fold a family."""
    names = [family(r.case.workload) for r in runs]
    return np.array([sorted(set(names)).index(name) for name in names])


def by_layout(runs: Sequence[Run]) -> NDArray[np.intp]:
    """Fold of each run: five, never splitting a layout measured in several releases (dup_group)."""
    groups = [r.row.get("dup_group") or r.id for r in runs]
    return np.array([zlib.crc32(group.encode()) % FOLDS for group in groups])


def cross_errors(runs: Sequence[Run], folds: NDArray[np.intp]) -> Array:
    """Log errors, predicted over measured, of each run by the fit that did not see its fold."""
    errors = np.zeros(len(runs))
    for one in sorted(set(folds.tolist())):
        out = folds == one
        found = fit([r for r, left in zip(runs, out, strict=True) if not left], rounds=10)
        errors[out] = log_errors([r for r, left in zip(runs, out, strict=True) if left], found)
    return errors


def log_errors(runs: Sequence[Run], found: dict[str, float]) -> Array:
    """Log of predicted over measured step time."""
    predicted = step_time(Cases.of([r.case for r in runs]), Layouts.of([r.layout for r in runs]), found)
    return np.asarray(np.log(predicted / np.array([r.measured_s for r in runs], float)))
