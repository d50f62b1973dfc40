"""A plan in a tenth of a second, for an interactive page: best layout, days, effective time, power and cost.

Closed forms replace the simulation of `training_plan`: the layout is the same, days and effective time are expected
values. Bands hold 80 % of cases: the error of the step time and the spread of failure rates between fleets.
"""

import math
from typing import Any

import numpy as np

from trinch.planner.ops.recovery import Options, Survival, fleet_of, pick
from trinch.planner.ops.reliability import Fleet, between_fleets_sigma, expected_ettr, planned_share
from trinch.planner.perf.best_layout import best_plan
from trinch.planner.perf.critical_batch import critical_batch, extra_tokens
from trinch.planner.perf.hardware import PlanError, at_rate, machine
from trinch.planner.perf.layout import Layouts, Plan
from trinch.planner.perf.model_inputs import DEFAULT_DATE, DEFAULT_ENGINE
from trinch.planner.perf.models import at_length
from trinch.planner.perf.proven import unproven_axes
from trinch.planner.perf.workload import Workload
from trinch.planner.pipeline import Sections, cost_of, interval_steps, power_of
from trinch.planner.quantities import gpu_count, quantity
from trinch.planner.training_plan import run_options, year_of

Z80 = 1.2816
"""Standard deviations on each side of the mean that hold 80 % of a normal distribution."""


def estimate(
    model: Workload,
    *,
    gpus: int | str,
    tokens: float | str | None = None,
    days: float | None = None,
    gpu: str = "h100",
    site: str | None = None,
    nic_gbits: float | None = None,
    precision: str = "bf16",
    seq_len: int | None = None,
    batch: int | None = None,
    engine: str | None = None,
    software_date: str | None = None,
    **options: Any,
) -> Sections:
    """Plan `model` on `gpus` GPUs for `tokens`, or for the most tokens in `days`; the rest as for `training_plan.plan`.

    Plain data; docs/api.md describes the fields. Raises PlanError in one sentence."""
    chosen = run_options(options)
    if (tokens is None) == (days is None):
        raise PlanError("give --tokens or --days, not both: the other is what is planned")
    if batch is not None and batch < 1:
        raise PlanError(f"--batch {batch}: at least one sequence is needed")
    if days is not None and not 0 < days <= 36_500:
        raise PlanError(f"--days {days:g}: give a number of days above zero")
    work, on, count = at_length(model, seq_len), at_rate(machine(gpu, site), nic_gbits), gpu_count(gpus)
    date = year_of(software_date) if software_date else DEFAULT_DATE

    def best(budget: float) -> Plan:
        return best_plan(
            work, on, count, budget, precision, batch, engine_name=engine or DEFAULT_ENGINE, date=date
        )

    plan = best(1e12 if tokens is None else quantity(tokens, "--tokens", 1e6))
    fleet = fleet_of(chosen, on)
    for _ in range(0 if days is None else 2):  # the batch depends a little on the budget
        share = effective_share(plan, pick(plan, fleet, plan.n_gpus, chosen), fleet)
        plan = best(max(1e6, plan.tokens * (days or 0.0) * share / plan.days))
    return _described(plan, fleet, pick(plan, fleet, plan.n_gpus, chosen), chosen)


def effective_share(plan: Plan, way: Survival, fleet: Fleet, rate: float = 1.0) -> float:
    """Expected share of wall time that becomes kept steps, at `rate` times the fleet's failures.

    The closed form of `reliability.expected_ettr`, less what the simulation also counts: fallbacks to storage, silent
    corruption that is noticed late, planned interruptions, replicas that are missing while nodes are repaired."""
    mtbf, saved, back = fleet.mtbf_s(plan.n_gpus) / rate, way.checkpoint, way.recovery
    share = expected_ettr(saved.interval_s, saved.stall_s, saved.lag_s, back.down_s(fleet), mtbf)
    if way.kind == "memory":  # failures that hit several nodes
        share -= fleet.network_share * (way.store.interval_s / 2 + way.store.lag_s) / mtbf
    silent = sum(cause.share for cause in fleet.causes if cause.seen_as == "silent")
    share -= silent * back.detect_silent_s * share / mtbf
    share *= (1 - planned_share(back)) * (1 - _missing(plan, fleet.swap_share, back.repair_s / mtbf))
    if share < LEAST_SHARE and rate == 1.0:
        raise PlanError(
            f"{plan.n_gpus:,} GPUs fail every {mtbf / 60:.1f} min and would make almost no progress: use fewer GPUs"
        )
    return max(share, LEAST_SHARE)


