"""The best layout alone, in a tenth of the time of a search: what an interactive page needs.

Of each way to cut the model only the layout on most GPUs is priced, with the least recomputation that fits. More
recomputation is never faster, fewer GPUs almost never; tests compare the result with the complete search.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from trinch.planner.perf.calibration import Calibration, shipped
from trinch.planner.perf.hardware import Machine, PlanError
from trinch.planner.perf.layout import RECOMPUTE, Layouts, Plan, total
from trinch.planner.perf.layout_grid import widest_layouts
from trinch.planner.perf.layout_search import (
    band_widths,
    by_chunks,
    check,
    default_batch,
    nothing_fits,
    planned_case,
    priced,
)
from trinch.planner.perf.memory import USABLE, memory_bytes
from trinch.planner.perf.model_inputs import DEFAULT_DATE, DEFAULT_ENGINE, Case, Cases, known_engine
from trinch.planner.perf.workload import Workload


def best_plan(
    work: Workload,
    machine: Machine,
    gpus: int,
    tokens: float,
    precision: str = "bf16",
    batch: int | None = None,
    *,
    engine_name: str = DEFAULT_ENGINE,
    date: float = DEFAULT_DATE,
) -> Plan:
    """The layout with the highest lower bound of speed, as `search` defines it, for `batch` sequences a step (met
    exactly) or the default batch. Raises PlanError as `search` does.

    The same question with another budget of tokens costs nothing: only the batch depends on it, and rarely."""
    check(machine, gpus, tokens, precision)
    target = batch or default_batch(work, gpus, tokens)
    engine = known_engine(engine_name, date)
    case = planned_case(work, machine, precision, engine, date)
    return replace(_best(case, gpus, target, batch is not None), tokens=tokens)


@lru_cache(maxsize=256)
def _best(case: Case, gpus: int, target: int, exact: bool) -> Plan:
    fit = shipped()
    grid = widest_layouts(case.workload, case.machine, gpus, target, exact)
    good = _fitting(case, grid) if len(grid) else grid
    if not len(good):
        raise PlanError(nothing_fits(case, gpus, target, exact))
    return priced(case, [good[_fastest(case, good, fit)]], gpus, 1.0, fit)[0]


def _fitting(case: Case, grid: Layouts) -> Layouts:
    """Those that fit, each with the least recomputation that lets it fit."""
    on = Cases.of([case])
    least = np.full(len(grid), len(RECOMPUTE))
    for level in reversed(range(len(RECOMPUTE))):
        at = replace(grid, recompute=np.full(len(grid), float(level)))
        fits = by_chunks(at, lambda part: memory_bytes(on, part)) <= on.memory * USABLE
        least = np.where(fits, level, least)
    return replace(grid, recompute=least.astype(float)).take(least < len(RECOMPUTE))


def _fastest(case: Case, good: Layouts, fit: Calibration) -> int:
    """Place of the highest lower bound of speed."""
    step = by_chunks(good, lambda part: total(fit.price([case], part)))
    return int(np.argmax(good.global_batch / step * np.exp(-band_widths(case, good, fit))))
