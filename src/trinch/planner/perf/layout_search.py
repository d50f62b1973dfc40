"""Every layout of a model on a number of GPUs: drop what does not fit, price the rest, choose.

No sampling: the grid of `layout_grid` is complete, and all of it that fits is priced by the same code that
predicts a table. The default is the layout whose lower bound of speed is highest, so that a shape nobody has
run must be clearly faster to be chosen.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trinch.planner.perf.calibration import Calibration, band, shipped
from trinch.planner.perf.critical_batch import critical_batch, extra_tokens
from trinch.planner.perf.hardware import Machine, PlanError, table
from trinch.planner.perf.layout import OFFLOADS, RECOMPUTE, SCHEDULES, Array, Layout, Layouts, Plan, total
from trinch.planner.perf.layout_grid import given_layout, layouts, widest_layouts
from trinch.planner.perf.memory import USABLE, memory_bytes, memory_parts
from trinch.planner.perf.model_inputs import (
    DEFAULT_DATE,
    DEFAULT_ENGINE,
    DISPATCHERS,
    Case,
    Cases,
    Engine,
    known_engine,
)
from trinch.planner.perf.proven import UNPROVEN, unproven, unproven_axes
from trinch.planner.perf.workload import Workload

TOKENS_PER_GPU = 1024
"""Default batch, in tokens a GPU: Llama 3 405B took 16 M tokens on 16,384 GPUs (arXiv 2407.21783 table 4)."""
BATCH_RANGE = (4_000_000, 64_000_000)
"""Tokens of a default step: the largest published ones (DeepSeek-V3) take 63 M."""
IDLE = 0.01
"""Share of the GPUs that may stay idle before a note says why."""
PLATEAU = 12
"""Shapes of the plateau that are listed."""
REFERENCE_SITES = ("generic", "superpod")
"""Built and run as NVIDIA's own clusters."""
PLANNED_IMBALANCE = 1.05
"""Load of the fullest GPU's experts over the mean: our allowance for real routing."""
MOST_GPUS = 1_000_000
"""No more are tried where a model does not fit."""
ROBUST_SPARES = 0.01
ROBUST_MEMORY = 0.90
CHUNK = 8192


@dataclass(frozen=True)
class Search:
    """What a search found: the plans, and how many layouts were priced in how long.

    `best` has the highest lower bound of speed, `fastest` the highest expected speed. `plateau` holds the
    shapes that cannot be distinguished from the fastest (`plateau_size` of them), those with published runs first.
    `asked` is the layout that was given, if one was.
    """

    best: Plan
    fastest: Plan
    cheapest: Plan
    robust: Plan | None
    runner_up: Plan | None
    runner_up_lost: str
    plateau: list[Plan]
    plateau_size: int
    pareto: list[Plan]
    published: list[tuple[Plan, str, str]]
    asked: Plan | None
    asked_lost: str
    notes: list[str]
    considered: int
    scored: int
    seconds: float

    @property
    def chosen(self) -> Plan:
        """The layout that was given, or the best."""
        return self.asked or self.best

    def as_dict(self) -> dict[str, object]:
        """Plain data for JSON."""

        def behind(plan: Plan) -> float:
            return _rate(self.best) / _rate(plan) - 1

        return {
            "layouts_considered": self.considered,
            "layouts_scored": self.scored,
            "seconds": self.seconds,
            "best": self.best.as_dict(),
            "fastest": self.fastest.as_dict(),
            "cheapest": self.cheapest.as_dict(),
            "robust": self.robust.as_dict() if self.robust else None,
            "runner_up": self.runner_up.as_dict() if self.runner_up else None,
            "why": [self.runner_up_lost],
            "plateau": [{"behind_best": behind(plan), **plan.as_dict()} for plan in self.plateau],
            "plateau_size": self.plateau_size,
            "pareto": [plan.as_dict() for plan in self.pareto],
            "notes": self.notes,
            "published": [
                {"source": source, "behind_best": behind(plan), "reason": why, **plan.as_dict()}
                for plan, source, why in self.published
            ],
            "asked": None
            if self.asked is None
            else {"behind_best": behind(self.asked), "reason": self.asked_lost, **self.asked.as_dict()},
        }


