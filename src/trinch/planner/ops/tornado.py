"""Which inputs move the days and the cost of a run most: each of twelve varied over its range, alone.

Uses the closed forms (expected effective time, energy, depreciation), not the simulation.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

from trinch.planner.ops import cost
from trinch.planner.ops import reliability as rel
from trinch.planner.ops.recovery import Options, Survival, fleet_of
from trinch.planner.ops.tables import table
from trinch.planner.perf.layout import Plan


@dataclass(frozen=True, slots=True)
class Inputs:
    """The twelve inputs. Costs are those of owning; without a price of the GPU the cost is 0."""

    step_time_s: float
    failures_per_gpu_day: float
    restart_s: float
    detect_hang_s: float
    store_gbps_per_gpu: float
    planned_per_day: float
    watts_per_gpu: float
    pue: float
    usd_per_kwh: float
    usd_per_gpu: float
    depreciation_years: float
    operations_share: float


def tornado(plan: Plan, way: Survival, options: Options) -> list[dict[str, Any]]:
    """Rows with days and USD at the low and the high end of each input, widest cost first (days without cost)."""
    base, ranges = _ranges(plan, options)
    days, usd = _outcome(plan, way, options, base)
    rows = []
    for name, (low, high) in ranges.items():
        ends = [_outcome(plan, way, options, replace(base, **{name: end})) for end in (low, high)]
        rows.append(
            {
                "input": name,
                "low": low,
                "base": getattr(base, name),
                "high": high,
                "days": [end[0] for end in ends],
                "usd": [end[1] for end in ends],
            }
        )

    def swing(row: dict[str, Any]) -> float:
        ends, middle = (row["usd"], usd) if usd else (row["days"], days)
        return float(max(abs(end - middle) for end in ends))

    return sorted(rows, key=swing, reverse=True)


def _ranges(plan: Plan, options: Options) -> tuple[Inputs, dict[str, tuple[float, float]]]:
    """The inputs as planned, and the low and high end of each."""
    gpu, spread = plan.machine.gpu.name, rel.between_fleets_sigma() * 1.2816
    rate = fleet_of(options, plan.machine).per_gpu_day
    operations, power, owning = table("operations"), table("power"), table("ownership")
    nameplate = power[f"{gpu}.nameplate_w"].value
    ratio = power["mean_over_nameplate"]
    watts = power.get(f"{gpu}.mean_w")
    price = table("prices").get(f"own.{gpu}")
    facts = {
        "restart_s": operations["restart_hot_s" if options.hot else "restart_cold_s"],
        "detect_hang_s": operations["detect_hang_s"],
        "store_gbps_per_gpu": operations["store_gbps_per_gpu"],
        "planned_per_day": operations["planned_per_day"],
        "pue": power["pue"],
        "usd_per_kwh": owning["electricity_usd_per_kwh"],
        "depreciation_years": owning["depreciation_years"],
        "operations_share": owning["operations_share"],
    }
    ranges = {name: (fact.low, fact.high) for name, fact in facts.items()}
    ranges["step_time_s"] = plan.band_s
    ranges["failures_per_gpu_day"] = (rate * math.exp(-spread), rate * math.exp(spread))
    ranges["watts_per_gpu"] = (
        (watts.low, watts.high) if watts else (nameplate * ratio.low, nameplate * ratio.high)
    )
    ranges["usd_per_gpu"] = (price.low, price.high) if price else (0.0, 0.0)
    base = {name: fact.value for name, fact in facts.items()} | {
        "step_time_s": plan.step_time_s,
        "failures_per_gpu_day": rate,
        "watts_per_gpu": watts.value if watts else nameplate * ratio.value,
        "usd_per_gpu": price.value if price else 0.0,
        "pue": options.pue or power["pue"].value,
        "usd_per_kwh": options.usd_per_kwh
        if options.usd_per_kwh is not None
        else owning["electricity_usd_per_kwh"].value,
    }
    return Inputs(**base), {
        name: (min(low, base[name]), max(high, base[name])) for name, (low, high) in ranges.items()
    }


def _outcome(plan: Plan, way: Survival, options: Options, at: Inputs) -> tuple[float, float]:
    """(days, USD of owning for that time) with these inputs."""
    gpus = plan.n_gpus + plan.spare_gpus
    fleet = replace(fleet_of(options, plan.machine), per_gpu_day=at.failures_per_gpu_day)
    mtbf = fleet.mtbf_s(plan.n_gpus)
    store = options.store_gbps or at.store_gbps_per_gpu * plan.n_gpus
    saved = rel.checkpoint(
        way.kind, way.checkpoint.bytes, plan.n_gpus, mtbf, at.step_time_s, store, options.interval_s
    )
    back = replace(way.recovery, restart_s=at.restart_s, detect_hang_s=at.detect_hang_s)
    share = rel.expected_ettr(saved.interval_s, saved.stall_s, saved.lag_s, back.down_s(fleet), mtbf)
    share *= 1 - min(0.9, at.planned_per_day * at.restart_s / 86_400)
    days = plan.steps * at.step_time_s / 86_400 / max(share, 1e-6)
    years = days * 24 / cost.YEAR_HOURS
    extra = 1 + table("power")["network_storage_share"].value
    energy = gpus * at.watts_per_gpu / 1e3 * extra * at.pue * days * 24 * at.usd_per_kwh
    capital = gpus * at.usd_per_gpu * years
    return days, capital * (1 / at.depreciation_years + at.operations_share) + (
        energy if at.usd_per_gpu else 0.0
    )
