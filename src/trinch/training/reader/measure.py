"""Measures of a scorer on held-out requests: rank of the answers, answerable or not, calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The chance that a positive scores above a negative (Mann-Whitney; ties count half)."""
    high, low = np.asarray(positive, float), np.asarray(negative, float)
    if not len(high) or not len(low):
        return float("nan")
    order = np.sort(low)
    below, upto = np.searchsorted(order, high, "left"), np.searchsorted(order, high, "right")
    return float((below + upto).mean() / 2 / len(low))


def first_ranks(scores: Sequence[Sequence[float]], relevant: Sequence[Sequence[bool]]) -> list[int]:
    """Of each request, the rank (from 1) of the first relevant passage; 0 where none is relevant."""
    ranks = []
    for row, good in zip(scores, relevant, strict=True):
        order = np.argsort(-np.asarray(row), kind="stable")
        hits = np.flatnonzero(np.asarray(good, bool)[order])
        ranks.append(int(hits[0]) + 1 if len(hits) else 0)
    return ranks


def within(ranks: Sequence[int], depths: Sequence[int] = (1, 3, 5, 10)) -> dict[int, int]:
    """How many of the ranks are within each depth."""
    return {depth: sum(0 < rank <= depth for rank in ranks) for depth in depths}


class Calibration(NamedTuple):
    """chance = sigmoid(scale * logit + shift), and the threshold from which a passage counts as an answer."""

    scale: float
    shift: float
    threshold: float


def calibrate(logits: Sequence[float], labels: Sequence[float], steps: int = 60) -> tuple[float, float]:
    """Scale and shift that fit best (Platt 1999), by Newton's method on the log loss."""
    x, y = np.asarray(logits, float), np.asarray(labels, float)
    weights = np.array([1.0, 0.0])
    design = np.stack([x, np.ones_like(x)], axis=1)
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        slope = design.T @ (chance - y) + 1e-3 * (weights - [1.0, 0.0])
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + 1e-3 * np.eye(2)
        weights = weights - np.linalg.solve(curve, slope)
    return float(weights[0]), float(weights[1])


def expected_error(chances: Sequence[float], labels: Sequence[float], bins: int = 10) -> float:
    """Expected calibration error: mean distance of chance and frequency over equal bins, weighted by their size."""
    p, y = np.asarray(chances, float), np.asarray(labels, float)
    place = np.minimum((p * bins).astype(int), bins - 1)
    return float(sum(abs(p[place == b].sum() - y[place == b].sum()) for b in range(bins)) / max(1, len(p)))


def best_threshold(answerable: Sequence[float], unanswerable: Sequence[float]) -> float:
    """The best score of a request that separates best: highest balanced accuracy, halfway between neighbours."""
    values = sorted({*answerable, *unanswerable})
    cuts = [(a + b) / 2 for a, b in pairwise(values)] or [0.5]
    high, low = np.asarray(answerable), np.asarray(unanswerable)
    return float(max(cuts, key=lambda cut: (high >= cut).mean() + (low < cut).mean()))


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x)."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, x))))
