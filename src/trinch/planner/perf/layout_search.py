"""Every layout of a model on a number of GPUs: enumerate, drop what does not fit, price the rest, choose.

No sampling: the grid below is complete, and all of it that fits is priced by the same code that predicts a
table. GPU counts need not be powers of two: data parallelism takes any width, what is left over are spares.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trinch.planner.perf.calibration import Calibration, band, shipped
from trinch.planner.perf.hardware import Machine, PlanError, table
from trinch.planner.perf.layout import Array, Layout, Layouts, Plan, total
from trinch.planner.perf.memory import USABLE, memory_bytes, memory_parts
from trinch.planner.perf.model_inputs import Case, Cases, engine
from trinch.planner.perf.workload import Workload

MICRO_BATCHES = (1, 2, 3, 4, 6, 8)
WIDTHS = (1.0, 0.99, 0.98, 0.95, 0.9, 0.75, 0.5)
"""Shares of the GPUs that are tried: all, a few spares, and smaller runs for the Pareto set."""
TOKENS_PER_GPU = 1024
"""Default batch, in tokens a GPU: Llama 3 405B took 16 M tokens on 16,384 GPUs (arXiv 2407.21783 table 4)."""
BATCH_RANGE = (4_000_000, 64_000_000)
BATCH_SLACK = 0.15
"""Without an exact batch, how far a layout may move it to come out even."""
PLANNED_IMBALANCE = 1.05
"""Load of the fullest GPU's experts over the mean: our allowance for real routing."""
ROBUST_SPARES = 0.01
ROBUST_MEMORY = 0.90
CHUNK = 8192


@dataclass(frozen=True)
class Search:
    """What a search found: the plans, and how many layouts were priced in how long."""

    best: Plan
    cheapest: Plan
    robust: Plan | None
    runner_up: Plan | None
    runner_up_lost: str
    pareto: list[Plan]
    published: list[tuple[Plan, str, str]]
    notes: list[str]
    considered: int
    scored: int
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        return {
            "layouts_considered": self.considered,
            "layouts_scored": self.scored,
            "seconds": self.seconds,
            "best": self.best.as_dict(),
            "cheapest": self.cheapest.as_dict(),
            "robust": self.robust.as_dict() if self.robust else None,
            "runner_up": self.runner_up.as_dict() if self.runner_up else None,
            "why": [self.runner_up_lost],
            "pareto": [plan.as_dict() for plan in self.pareto],
            "notes": self.notes,
            "published": [
                {
                    "source": source,
                    "behind_best": _rate(self.best) / _rate(plan) - 1,
                    "reason": why,
                    **plan.as_dict(),
                }
                for plan, source, why in self.published
            ],
        }


