"""Recovery strategies, from plain checkpoints to hot restarts from a peer's memory, and the choice among them.

Also holds the operator's options and runs the simulation of a plan. Rates and checkpoints come from
`reliability`, the Monte-Carlo from `run_simulation`.
"""

from dataclasses import dataclass, replace
from datetime import date

from trinch.planner.launch.saving import support
from trinch.planner.ops import reliability as rel
from trinch.planner.ops.domains import with_domains
from trinch.planner.perf.hardware import Machine, PlanError
from trinch.planner.perf.layout import Plan
from trinch.planner.simulate.run_simulation import Job, Outcome, simulate

LADDER = (("sync", False), ("async", False), ("memory", False), ("async", True), ("memory", True))
"""Recovery strategies by growing machinery: (checkpoint kind, hot restart)."""

GOOD_ENOUGH = 0.9
LONGEST_RUN = 4_000
"""Mean times between failures of work that are simulated one by one."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the operator may say beyond the layout. Empty means: from the tables, or not asked."""

    start: date | None = None
    by: date | None = None
    ramp: str = ""
    fleet: str = "llama-3"
    mtbf_hours: float | None = None
    """GPU-hours between unexpected interruptions of one GPU, instead of the fleet's own."""
    checkpoint: str = ""
    hot: bool | None = None
    correlated: bool = False
    """Whether racks, switches, power and cooling fail as well, each with all its nodes."""
    interval_s: float | None = None
    store_gbps: float | None = None
    elastic: bool = True
    provider: str = ""
    usd_per_gpu_hour: float | None = None
    usd_per_kwh: float | None = None
    pue: float | None = None
    limit_mw: float | None = None
    grid: str = "us"
    trials: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        limits = {
            "mtbf_hours": (0.0, 1e9),
            "interval_s": (0.0, 1e9),
            "store_gbps": (0.0, 1e9),
            "usd_per_gpu_hour": (0.0, 1e6),
            "limit_mw": (0.0, 1e6),
            "pue": (0.0, 100.0),
            "seed": (-1, 2**63),
            "trials": (9, 1_000_000),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is not None and not low < value <= high:
                raise PlanError(
                    f"{name.replace('_', ' ')} of {value:g}: give more than {low:g}, at most {high:g}"
                )
        if self.usd_per_kwh is not None and not 0 <= self.usd_per_kwh <= 1e3:
            raise PlanError(f"electricity at {self.usd_per_kwh:g} USD per kWh: give 0 to 1000")


def fleet_of(options: Options, machine: Machine) -> rel.Fleet:
    """The fleet of the options, at the failure rate that they give. Raises PlanError for an unknown fleet."""
    known = rel.fleet(options.fleet)
    if options.mtbf_hours:
        known = replace(known, per_gpu_day=24 / options.mtbf_hours)
    return with_domains(known, machine) if options.correlated else known


@dataclass(frozen=True, slots=True)
class Survival:
    """One rung of the ladder on a number of GPUs."""

    kind: str
    hot: bool
    checkpoint: rel.Checkpoint
    store: rel.Checkpoint
    recovery: rel.Recovery
    expected: float


def pick(plan: Plan, fleet: rel.Fleet, n_gpus: int, options: Options) -> Survival:
    """The strategy requested, or the simplest that keeps 90 % of the time, or the best one.

    Unless a hot restart is requested, only strategies that the launch files provide are considered."""
    rungs = ladder(plan, fleet, n_gpus, options)
    provided = support(plan)
    wanted = [
        rung
        for rung in rungs
        if rung.kind in provided
        and rung.hot == bool(options.hot)
        and rung.kind == (options.checkpoint or rung.kind)
    ]
    if not wanted:
        hint = (
            "--hot goes with async and memory" if options.hot else f"the files provide {', '.join(provided)}"
        )
        raise PlanError(f"no such way to checkpoint and restart for this layout: {hint}")
    if not options.checkpoint:  # waiting for the store only on request
        wanted = [rung for rung in wanted if rung.kind != "sync"]
    good = [rung for rung in wanted if rung.expected >= GOOD_ENOUGH]
    return good[0] if good else max(wanted, key=lambda rung: rung.expected)


def ladder(plan: Plan, fleet: rel.Fleet, n_gpus: int, options: Options) -> list[Survival]:
    """Every rung for this model on `n_gpus` GPUs with its expected effective training time."""
    size, mtbf = rel.state_bytes(plan.workload.parameters()), fleet.mtbf_s(n_gpus)
    common = (size, n_gpus, mtbf, plan.step_time_s, options.store_gbps)
    store = rel.checkpoint("async", *common)
    rungs = []
    for kind, hot in LADDER:
        saved = rel.checkpoint(kind, *common, interval_s=options.interval_s)
        back = rel.recovery(hot)
        down = back.down_s(fleet)
        share = rel.expected_ettr(saved.interval_s, saved.stall_s, saved.lag_s, down, mtbf)
        if kind == "memory":  # the failures that hit several nodes fall back to storage
            share -= fleet.network_share * (store.interval_s / 2 + store.lag_s) / mtbf
        rungs.append(Survival(kind, hot, saved, store, back, max(0.0, share)))
    return rungs


def simulated(
    plan: Plan, fleet: rel.Fleet, way: Survival, n_gpus: int, spares: int, options: Options
) -> Outcome:
    """The run of the plan's work on `n_gpus` GPUs, simulated with `spares` spare nodes."""
    replica = max(1, plan.replica_nodes) * min(plan.machine.gpu.gpus_per_node, plan.n_gpus)
    job = Job(
        n_gpus=n_gpus,
        gpus_per_node=min(plan.machine.gpu.gpus_per_node, n_gpus),
        gpus_per_replica=min(replica, n_gpus),
        checkpoint=way.checkpoint,
        store=way.store,
        spare_nodes=spares,
        elastic=options.elastic and plan.replica_nodes > 0,
    )
    work = plan.days * 86_400 * plan.n_gpus / n_gpus
    # Of a very long run only a stretch is simulated, and counts are scaled up to the whole.
    stretch = LONGEST_RUN * fleet.mtbf_s(n_gpus)
    seen = simulate(
        job,
        fleet,
        way.recovery,
        work_s=min(work, stretch),
        rate_sigma=rel.between_fleets_sigma(),
        trials=options.trials,
        seed=options.seed,
    )
    scale = max(1.0, work / stretch)
    return replace(
        seen,
        interruptions=seen.interruptions * scale,
        swaps=seen.swaps * scale,
        by_cause={cause: count * scale for cause, count in seen.by_cause.items()},
    )