def default_batch(work: Workload, gpus: int, tokens: float = math.inf) -> int:
    """Sequences of a step when nobody says: 1024 tokens a GPU, between 4 M and 64 M tokens, and no more than
    the critical batch of a run of `tokens` tokens."""
    least, most = BATCH_RANGE
    if tokens < math.inf:
        most = min(most, max(least, int(critical_batch(tokens))))
    return max(1, min(max(gpus * TOKENS_PER_GPU, least), most) // work.seq_len)


def search(
    work: Workload,
    machine: Machine,
    gpus: int,
    tokens: float,
    precision: str = "bf16",
    batch: int | None = None,
    fit: Calibration | None = None,
    *,
    engine_name: str = DEFAULT_ENGINE,
    date: float = DEFAULT_DATE,
    max_vpp: int | None = None,
    dispatcher: str = "",
    schedule: str = SCHEDULES[0],
    offload: str = OFFLOADS[0],
    layout: dict[str, int] | None = None,
) -> Search:
    """Price every layout that fits, and `layout` (of `parse_layout`) whether it fits or not.

    `batch` in sequences is met exactly if given; `date` is the software's, in years; `max_vpp` bounds
    interleaving; `dispatcher` is one of DISPATCHERS, by default the engine's; `schedule` and `offload` are those of
    every layout that is tried. PlanError if nothing fits (with the nearest that does), or the site or GPU cannot do what is
    asked."""
    started = time.perf_counter()
    fit = fit or shipped()
    check(machine, gpus, tokens, precision)
    if dispatcher not in ("", *DISPATCHERS):
        raise PlanError(f"unknown dispatcher {dispatcher!r}: use {', '.join(DISPATCHERS)}")
    if schedule not in SCHEDULES:
        raise PlanError(f"unknown schedule {schedule!r}: use {', '.join(SCHEDULES)}")
    if offload not in OFFLOADS:
        raise PlanError(f"unknown offload {offload!r}: use {', '.join(OFFLOADS)}")
    software = known_engine(engine_name, date)
    case = planned_case(work, machine, precision, software, date, dispatcher)
    target, exact = batch or default_batch(work, gpus, tokens), batch is not None
    asked = None
    if layout is not None:
        layout = _with_options(layout, schedule, offload)
        schedule, offload = SCHEDULES[layout["schedule"]], OFFLOADS[layout["offload"]]
        cut = given_layout(work, machine, gpus, layout, target, exact)
        asked = priced(case, [cut], gpus, tokens, fit)[0]
        target = cut.global_batch
    grid = layouts(work, machine, gpus, target, exact, max_vpp, schedule=schedule, offload=offload)
    on = Cases.of([case])
    memory = by_chunks(grid, lambda part: memory_bytes(on, part))
    fitting = memory <= on.memory * USABLE
    good, memory = grid.take(fitting), memory[fitting]
    if not len(good):
        if asked is None:
            raise PlanError(nothing_fits(case, gpus, target, exact))
        good, memory = Layouts.of([asked.layout]), np.array([asked.memory_total_gb * 1e9])
    step = by_chunks(good, lambda part: total(fit.price([case], part)))
    rate = good.global_batch * work.seq_len / step
    width = band_widths(case, good, fit)
    order = np.argsort(-rate * np.exp(-width), kind="stable")

    first = good[int(order[0])]
    whole = good.gpus >= first.gpus
    second = order[(whole & _differ(good, first))[order]][:1].tolist()
    spare = gpus - good.gpus
    safe = order[
        (spare >= gpus * ROBUST_SPARES)[order] & (memory <= on.memory * USABLE * ROBUST_MEMORY)[order]
    ]
    cost = good.gpus / rate
    cheap = int(np.lexsort((-rate, cost.round(15)))[0])
    quickest = int(np.argmax(rate))
    flat, flat_size = _plateau(good, rate, width, fit.half_width(case), order)
    frontier = _pareto(np.stack([-rate, cost, memory]), np.argsort(-rate, kind="stable"))
    wanted = [int(order[0]), cheap, quickest, *second, *safe[:1].tolist(), *flat, *frontier]
    plans = dict(zip(wanted, priced(case, [good[i] for i in wanted], gpus, tokens, fit), strict=True))
    best = plans[wanted[0]]
    runner = plans[second[0]] if second else None
    free_batch = not exact and asked is None
    return Search(
        best=best,
        fastest=plans[quickest],
        cheapest=plans[cheap],
        robust=plans[int(safe[0])] if len(safe) else None,
        runner_up=runner,
        runner_up_lost=why_behind(runner, best) if runner else "no other layout fits",
        plateau=[plans[i] for i in flat],
        plateau_size=flat_size,
        pareto=[plans[i] for i in frontier],
        published=_published(case, gpus, tokens, best, fit),
        asked=asked,
        asked_lost=why_behind(asked, best) + _overfull(asked) if asked else "",
        notes=_notes(machine, gpus)
        + _batch_notes(case, best, gpus, free_batch, fit)
        + _unproven_note(case, asked or best),
        considered=len(grid),
        scored=len(good),
        seconds=time.perf_counter() - started,
    )


def planned_case(
    work: Workload, machine: Machine, precision: str, software: Engine, date: float, dispatcher: str = ""
) -> Case:
    """What a plan prices: experts a little out of balance, and a named site that is not NVIDIA's as it is."""
    return Case(
        work,
        machine,
        precision,
        software,
        date,
        imbalance=PLANNED_IMBALANCE,
        dispatcher=dispatcher,
        elsewhere=software.nvidia_sites and machine.site not in REFERENCE_SITES,
    )


def band_widths(case: Case, at: Layouts, fit: Calibration) -> Array:
    """Log half-width of the band of each layout: the case's, wider for what no published run had."""
    beyond = unproven(at, bool(case.workload.experts), case.machine.gpu.nvlink_domain)
    return np.asarray(np.hypot(fit.half_width(case), UNPROVEN * np.sqrt(beyond)))


def _plateau(
    grid: Layouts, rate: Array, width: Array, base: float, order: NDArray[np.intp]
) -> tuple[list[int], int]:
    """Places of the best layout of each shape within the band of the fastest, proven shapes first, and how
    many such shapes there are."""
    near = order[(rate >= rate.max() * math.exp(-base))[order]]
    shape = np.stack([getattr(grid, name)[near] for name in ("tp", "pp", "vpp", "cp", "ep", "etp")])
    _, first = np.unique(shape, axis=1, return_index=True)
    each = near[np.sort(first)]
    proven_first = each[np.argsort(width[each].round(9), kind="stable")]
    return [int(i) for i in proven_first[:PLATEAU]], len(each)


def priced(case: Case, chosen: Sequence[Layout], gpus: int, tokens: float, fit: Calibration) -> list[Plan]:
    """Layouts as plans, with their parts, bands and memory."""
    at, on = Layouts.of(chosen), Cases.of([case])
    parts = {name: np.broadcast_to(v, len(at)) for name, v in fit.price([case], at).items()}
    memory = {name: np.broadcast_to(v, len(at)) / 1e9 for name, v in memory_parts(on, at).items()}
    widths = band_widths(case, at, fit)
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
                band_s=band(step, float(widths[i])),
                breakdown_s=breakdown,
                memory_gb={name: float(value[i]) for name, value in memory.items()},
                gradient_bytes=case.engine.gradient_bytes,
                tp_overlap=case.engine.tp_overlap > 0,
                engine=case.engine.name,
                dispatcher=_dispatcher(case, layout),
            )
        )
    return plans


