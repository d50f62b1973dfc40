"""Counts as people write them: 20000, 20k, 15.6T."""

import re

from trinch.planner.perf.hardware import PlanError

UNITS = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}


def quantity(text: str | float, name: str, least: float) -> float:
    """A count such as 20000, 20k, 15.6T. PlanError if it is none, or so small that a unit must be missing."""
    written = str(text).strip()
    match = re.fullmatch(
        r"(\d+(?:\.\d+)?(?:e\+?\d{1,3})?)\s*([kmbgt]?)", written.lower().replace(",", "").replace("_", "")
    )
    if not match:
        raise PlanError(f"{name} {written!r} is not a count: write for example 10T, 300B or 20k")
    value = float(match[1]) * UNITS.get(match[2], 1.0)
    if value < least:
        raise PlanError(f"{name} {written} is too small: did you forget the unit, as in {match[1]}T?")
    if value > 1e18:
        raise PlanError(f"{name} {written} is too large")
    return value


def gpu_count(text: str | float) -> int:
    """A number of GPUs. PlanError unless it is whole and positive."""
    value = quantity(text, "--gpus", 0.0)
    if value < 1 or value != int(value):
        raise PlanError(f"--gpus {text}: a whole number of GPUs is needed, for example 20000 or 20k")
    return int(value)
