"""Fitting the coefficients of the step-time model to measured runs.

Maximum a posteriori: robust (Huber) residuals of log step time, and a prior on every coefficient so that the
few that a table does not determine stay where physics put them. Levenberg-Marquardt in plain numpy.
Owns data/coefficients.csv (names, priors, meaning) and data/calibration.csv (the shipped fit).
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from trinch.cluster.cases import Cases, _engines
from trinch.cluster.hardware import table
from trinch.cluster.layout import Array, Layouts
from trinch.cluster.predict import Run
from trinch.cluster.steptime import step_time

NOISE = 0.05
"""Spread of log step time a perfect model would leave: the same layout differs by 4 % between releases."""
HUBER = 1.5
ENGINE_SPREAD = 0.06
YEAR_SPREAD = 0.05


@cache
def priors() -> dict[str, tuple[float, float]]:
    """Coefficient: (prior, spread). Positive ones in logarithms; drifts and engine factors are additive."""
    found = {row["name"]: (math.log(float(row["prior"])), float(row["spread"])) for row in table("coefficients.csv")}
    found |= {"year_dense": (0.0, YEAR_SPREAD), "year_moe": (0.0, 3 * YEAR_SPREAD)}
    names = sorted({row["engine"] for row in _engines()})
    return found | {f"engine:{name}": (0.0, ENGINE_SPREAD) for name in names}


def additive(name: str) -> bool:
    """Is the coefficient used as an exponent itself, rather than as a positive factor?"""
    return name.startswith(("engine:", "year_"))


def coefficients(values: Array) -> dict[str, float]:
    """Named coefficients from the vector of the fit."""
    return {
        name: float(v if additive(name) else math.exp(v)) for name, v in zip(priors(), values, strict=True)
    }


def fit(runs: Sequence[Run], weights: Array | None = None, rounds: int = 25) -> dict[str, float]:
    """Coefficients fitted to the measured runs."""
    on, at = Cases.of([r.case for r in runs]), Layouts.of([r.layout for r in runs])
    measured = np.log([r.measured_s or math.nan for r in runs])
    weight = np.ones(len(runs)) if weights is None else weights
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
