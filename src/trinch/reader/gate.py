"""The gate: is what was found for a request enough to answer it?

A logistic regression over the readings of the best passages and over how the very best one meets the request's words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trinch.reader.words import Floats

OF_THE_BEST = (0, 1, 2, 3, 5, 8, 11, 12, 13, 14, 15, 16, 17, 18)
"""Columns of `pairs.measure` that are looked at for the best passage: which words of the request it meets."""
FEW = 3
"""Best passages whose mean is looked at."""


class Gate(NamedTuple):
    """Features are standardised; `weights` [features + 1] ends with the constant."""

    mean: Floats
    deviation: Floats
    weights: Floats

    def chance(self, measures: Floats, chances: Floats) -> float:
        """How likely the passages answer: `measures` as `pairs.measure` gives them, `chances` [passages, 2] as
        `Reading` has them. 0 without passages."""
        return self.of(features(measures, chances)) if len(chances) else 0.0

    def of(self, seen: Floats) -> float:
        """The same of `features`."""
        inputs = (seen - self.mean) / self.deviation
        value = float(np.clip(inputs, -4.0, 4.0) @ self.weights[:-1] + self.weights[-1])
        return round(1.0 / (1.0 + float(np.exp(-value))), 4)


def features(measures: Floats, chances: Floats) -> Floats:
    """What the gate looks at, [features]."""
    topic, answer = np.sort(chances, axis=0)[::-1].T
    best = measures[int(np.argmax(np.round(chances[:, 0] * chances[:, 1], 6)))]
    of_all = [
        _log_odds(topic[0]),
        _log_odds(topic[:FEW].mean()),
        _log_odds(answer[0]),
        _log_odds(answer[:FEW].mean()),
        np.log1p((topic > 0.5).sum()),
    ]
    return np.array([*of_all, *best[list(OF_THE_BEST)]], np.float32)


def _log_odds(chance: float) -> float:
    kept = min(max(float(chance), 0.005), 0.995)
    return float(np.log(kept / (1.0 - kept)))