def default_batch(work: Workload, gpus: int) -> int:
    """Sequences of a step when nobody says: 1024 tokens a GPU, between 4 M and 64 M tokens."""
    tokens = min(max(gpus * TOKENS_PER_GPU, BATCH_RANGE[0]), BATCH_RANGE[1])
    return max(1, tokens // work.seq_len)


def search(
    work: Workload,
    machine: Machine,
    gpus: int,
    tokens: float,
    precision: str = "bf16",
    batch: int | None = None,
    fit: Calibration | None = None,
) -> Search:
    """Price every layout that fits. `batch` in sequences is met exactly if given.

    PlanError if nothing fits (with the nearest that does), or the site or GPU cannot do what is asked.
    """
    started = time.perf_counter()
    fit = fit or shipped()
    _check(machine, gpus, tokens, precision)
    case = Case(work, machine, precision, engine("megatron-bridge"), imbalance=PLANNED_IMBALANCE)
    target = batch or default_batch(work, gpus)
    grid = layouts(work, machine, gpus, target, exact=batch is not None)
    on = Cases.of([case])
    memory = _by_chunks(grid, lambda part: memory_bytes(on, part))
    fitting = memory <= on.memory * USABLE
    good, memory = grid.take(fitting), memory[fitting]
    if not len(good):
        raise PlanError(_nothing_fits(case, gpus, target, batch is not None, grid))
    step = _by_chunks(good, lambda part: total(fit.price([case], part)))
    rate = good.global_batch * work.seq_len / step
    order = np.argsort(-rate, kind="stable")

    first = good[int(order[0])]
    whole = good.gpus >= first.gpus
    second = order[(whole & _differ(good, first))[order]][:1].tolist()
    spare = gpus - good.gpus
    safe = order[
        (spare >= gpus * ROBUST_SPARES)[order] & (memory <= on.memory * USABLE * ROBUST_MEMORY)[order]
    ]
    cost = good.gpus / rate
    cheap = int(np.lexsort((-rate, cost.round(15)))[0])
    frontier = _pareto(np.stack([-rate, cost, memory]), order)
    wanted = [int(order[0]), cheap, *second, *safe[:1].tolist(), *frontier]
    plans = dict(zip(wanted, priced(case, [good[i] for i in wanted], gpus, tokens, fit), strict=True))
    best = plans[wanted[0]]
    runner = plans[second[0]] if second else None
    return Search(
        best=best,
        cheapest=plans[cheap],
        robust=plans[int(safe[0])] if len(safe) else None,
        runner_up=runner,
        runner_up_lost=why_behind(runner, best) if runner else "no other layout fits",
        pareto=[plans[i] for i in frontier],
        published=_published(case, gpus, tokens, target, best, fit),
        notes=_notes(machine, gpus),
        considered=len(grid),
        scored=len(good),
        seconds=time.perf_counter() - started,
    )


def priced(case: Case, chosen: Sequence[Layout], gpus: int, tokens: float, fit: Calibration) -> list[Plan]:
    """Layouts as plans, with their parts, bands and memory."""
    at, on = Layouts.of(chosen), Cases.of([case])
    parts = {name: np.broadcast_to(v, len(at)) for name, v in fit.price([case], at).items()}
    memory = {name: np.broadcast_to(v, len(at)) / 1e9 for name, v in memory_parts(on, at).items()}
    width = fit.half_width(case)
    plans = []
    for i, layout in enumerate(chosen):
        breakdown = {name: float(value[i]) for name, value in parts.items()}
        step = sum(breakdown.values())
        plans.append(
            Plan(
                workload=case.workload,
                machine=case.machine,
                layout=layout,
                precision=case.precision,
                tokens=tokens,
                n_gpus=layout.gpus,
                spare_gpus=gpus - layout.gpus,
                step_time_s=step,
                band_s=band(step, width),
                breakdown_s=breakdown,
                memory_gb={name: float(value[i]) for name, value in memory.items()},
                gradient_bytes=case.engine.gradient_bytes,
                tp_overlap=case.engine.tp_overlap > 0,
            )
        )
    return plans


def layouts(work: Workload, machine: Machine, gpus: int, target: int, exact: bool) -> Layouts:
    """The whole grid: every combination that divides, before memory is looked at."""
    domain = machine.gpu.nvlink_domain
    tensor = [t for t in _powers(min(domain, gpus)) if work.heads % t == 0 and _shares(work.kv_heads, t)]
    context = [
        c for c in _powers(16) if c == 1 or (work.seq_len % (2 * c) == 0 and work.seq_len // c >= 2048)
    ]
    pipeline = [
        (p, v)
        for p in range(1, min(work.layers, 64) + 1)
        for v in range(1, work.layers // p + 1 if p > 1 else 2)
        if work.layers % (p * v) == 0 or (v * p > 1 and (work.layers + 2) % (p * v) == 0)
    ]
    expert = [e for e in range(1, work.experts + 1) if work.experts % e == 0] or [1]
    axes = (
        range(len(pipeline)),
        tensor,
        context,
        expert,
        (0, 1),
        MICRO_BATCHES,
        (1, 2, 3),
        (0, 1, 2),
        WIDTHS,
    )
    cut, t, c, e, split, m, z, r, w = (
        axis.ravel() for axis in np.meshgrid(*(np.array(axis, float) for axis in axes), indexing="ij")
    )
    p, v = np.array(pipeline, float)[cut.astype(int)].T
    useful = ((z == 1) | (p == 1)) & ((split == 0) | ((t > 1) & (work.experts > 0)))
    t, p, v, c, e, m, z, r, w = (axis[useful] for axis in (t, p, v, c, e, m, z, r, w))
    x = np.where(split[useful] > 0, t, 1.0)
    fold = e * x / np.gcd((e * x).astype(int), (t * c).astype(int))
    widest = np.floor(gpus * w / (t * p * c))
    unit = m * np.where(v > 1, p, 1.0)
    dp = _dividing(target, unit, fold, widest) if exact else np.floor(widest / fold) * fold
    grid = Layouts(t, p, v, dp, c, e, x, m, np.full(len(t), float(target)), z, np.where(t > 1, 1.0, 0.0), r)
    return _evened(grid.take(dp >= 1), target)


def _dividing(target: int, unit: Array, fold: Array, widest: Array) -> Array:
    """The largest data-parallel width that divides the batch exactly; 0 where there is none."""
    dp = np.zeros_like(unit)
    for width in (d for d in range(1, target + 1) if target % d == 0):
        works = (width <= widest) & (target % (width * unit) == 0) & (width % fold == 0)
        dp = np.where(works, float(width), dp)
    return dp


def _evened(grid: Layouts, target: int) -> Layouts:
    """Give each layout a batch that comes out even; drop those whose batch strays too far, and duplicates."""
    unit = grid.dp * grid.micro_batch * np.where(grid.vpp > 1, grid.pp, 1.0)
    batch = np.maximum(np.rint(target / unit), 1.0) * unit
    grid = replace(grid, global_batch=batch).take(np.abs(batch / target - 1) <= BATCH_SLACK)
    key = np.zeros(len(grid))
    for place, name in enumerate(Layout.__dataclass_fields__):
        key += getattr(grid, name) * math.sqrt(2 + place)
    _, first = np.unique(key, return_index=True)
    return grid.take(np.sort(first))


def _shares(kv_heads: int, tp: int) -> bool:
    return kv_heads % tp == 0 or tp % kv_heads == 0


def _powers(most: int) -> list[int]:
    return [2**i for i in range(most.bit_length()) if 2**i <= most]


def _by_chunks(grid: Layouts, number: Callable[[Layouts], Array]) -> Array:
    """One number a layout, computed in pieces small enough for the processor's cache."""
    pieces = [np.arange(i, min(i + CHUNK, len(grid))) for i in range(0, len(grid), CHUNK)]
    return np.concatenate([number(grid.take(piece)) for piece in pieces] or [np.zeros(0)])


def _check(machine: Machine, gpus: int, tokens: float, precision: str) -> None:
    if gpus < 1:
        raise PlanError(f"{gpus} GPUs: at least one is needed")
    if gpus > machine.max_gpus:
        raise PlanError(
            f"{machine.site} offers at most {machine.max_gpus:,} {machine.gpu.name}: "
            "request that many, or drop --site"
        )
    if tokens <= 0:
        raise PlanError(f"{tokens:g} tokens: a positive number is needed")
    machine.gpu.peak_tflops(precision)


def _notes(machine: Machine, gpus: int) -> list[str]:
    """What the reader must know about the machine that was priced."""
    if gpus <= machine.pod_gpus:
        return []
    return [
        f"{gpus:,} GPUs are more than one fabric of {machine.pod_gpus:,} at {machine.site}: groups that "
        f"reach beyond it get 1/{machine.oversubscription:g} of the bandwidth ({machine.source})"
    ]


def _nothing_fits(case: Case, gpus: int, target: int, exact: bool, grid: Layouts) -> str:
    """One sentence: what is short, and the nearest count of GPUs or batch that works."""
    work, name = case.workload, case.machine.gpu.name
    on = Cases.of([case])
    if not len(grid):
        few = f"{target} sequences a step are too few for {gpus:,} GPUs"
        return f"{few}: try --batch {_enough(gpus, target)}"
    least = float(np.min(memory_bytes(on, grid))) / 1e9
    more = gpus
    while more < 1_000_000:
        more *= 2
        wider = target if exact else default_batch(work, more)
        wide = layouts(work, case.machine, more, wider, exact)
        if np.any(_by_chunks(wide, lambda part: memory_bytes(on, part)) <= on.memory * USABLE):
            break
    return (
        f"{work.name} does not fit {gpus:,} x {name}: the leanest layout needs {least:,.0f} GB of "
        f"{case.machine.gpu.memory_gb:.0f} GB a GPU; {more:,} GPUs work"
    )


def _enough(gpus: int, target: int) -> int:
    """A power of two of sequences that spreads over the GPUs."""
    return int(2 ** math.ceil(math.log2(max(2 * target, gpus // 512))))


def _differ(grid: Layouts, one: Layout) -> NDArray[np.bool_]:
    """Which cut the model another way, not only with another batch or width."""
    same = ("tp", "pp", "vpp", "cp", "ep", "etp", "micro_batch", "zero", "recompute")
    return np.asarray(np.any([getattr(grid, name) != getattr(one, name) for name in same], axis=0))


def _rate(plan: Plan) -> float:
    return plan.tokens_per_step / plan.step_time_s


def why_behind(plan: Plan, best: Plan) -> str:
    """What makes a plan slower than the best: the parts, per token, that grew most, as shares of the best."""
    whole = best.step_time_s / best.tokens_per_step
    gaps = {
        name: (plan.breakdown_s[name] / plan.tokens_per_step - best.breakdown_s[name] / best.tokens_per_step)
        / whole
        for name in best.breakdown_s
    }
    total = sum(gaps.values())
    worse = sorted(gaps.items(), key=lambda item: -item[1])[:2]
    named = ", ".join(f"{name.replace('_', ' ')} {gap:+.1%}" for name, gap in worse if gap > 0.0005)
    better = min(gaps.items(), key=lambda item: item[1])
    gain = f", against {better[0].replace('_', ' ')} {better[1]:+.1%}" if better[1] < -0.0005 else ""
    return f"{plan.layout.label()} takes {total:+.1%} a token: {named or 'no single part explains it'}{gain}"


def _pareto(costs: Array, order: NDArray[np.intp], most: int = 24) -> list[int]:
    """Indices, fastest first, of those no other beats in every row of `costs` (shape (k, n)) at once."""
    kept: list[int] = []
    for i in order:
        mine = costs[:, i]
        if kept and np.any(
            np.all(costs[:, kept] <= mine[:, None] * (1 + 1e-9 * np.sign(mine[:, None])), axis=0)
        ):
            continue
        kept.append(int(i))
        if len(kept) == most:
            break
    return kept


def _published(
    case: Case, gpus: int, tokens: float, target: int, best: Plan, fit: Calibration
) -> list[tuple[Plan, str, str]]:
    """Layouts the makers or NVIDIA published for this model, at our GPU count, with what sets them back."""
    out = []
    for row in table("published_layouts.csv"):
        if row["model"] != case.workload.name or row["gpu"] not in case.machine.gpu.name:
            continue
        size = {name: int(row[name]) for name in ("tp", "pp", "vpp", "cp", "ep", "etp", "micro_batch")}
        block = size["tp"] * size["pp"] * size["cp"]
        unit = math.lcm(
            1, size["ep"] * size["etp"] // math.gcd(size["ep"] * size["etp"], size["tp"] * size["cp"])
        )
        dp = gpus // block // unit * unit
        if dp < 1:
            continue
        step = dp * size["micro_batch"] * (size["pp"] if size["vpp"] > 1 else 1)
        batch = max(1, round(target / step)) * step
        layout = Layout(dp=dp, global_batch=batch, zero=1, sequence_parallel=int(size["tp"] > 1), **size)
        plan = priced(case, [layout], gpus, tokens, fit)[0]
        why = why_behind(plan, best)
        if plan.memory_total_gb > case.machine.gpu.memory_gb * USABLE:
            why += f"; by our count it needs {plan.memory_total_gb:.0f} GB and does not fit"
        out.append((plan, row["source"], why))
    return out