def _with_options(layout: dict[str, int], schedule: str, offload: str) -> dict[str, int]:
    """A layout that was asked for, with the schedule and the offloading asked for beside it. PlanError where they differ."""
    whole = dict(layout)
    for name, value, values in (("schedule", schedule, SCHEDULES), ("offload", offload, OFFLOADS)):
        own = values[whole.setdefault(name, values.index(value))]
        if value not in (values[0], own):
            raise PlanError(
                f"the layout has {name}={own}, and {name} {value} is asked for beside it: name one"
            )
    return whole


def by_chunks(grid: Layouts, number: Callable[[Layouts], Array]) -> Array:
    """One number a layout, computed in pieces small enough for the processor's cache."""
    pieces = [np.arange(i, min(i + CHUNK, len(grid))) for i in range(0, len(grid), CHUNK)]
    return np.concatenate([number(grid.take(piece)) for piece in pieces] or [np.zeros(0)])


def check(machine: Machine, gpus: int, tokens: float, precision: str) -> None:
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


def _dispatcher(case: Case, cut: Layout) -> str:
    """The dispatcher in use: within an NVLink domain all are priced alike, and plain all-to-all is launched."""
    far = case.workload.experts and cut.ep * cut.etp > case.machine.gpu.nvlink_domain
    return case.sends_by() if far else "alltoall"


