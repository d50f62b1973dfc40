"""Inverse questions: the fewest GPUs, or the most tokens, for a number of days. Failures and restarts count."""

import math
from collections.abc import Callable

from trinch.planner.ops.recovery import Options, fleet_of, pick
from trinch.planner.ops.reliability import planned_share
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import Plan
from trinch.planner.perf.layout_search import Search

Find = Callable[[int, float], Search]
CLOSE = 1.005
"""The fewest GPUs are found to within half a percent."""


def wall_days(plan: Plan, options: Options) -> float:
    """Expected days of the whole run: days of stepping over the expected effective time."""
    way = pick(plan, fleet_of(options, plan.machine), plan.n_gpus, options)
    share = way.expected * (1 - planned_share(way.recovery))
    return plan.days / share if share > 0 else float("inf")


def tokens_for(find: Find, gpus: int, days: float, options: Options) -> float:
    """The tokens that `gpus` GPUs train on in `days` days."""
    budget = 1e12
    for _ in range(3):  # the batch depends a little on the budget
        plan = find(gpus, budget).chosen
        budget = max(1e6, budget * days / wall_days(plan, options))
    return budget


def gpus_for(find: Find, tokens: float, days: float, most: int, options: Options) -> int:
    """The fewest GPUs, in whole nodes, that train on `tokens` tokens in `days` days. PlanError if none do."""

    def took(gpus: int) -> float:
        try:
            return wall_days(find(gpus, tokens).chosen, options)
        except PlanError:  # too few to hold the model, or too many for the batch
            return float("inf")

    sample = smallest(find, tokens, most)
    per, peak = sample.machine.gpu.gpus_per_node, sample.machine.gpu.peak_tflops(sample.precision) * 1e12
    flawless = tokens * sample.workload.training_flops_per_token() / (peak * days * 86_400)
    high = min(most, max(per, math.ceil(flawless / per) * per))
    while took(high) > days:
        if high >= most:
            raise PlanError(_too_slow(took, tokens, days, most))
        high = min(2 * high, most)
    low = high // 2 // per * per
    while high - low > per and high > low * CLOSE:
        middle = max(low + per, (low + high) // 2 // per * per)
        if middle >= high:
            break
        low, high = (low, middle) if took(middle) <= days else (middle, high)
    return high


def smallest(find: Find, tokens: float, most: int) -> Plan:
    """A plan on few GPUs, the first power of eight that holds the model. PlanError if none does."""
    count = 8
    while True:
        try:
            return find(count, tokens).chosen
        except PlanError:
            if count >= most:
                raise
            count = min(8 * count, most)


def _too_slow(took: Callable[[int], float], tokens: float, days: float, most: int) -> str:
    tried = [most // 2**halves for halves in range(8) if most // 2**halves]
    best, gpus = min((took(count), count) for count in tried)
    return (
        f"no number of GPUs trains on {tokens:.3g} tokens in {days:g} days: {gpus:,} take {best:,.1f} days, "
        "and more lose to failures or find no batch"
    )
