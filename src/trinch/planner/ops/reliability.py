"""How often a synchronous job is interrupted, what a checkpoint costs, and how often to write one.

Failure rates by cause (published fleets), the checkpoint's size, stall and interval (optimum and chosen),
and the expected effective training time, for a job given as a number of GPUs and of bytes.

One interruption stops everyone: the job's mean time between failures is that of one GPU divided by their
number, and times between failures are exponential (arXiv 2410.21680 fits the same model).
"""

import math
from dataclasses import dataclass
from functools import cache

from trinch.planner.ops.tables import rows, table
from trinch.planner.perf.hardware import PlanError, nearest

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of interruptions. `share` sums to 1 over a fleet; `scope` is node, network, job or domain (see
    `domains`); `seen_as` is crash, hang or silent; `swap` says whether `nodes` must be replaced, which come back
    together after `repair_s` seconds (0: the time that all nodes take)."""

    name: str
    share: float
    scope: str
    seen_as: str
    swap: bool
    nodes: int = 1
    repair_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """A published fleet: unexpected interruptions per GPU-day, and the GPU-days they were counted over."""

    name: str
    per_gpu_day: float
    gpu_days: float
    causes: tuple[Cause, ...]

    def mtbf_s(self, n_gpus: int) -> float:
        """Mean seconds between interruptions of one job on `n_gpus` GPUs."""
        return DAY / (self.per_gpu_day * n_gpus)

    @property
    def swap_share(self) -> float:
        """Share of interruptions that take a node away until it is repaired."""
        return sum(cause.share for cause in self.causes if cause.swap)

    @property
    def network_share(self) -> float:
        """Share of interruptions that may hit several nodes at once, a peer's copy among them."""
        return sum(cause.share for cause in self.causes if cause.scope in ("network", "domain"))


@cache
def fleet(name: str) -> Fleet:
    """The fleet preset `name`. Its causes are those published for it; a fleet without them borrows Llama-3's.

    Raises PlanError with the known names."""
    rates = table("fleets")
    if name not in rates:
        raise PlanError(f"no fleet {name!r}: {nearest(name, rates)}")
    listed = list(rows("failure_causes"))
    own = [row for row in listed if row["fleet"] == name] or [r for r in listed if r["fleet"] == "llama-3"]
    total = sum(int(row["count"]) for row in own)
    causes = tuple(
        Cause(row["cause"], int(row["count"]) / total, row["scope"], row["seen_as"], row["swap"] == "1")
        for row in own
    )
    return Fleet(name, rates[name].value, table("fleet_exposure")[name].value, causes)


def between_fleets_sigma() -> float:
    """Standard deviation of the logarithm of the failure rate between the published fleets (0.51 today):
    how far a fleet nobody has measured may lie from a preset."""
    logs = [math.log(fact.value) for fact in table("fleets").values()]
    mean = sum(logs) / len(logs)
    return math.sqrt(sum((x - mean) ** 2 for x in logs) / (len(logs) - 1))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What saving the state costs, in seconds.

    stall_s     training pauses for each checkpoint
    lag_s       from the start of a checkpoint until it can be restored from
    interval_s  between checkpoints, as chosen; `optimum_s` is the interval of least loss
    """

    kind: str
    bytes: float
    stall_s: float
    lag_s: float
    optimum_s: float
    young_s: float
    interval_s: float


KINDS = ("sync", "async", "memory")


def young(stall_s: float, mtbf_s: float) -> float:
    """Young's interval sqrt(2 * stall * MTBF), seconds (Young 1974)."""
    return math.sqrt(2 * stall_s * mtbf_s)


def expected_ettr(interval_s: float, stall_s: float, lag_s: float, down_s: float, mtbf_s: float) -> float:
    """Expected share of wall time that becomes kept training steps.

    Failures are Poisson over wall time. After each, `down_s` pass before training resumes; then a checkpoint
    is started every `interval_s` of work, costing `stall_s`, and counts once `lag_s` have passed. With
    c = interval + stall, the kept work of one failure interval is `interval` times the number of checkpoints
    that became restorable, whose expectation is a geometric sum:
    ETTR = (interval / M) * exp(-(down + lag) / M) / (exp(c / M) - 1).
    With lag = 0 this is Daly's exact formula (Daly 2006, eq. 20); a failure during restart is included.
    """
    exponent = (down_s + lag_s) / mtbf_s
    cycle = (interval_s + stall_s) / mtbf_s
    if cycle > 700 or exponent > 700:
        return 0.0
    return interval_s / mtbf_s * math.exp(-exponent) / math.expm1(cycle)


