"""Completion date: GPUs delivered over time, late deliveries, and the probability of meeting a deadline.

Inputs are the work in GPU-seconds of undisturbed training and, for each fleet size, a sample of its effective
training time (from `run_simulation`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np

from trinch.planner.ops.tables import table
from trinch.planner.perf.hardware import PlanError
from trinch.planner.simulate.run_simulation import Floats, percentiles

DAY = 86_400.0
FIRST_YEAR, LAST_YEAR = 2000, 2200
LONGEST = timedelta(days=36_500)


@dataclass(frozen=True, slots=True)
class Tranche:
    """From `on`, `gpus` GPUs in total are promised."""

    on: date
    gpus: int


def parse_date(text: str) -> date:
    """A date as 2025-12-31. PlanError otherwise."""
    try:
        found = date.fromisoformat(text.strip())
    except ValueError:
        raise PlanError(f"{text!r} is no date: write it as 2025-12-31") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise PlanError(f"{text}: plans are made for {FIRST_YEAR} to {LAST_YEAR}")
    return found


def parse_count(text: str) -> int:
    """A number of GPUs: 20000, 20,000, 20k. PlanError otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(k?)", text.strip().lower().replace(",", "").replace("_", ""))
    count = Decimal(match[1]) * (1000 if match[2] else 1) if match else Decimal(0)
    if not match or count < 1 or count != int(count):
        raise PlanError(f"{text!r} is no number of GPUs: write 20000 or 20k")
    return int(count)


def parse_ramp(text: str, start: date) -> list[Tranche]:
    """`20k@now;100k@2025-12-31` (or separated by spaces): totals, each from its date, growing.

    PlanError says which part is wrong."""
    tranches = []
    for part in re.split(r"[;\s]+", text.strip()):
        count, at, when = part.partition("@")
        if not at:
            raise PlanError(f"{part!r} has no date: write GPUS@DATE, for example 20k@now;100k@2025-12-31")
        on = start if when.strip().lower() == "now" else parse_date(when)
        tranches.append(Tranche(max(on, start), parse_count(count)))
    for earlier, later in pairwise(tranches):
        if later.on < earlier.on or later.gpus <= earlier.gpus:
            raise PlanError(f"the ramp must grow with time: {later.gpus:,} on {later.on} does not")
    return tranches


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the run ends. `days` are percentiles of days from the start."""

    start: date
    ramp: list[Tranche]
    days: dict[str, float]
    finish: dict[str, date]
    mean_gpus: float
    gpu_hours: float
    deadline: date | None
    probability: float | None
    latest_start: date | None
    """The last day to start and still meet the deadline with 90 % probability, the ramp moving along."""


def schedule(
    work_gpu_s: float,
    start: date,
    ramp: Sequence[Tranche],
    ettr: Callable[[int], Floats],
    *,
    usable: Callable[[int], int] = lambda gpus: gpus,
    work_sigma: float = 0.0,
    slip_days: float | None = None,
    deadline: date | None = None,
    trials: int = 1000,
    seed: int = 0,
) -> Schedule:
    """The calendar of `work_gpu_s` GPU-seconds of undisturbed training.

    `ettr(n)` gives `trials` samples of the effective training time of n GPUs, `usable(n)` how many of n a
    layout can use. GPUs there at the start never slip; each later tranche is late by an exponential time of
    mean `slip_days`, and tranches arrive in order. GPUs of a tranche work at the same rate as those before.
    """
    rng = np.random.default_rng(seed + 1)
    mean_slip = table("ownership")["delivery_slip_days"].value if slip_days is None else slip_days
    goal = work_gpu_s * np.exp(work_sigma * rng.standard_normal(trials))
    arrivals = np.zeros((len(ramp), trials))
    for index, tranche in enumerate(ramp):
        offset = (tranche.on - start).days * DAY
        if offset > 0:
            arrivals[index] = offset + rng.exponential(mean_slip * DAY, trials)
    arrivals = np.maximum.accumulate(arrivals, axis=0)

    done = np.zeros(trials)
    finish = np.full(trials, np.nan)
    held = np.zeros(trials)  # GPU-seconds of wall time
    for index, tranche in enumerate(ramp):
        rate = usable(tranche.gpus) * ettr(tranche.gpus)
        until = arrivals[index + 1] if index + 1 < len(ramp) else np.full(trials, np.inf)
        need = np.maximum(0.0, goal - done) / np.maximum(rate, 1e-9)
        ends = np.isnan(finish) & (arrivals[index] + need <= until)
        span = np.where(ends, need, np.where(np.isnan(finish), until - arrivals[index], 0.0))
        done += rate * span
        held += tranche.gpus * span
        finish = np.where(ends, arrivals[index] + need, finish)
    days = percentiles(finish / DAY)
    if days["p90"] > LONGEST.days:
        gpus = ramp[-1].gpus
        raise PlanError(
            f"the run would take {days['p50'] / 365:,.0f} years on {gpus:,} GPUs: use more, or fewer tokens"
        )
    probability = latest = None
    if deadline is not None:
        allowed = (deadline - start).days + 1.0  # the whole day of the deadline counts
        probability = float(np.mean(finish / DAY <= allowed)) if allowed > 0 else 0.0
        latest = deadline + timedelta(days=1) - timedelta(days=float(np.ceil(days["p90"])))
    return Schedule(
        start=start,
        ramp=list(ramp),
        days=days,
        finish={key: start + timedelta(days=value) for key, value in days.items()},
        mean_gpus=float(np.mean(held / finish)),
        gpu_hours=float(np.mean(held)) / 3600,
        deadline=deadline,
        probability=probability,
        latest_start=latest,
    )