def _batch_notes(case: Case, best: Plan, gpus: int, free: bool, fit: Calibration) -> list[str]:
    """What the size of a step costs in data, and what leaves GPUs idle."""
    size, tokens = best.tokens_per_step, best.tokens
    notes = [
        f"a step of {size / 1e6:,.1f} M tokens is {size / critical_batch(tokens):.0%} of the critical batch of "
        f"this budget: about {extra_tokens(size, tokens):.0%} of the tokens are the price of steps that large"
    ]
    idle = best.spare_gpus / gpus
    if idle <= IDLE:
        return notes
    wider = _filling(case, best, gpus, fit) if free else None
    hint = "no layout of this batch is faster with more of them; another --batch may be"
    if wider is not None:
        larger = wider.global_batch * case.workload.seq_len
        hint = (
            f"steps are too small to share out; --batch {wider.global_batch} ({larger / 1e6:,.0f} M tokens) "
            f"would fill {wider.gpus:,}, at the price of about {extra_tokens(larger, tokens):.0%} of the tokens"
        )
    return [*notes, f"{best.spare_gpus:,} of {gpus:,} GPUs ({idle:.1%}) stay idle: {hint}"]


def _filling(case: Case, best: Plan, gpus: int, fit: Calibration) -> Layout | None:
    """The fastest layout that uses more of the GPUs with a larger step, if there is one."""
    work, on = case.workload, Cases.of([case])
    grid = layouts(work, case.machine, gpus, max(1, gpus * TOKENS_PER_GPU // work.seq_len), exact=False)
    grid = grid.take((grid.gpus > best.n_gpus) & (grid.global_batch > best.layout.global_batch))
    grid = grid.take(by_chunks(grid, lambda part: memory_bytes(on, part)) <= on.memory * USABLE)
    if not len(grid):
        return None
    step = by_chunks(grid, lambda part: total(fit.price([case], part)))
    rate = grid.global_batch * work.seq_len / step
    return grid[int(np.argmax(rate))] if rate.max() > _rate(best) else None


def _unproven_note(case: Case, plan: Plan) -> list[str]:
    """What the chosen layout has that no published run had."""
    domain = case.machine.gpu.nvlink_domain
    beyond = unproven_axes(Layouts.of([plan.layout]), bool(case.workload.experts), domain)
    return [f"no published run has used {', '.join(beyond)}: the band is wider for it"] if beyond else []


def _overfull(plan: Plan) -> str:
    room = plan.machine.gpu.memory_gb * USABLE
    if plan.memory_total_gb <= room:
        return ""
    return f"; by our count it needs {plan.memory_total_gb:.0f} GB of {room:.0f} and may not fit"


def nothing_fits(case: Case, gpus: int, target: int, exact: bool) -> str:
    """One sentence: what is short, and the nearest count of GPUs or batch that works."""
    work, name = case.workload, case.machine.gpu.name
    on = Cases.of([case])

    def leanest(count: int, sequences: int) -> float:
        grid = widest_layouts(work, case.machine, count, sequences, exact)
        grid = replace(grid, recompute=np.full(len(grid), float(RECOMPUTE.index("full"))))
        return float(np.min(by_chunks(grid, lambda part: memory_bytes(on, part)), initial=math.inf)) / 1e9

    least, room = leanest(gpus, target), case.machine.gpu.memory_gb
    if math.isinf(least):
        few = f"{target} sequences a step are too few for {gpus:,} GPUs"
        return f"{few}: try --batch {_enough(gpus, target)}"
    more = 2 * gpus
    while more < MOST_GPUS and leanest(more, target if exact else default_batch(work, more)) > room * USABLE:
        more *= 2
    return (
        f"{work.name} does not fit {gpus:,} x {name}: the leanest layout needs {least:,.0f} GB of "
        f"{room:.0f} GB a GPU; "
        + (f"{more:,} GPUs work" if more < MOST_GPUS else "no number of GPUs changes that")
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
    case: Case, gpus: int, tokens: float, best: Plan, fit: Calibration
) -> list[tuple[Plan, str, str]]:
    """Layouts the makers or NVIDIA published for this model, at our GPU count and batch, with what sets them
    back."""
    out = []
    for row in table("published_layouts.csv"):
        if row["model"] != case.workload.name or row["gpu"] not in case.machine.gpu.name:
            continue
        size = {name: int(row[name]) for name in ("tp", "pp", "vpp", "cp", "ep", "etp", "micro_batch")}
        try:
            cut = given_layout(case.workload, case.machine, gpus, size, best.layout.global_batch, exact=False)
        except PlanError:
            continue
        plan = priced(case, [cut], gpus, tokens, fit)[0]
        out.append((plan, row["source"], why_behind(plan, best) + _overfull(plan)))
    return out
