"""Some days of a plan's run, simulated with spares, repairs and failures of whole racks, switches, power and cooling.

Unlike the run of `pipeline`, the rate of failures is that of the fleet itself, not spread between fleets.
"""

from dataclasses import dataclass, replace
from typing import Any

from trinch.planner.ops.domains import NAMES
from trinch.planner.ops.recovery import Options, Survival, fleet_of, pick
from trinch.planner.perf.hardware import PlanError
from trinch.planner.perf.layout import Plan
from trinch.planner.simulate.run_simulation import Job, Outcome, percentiles, simulate

PARTS = ("productive", "stall", "lost", "down", "waiting", "shrunk")


@dataclass(frozen=True, slots=True)
class RunDays:
    """What was simulated: the way to checkpoint, all failures, and those of single nodes alone."""

    days: float
    spare_nodes: int
    way: Survival
    outcome: Outcome
    alone: Outcome

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        seen, wall = self.outcome, self.outcome.wall.mean()
        return {
            "days": self.days,
            "spare_nodes": self.spare_nodes,
            "checkpoint": self.way.kind,
            "interval_s": self.way.checkpoint.interval_s,
            "ettr": percentiles(seen.ettr),
            "ettr_of_single_nodes": percentiles(self.alone.ettr),
            "interruptions": percentiles(seen.interruptions),
            "wall_share": {part: float(getattr(seen, part).mean() / wall) for part in PARTS},
            "domain_events": {name: seen.by_cause[name] for name in NAMES if name in seen.by_cause},
            "most_nodes_out": percentiles(seen.most_out, (50, 90, 99)),
        }


def run_days(
    plan: Plan,
    days: float,
    options: Options,
    spare_nodes: int | None = None,
    repair_hours: float | None = None,
) -> RunDays:
    """Simulate `days` days; spares are the plan's unless given, repairs take the table's time unless given.

    Raises PlanError for days, spares or hours that cannot be, or a job that would make no progress."""
    spares = plan.spare_nodes if spare_nodes is None else spare_nodes
    if not 0 < days <= 3650:
        raise PlanError(f"--days {days:g}: give more than 0, at most 3650")
    if not 0 <= spares <= 1_000_000:
        raise PlanError(f"--spares {spares}: give 0 or more nodes")
    if repair_hours is not None and not 0 < repair_hours <= 10_000:
        raise PlanError(f"--repair-hours {repair_hours:g}: give more than 0, at most 10000")
    fleet = fleet_of(options, plan.machine)
    way = pick(plan, fleet, plan.n_gpus, options)
    back = way.recovery if repair_hours is None else replace(way.recovery, repair_s=repair_hours * 3600)
    per = min(plan.machine.gpu.gpus_per_node, plan.n_gpus)
    job = Job(
        n_gpus=plan.n_gpus,
        gpus_per_node=per,
        gpus_per_replica=min(max(1, plan.replica_nodes) * per, plan.n_gpus),
        checkpoint=way.checkpoint,
        store=way.store,
        spare_nodes=spares,
        elastic=options.elastic and plan.replica_nodes > 0,
    )
    single = fleet_of(replace(options, correlated=False), plan.machine)
    chance: dict[str, Any] = {"horizon_s": days * 86_400, "trials": options.trials, "seed": options.seed}
    return RunDays(
        days, spares, way, simulate(job, fleet, back, **chance), simulate(job, single, back, **chance)
    )
