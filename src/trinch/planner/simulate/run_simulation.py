"""Monte-Carlo of one long job over the calendar: interruptions, lost work, spares, repairs, elastic shrink.

Rates, checkpoints and recovery come from `reliability`; the work is given as seconds of undisturbed training.
 All trials advance together, one interruption at a time, as numpy columns; the seed decides
everything.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trinch.planner.ops.reliability import Checkpoint, Fleet, Recovery, expected_ettr
from trinch.planner.perf.hardware import PlanError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Job:
    """The job as chance sees it. Shrinking drops one model replica of `gpus_per_replica` GPUs at a time."""

    n_gpus: int
    gpus_per_node: int
    gpus_per_replica: int
    checkpoint: Checkpoint
    store: Checkpoint | None = None
    """Where an in-memory checkpoint falls back to when several nodes are hit."""
    spare_nodes: int = 0
    elastic: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """One column a trial; seconds unless stated. productive + stall + lost + down + waiting + shrunk = wall."""

    wall: Floats
    productive: Floats
    stall: Floats
    lost: Floats
    down: Floats
    waiting: Floats
    shrunk: Floats
    interruptions: Floats
    swaps: Floats
    by_cause: dict[str, float]
    """Mean number of interruptions by cause."""
    most_out: Floats
    """Most nodes in repair at a time."""

    @property
    def ettr(self) -> Floats:
        """Effective training time ratio: productive over wall."""
        return self.productive / self.wall


def percentiles(values: Floats, at: tuple[int, ...] = (10, 50, 90)) -> dict[str, float]:
    return {f"p{p}": float(np.percentile(values, p)) for p in at}


def simulate(
    job: Job,
    fleet: Fleet,
    recovery: Recovery,
    *,
    work_s: float | None = None,
    horizon_s: float | None = None,
    rate_sigma: float = 0.0,
    work_sigma: float = 0.0,
    trials: int = 1000,
    seed: int = 0,
) -> Outcome:
    """Runs `trials` jobs until `work_s` seconds of undisturbed training are done, or until `horizon_s` of
    wall time have passed (exactly one of them is given).

    `rate_sigma` and `work_sigma` are standard deviations of the logarithm of the failure rate and of the
    work (step time): what is not known about this fleet and this step. The rate also carries the statistical
    error of the fleet's own count. Raises PlanError if the job would make less than 2 % progress."""
    if (work_s is None) == (horizon_s is None):
        raise PlanError("give either the work or the horizon, in seconds")
    mtbf = fleet.mtbf_s(job.n_gpus)
    ckpt, store = job.checkpoint, job.store or job.checkpoint
    ettr = expected_ettr(ckpt.interval_s, ckpt.stall_s, ckpt.lag_s, recovery.down_s(fleet), mtbf)
    if ettr < 0.02:
        raise PlanError(
            f"{job.n_gpus:,} GPUs fail every {mtbf / 60:.1f} min and would make almost no progress: "
            "checkpoint in memory, restart hot, or use fewer GPUs"
        )
    rng = np.random.default_rng(seed)
    counted = max(1.0, fleet.per_gpu_day * fleet.gpu_days)
    rate = rng.gamma(counted, 1 / counted, trials) * np.exp(rate_sigma * rng.standard_normal(trials)) / mtbf
    rate = np.minimum(rate, 4 / mtbf)  # a rate beyond four times the preset is another fleet
    goal = np.full(trials, np.inf if work_s is None else work_s)
    goal *= np.exp(work_sigma * rng.standard_normal(trials))
    end = np.inf if horizon_s is None else horizon_s

    shares = np.array([cause.share for cause in fleet.causes])
    swap = np.array([cause.swap for cause in fleet.causes])
    repair = _Repair(fleet, recovery, trials)
    wide = np.array([cause.scope in ("network", "domain") for cause in fleet.causes]) & (
        ckpt.kind == "memory"
    )
    silent = np.array([cause.seen_as == "silent" for cause in fleet.causes])
    seen = {"crash": recovery.detect_crash_s, "hang": recovery.detect_hang_s, "silent": 0.0}
    detect = np.array([seen[cause.seen_as] for cause in fleet.causes])
    edges = np.cumsum(shares)[:-1]
    replicas = max(1, job.n_gpus // job.gpus_per_replica)
    overhead = ckpt.stall_s / (ckpt.interval_s + ckpt.stall_s)

    zero = np.zeros(trials)
    wall, safe, stored, pause, wait = (zero.copy() for _ in range(5))
    stall, lost, down, waiting, shrunk, interruptions, swaps, most_out = (zero.copy() for _ in range(8))
    speed = np.ones(trials)
    tally = np.zeros(len(shares))
    running = np.ones(trials, dtype=bool)
    while running.any():
        gap = rng.exponential(1.0, trials) / rate
        up = np.maximum(0.0, gap - pause - wait)
        pace = speed * (1 - overhead)
        need = (goal - safe) / pace
        left = np.maximum(0.0, end - wall - pause - wait)
        finish = running & ((need <= np.minimum(up, left)) | (wall + gap >= end))
        up = np.where(finish, np.minimum(np.minimum(need, left), up), up)
        # Time standing still before training resumed, cut where this gap or the horizon cuts it.
        still = np.minimum(np.minimum(gap, end - wall), pause + wait)
        waited = np.minimum(np.maximum(0.0, still - pause), wait)
        spent = np.where(running, still + up, 0.0)
        wall += spent
        waiting += np.where(running, waited, 0.0)
        down += np.where(running, still - waited, 0.0)
        stall += np.where(running, up * overhead, 0.0)
        shrunk += np.where(running, up * (1 - overhead) * (1 - speed), 0.0)
        reached = safe + up * pace

        kind = np.searchsorted(edges, rng.random(trials), side="right")
        kept = np.maximum(safe, _grid(reached, ckpt, pace))
        on_disk = np.minimum(kept, np.maximum(stored, _grid(reached, store, pace)))
        kept = np.where(wide[kind], on_disk, kept)
        # Silent corruption: every state since it began is suspect.
        kept = np.where(silent[kind], np.maximum(0.0, reached - recovery.detect_silent_s * speed), kept)
        kept = np.minimum(kept, reached)
        failed = running & ~finish
        new_safe = np.where(finish, reached, np.where(failed, kept, safe))
        lost += np.where(failed, reached - kept, 0.0)
        safe = np.where(running, new_safe, safe)
        stored = np.where(failed, np.minimum(on_disk, kept), stored)
        interruptions += failed
        tally += np.bincount(kind[failed], minlength=len(shares))

        # Spares: nodes come back from repair at random; a failure may take another.
        taken = failed & swap[kind]
        swaps += repair.advance(rng, spent, kind, taken)
        most_out = np.maximum(most_out, repair.out)
        if job.elastic:
            short = np.maximum(0.0, repair.out - job.spare_nodes)
            dropped = np.minimum(replicas - 1, np.ceil(short * job.gpus_per_node / job.gpus_per_replica))
            speed = 1 - dropped / replicas
            out_of_spares = np.zeros(trials)
        else:
            out_of_spares = repair.wait(rng, job.spare_nodes)
        pause = np.where(failed, recovery.restart_s + detect[kind], 0.0)
        wait = np.where(failed, out_of_spares, 0.0)
        running &= ~finish & (wall < end)
    by_cause = {cause.name: float(n) / trials for cause, n in zip(fleet.causes, tally, strict=True)}
    return Outcome(wall, safe, stall, lost, down, waiting, shrunk, interruptions, swaps, by_cause, most_out)


class _Repair:
    """What is in repair in each trial: for each size and repair time, how many came out together and are not back."""

    def __init__(self, fleet: Fleet, recovery: Recovery, trials: int) -> None:
        kinds = [(cause.nodes, cause.repair_s or recovery.repair_s) for cause in fleet.causes]
        listed = sorted(set(kinds))
        self._nodes, self._seconds = (
            np.array(column, float)[:, None] for column in zip(*listed, strict=True)
        )
        self._place = np.array([listed.index(kind) for kind in kinds])
        self._events = np.zeros((len(listed), trials), dtype=np.int64)
        self._trials = np.arange(trials)

    @property
    def out(self) -> Floats:
        """Nodes in repair, shape (trials,)."""
        return np.asarray(np.sum(self._nodes * self._events, axis=0), dtype=np.float64)

    def advance(
        self,
        rng: np.random.Generator,
        spent: Floats,
        kind: npt.NDArray[np.intp],
        taken: npt.NDArray[np.bool_],
    ) -> Floats:
        """Let `spent` seconds pass, then take out what the failures of `kind` hit where `taken`: how many nodes."""
        self._events -= rng.binomial(self._events, -np.expm1(-spent / self._seconds))
        place = self._place[kind]
        self._events[place, self._trials] += taken
        return np.where(taken, self._nodes[place, 0], 0.0)

    def wait(self, rng: np.random.Generator, spares: int) -> Floats:
        """Seconds until no more nodes are in repair than there are spares; they are back then."""
        waited = np.zeros(len(self._trials))
        while np.any(short := self.out > spares):
            rates = self._events / self._seconds
            total = np.maximum(rates.sum(axis=0), 1e-300)
            waited += np.where(short, rng.exponential(1.0, len(waited)) / total, 0.0)
            first = np.sum(rng.random(len(waited)) * total > np.cumsum(rates, axis=0), axis=0)
            self._events[np.minimum(first, len(rates) - 1), self._trials] -= short
        return waited


def _grid(reached: Floats, ckpt: Checkpoint, pace: Floats) -> Floats:
    """Work up to the last checkpoint that could be restored from when `reached` was the work done:
    checkpoints lie on a grid of whole intervals and count `lag_s` after they begin."""
    return np.floor((reached - ckpt.lag_s * pace) / ckpt.interval_s) * ckpt.interval_s