def _missing(plan: Plan, swap_share: float, repairs: float) -> float:
    """Mean share of the job that is missing while nodes are repaired; a repair takes `repairs` times between failures,
    and `swap_share` of the failures need one. Nodes in repair are Poisson.

    A job that shrinks lacks whole replicas from one restart to the next. Another waits while more nodes are in repair
    than there are spares; nothing fails meanwhile, so that share is Erlang's loss formula for one place more."""
    mean = swap_share * repairs
    if not plan.replica_nodes:
        waiting = 1.0
        for place in range(1, plan.spare_nodes + 2):
            waiting = mean * waiting / (place + mean * waiting)
        return waiting
    replicas = max(1, plan.nodes // plan.replica_nodes)
    count = np.arange(math.ceil(mean + 8 * math.sqrt(mean)) + 9)
    logs = count * math.log(max(mean, 1e-12)) - mean - np.cumsum(np.log(np.maximum(count, 1)))

    def lost(more: int) -> float:
        short = np.ceil(np.maximum(count + more - plan.spare_nodes, 0) / plan.replica_nodes)
        return float(np.sum(np.exp(logs) * np.minimum(short, replicas - 1))) / replicas

    return swap_share * lost(1) + (1 - swap_share) * lost(0)


LEAST_SHARE = 0.02
"""Below this effective time a run is refused, as the simulation does."""


def _described(plan: Plan, fleet: Fleet, way: Survival, options: Options) -> Sections:
    total, spread = plan.n_gpus + plan.spare_gpus, Z80 * between_fleets_sigma()
    share, poor, good = (effective_share(plan, way, fleet, math.exp(z)) for z in (0.0, spread, -spread))
    low, high = plan.band_s
    step = plan.step_time_s
    days = plan.days / share
    shorter, longer = (
        math.hypot(math.log(step / low), math.log(good / share)),
        math.hypot(math.log(high / step), math.log(share / poor)),
    )
    early, late = days * math.exp(-shorter), days * math.exp(longer)
    hours = (0.3 * early + 0.4 * days + 0.3 * late) * 24 * total  # the mean, by Swanson's rule
    power = power_of(plan, hours, total, share, options)
    domain, experts = plan.machine.gpu.nvlink_domain, bool(plan.workload.experts)
    mtbf = fleet.mtbf_s(plan.n_gpus)
    return {
        "plan": plan.as_dict()
        | {
            "mfu_band": [plan.mfu * step / high, plan.mfu * step / low],
            "memory_limit_gb": plan.machine.gpu.memory_gb,
            "unproven": unproven_axes(Layouts.of([plan.layout]), experts, domain),
            "nic_gbits": plan.machine.nic_gbits,
        },
        "model": plan.workload.facts(),
        "tokens": plan.tokens,
        "batch": {
            "sequences": plan.layout.global_batch,
            "of_critical": plan.tokens_per_step / critical_batch(plan.tokens),
            "extra_tokens": extra_tokens(plan.tokens_per_step, plan.tokens),
        },
        "idle_share": plan.spare_gpus / total,
        "days": {"p10": early, "p50": days, "p90": late},
        "failures": {
            "fleet": fleet.name,
            "mtbf_hours": mtbf / 3600,
            "interruptions": days * 86_400 / mtbf,
            "ettr": {"p10": poor, "p50": share, "p90": good},
            "checkpoint": way.kind,
            "interval_s": way.checkpoint.interval_s,
            "interval_steps": interval_steps(plan, way.checkpoint),
            "restart": "hot" if way.hot else "cold",
        },
        "power": {name: power[name] for name in POWER},
        "cost": _cost(plan, hours, power["energy_mwh"], total, options),
    }


POWER = (
    "site_mw", "site_low_mw", "site_high_mw", "peak_mw", "provision_mw", "limit_mw", "fits",
    "gpus_within_limit", "energy_mwh", "carbon_tonnes", "pue",
)  # fmt: skip


def _cost(plan: Plan, hours: float, mwh: float, total: int, options: Options) -> Sections:
    """Ways to pay, cheapest first, without the sources."""
    found = cost_of(plan, hours, mwh, total, options)
    ways = [{name: way[name] for name in ("how", "usd", "low", "high")} for way in found["ways"]]
    return {"gpu_hours": hours, "ways": sorted(ways, key=lambda way: float(way["usd"]))}