def best_interval(stall_s: float, mtbf_s: float) -> float:
    """The interval that maximises `expected_ettr`; lag and downtime do not move it.

    Solves exp(c/M) * (1 - i/M) = 1 for i with c = i + stall, by bisection: exact where Young's formula
    (small stall) and Daly's series stop being good."""
    low, high = 0.0, mtbf_s
    for _ in range(80):
        middle = (low + high) / 2
        if math.exp((middle + stall_s) / mtbf_s) * (1 - middle / mtbf_s) > 1:
            low = middle
        else:
            high = middle
    return low


def state_bytes(params: float) -> float:
    """Bytes of a full checkpoint: weights, master copy and Adam's moments."""
    return params * table("operations")["state_bytes_per_param"].value


def checkpoint(
    kind: str,
    total_bytes: float,
    n_gpus: int,
    mtbf_s: float,
    step_s: float,
    store_gbps: float | None = None,
    interval_s: float | None = None,
    stall_s: float | None = None,
) -> Checkpoint:
    """Cost and interval of a checkpoint of `total_bytes` written by `n_gpus` GPUs.

    sync    everyone waits for the store
    async   everyone waits for a copy to host memory; the store is written behind
    memory  a copy in a peer node's memory; survives one node, not several

    The store is sized to the cluster unless `store_gbps` is given. The chosen interval is `interval_s`, or the optimum, no shorter than one write (only one is ever under
    way), in whole steps of `step_s`. Raises PlanError for an unknown kind or a negative number."""
    facts = table("operations")
    if kind not in KINDS:
        raise PlanError(f"no checkpoint kind {kind!r}: {nearest(kind, KINDS)}")
    if min(total_bytes, n_gpus, mtbf_s, step_s) <= 0 or min(interval_s or 0, stall_s or 0) < 0:
        raise PlanError("a checkpoint needs positive bytes, GPUs, time between failures and step time")
    write_s = total_bytes / ((store_gbps or facts["store_gbps_per_gpu"].value * n_gpus) * 1e9)
    copy_s = total_bytes / n_gpus / (facts["snapshot_gbps_per_gpu"].value * 1e9)
    if kind == "sync":
        stall, lag = write_s, write_s
    elif kind == "async":
        stall = facts["snapshot_floor_s"].value + copy_s
        lag = stall + write_s
    else:
        stall = facts["peer_floor_s"].value + copy_s
        lag = stall + copy_s
    stall = stall if stall_s is None else stall_s
    optimum = best_interval(stall, mtbf_s)
    wanted = interval_s or max(optimum, lag)
    steps = max(1, round(wanted / step_s))
    return Checkpoint(kind, total_bytes, stall, lag, optimum, young(stall, mtbf_s), steps * step_s)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What happens from an interruption to the next training step, in seconds by what was seen."""

    detect_crash_s: float
    detect_hang_s: float
    detect_silent_s: float
    restart_s: float
    repair_s: float

    def down_s(self, of: Fleet) -> float:
        """Mean seconds from an interruption to the next step. Silent corruption is noticed while training
        goes on, so its detection loses work, not time."""
        seen = {"crash": self.detect_crash_s, "hang": self.detect_hang_s, "silent": 0.0}
        return self.restart_s + sum(cause.share * seen[cause.seen_as] for cause in of.causes)


def recovery(hot: bool, **changed: float) -> Recovery:
    """Detection, restart and repair from the table; `hot` keeps processes and spares warm. `changed` replaces
    single fields."""
    facts = table("operations")
    values = {key: facts[key].value for key in ("detect_crash_s", "detect_hang_s", "detect_silent_s")}
    if hot:  # a heartbeat replaces the ten-minute timeout
        values["detect_hang_s"] = facts["detect_hang_s"].low
        values["detect_crash_s"] = facts["detect_crash_s"].low
    values["restart_s"] = facts["restart_hot_s" if hot else "restart_cold_s"].value
    values["repair_s"] = facts["repair_hours"].value * 3600
    return Recovery(**(values | changed))


def planned_share(way: Recovery) -> float:
    """Share of wall time that planned interruptions (upgrades, maintenance) take: each costs one restart."""
    return table("operations")["planned_per_day"].value * way.restart_s / DAY


def spares_needed(of: Fleet, n_gpus: int, repair_s: float, confidence: float = 0.95) -> int:
    """Spare nodes so that, with probability `confidence`, no failure finds the shelf empty.

    Nodes in repair are Poisson with mean (swaps per second) x (repair time): M/G/infinity."""
    mean = of.swap_share / of.mtbf_s(n_gpus) * repair_s
    term = cumulative = math.exp(-mean) if mean < 700 else 0.0
    if cumulative == 0.0:  # normal approximation where exp(-mean) underflows
        return math.ceil(mean + 1.645 * math.sqrt(mean))
    count = 0
    while cumulative < confidence:
        count += 1
        term *= mean / count
        cumulative += term
    return count
