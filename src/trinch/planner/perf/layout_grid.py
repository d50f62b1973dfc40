"""The grid of layouts that a search prices, and one layout written by hand ("TP8 PP16 VPP8 DP128").

GPU counts need not be powers of two: data parallelism takes any width, what is left over are spares.
"""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trinch.planner.perf.hardware import Machine, PlanError
from trinch.planner.perf.layout import (
    OFFLOADS,
    RECOMPUTE,
    SCHEDULES,
    V_SHAPED,
    Array,
    Layout,
    Layouts,
    last_stage_layers,
)
from trinch.planner.perf.workload import Workload

MICRO_BATCHES = (1, 2, 3, 4, 6, 8)
WIDTHS = (1.0, 0.99, 0.98, 0.95, 0.9, 0.75, 0.5)
"""Shares of the GPUs that are tried: all, a few spares, and smaller runs for the Pareto set."""
BATCH_SLACK = 0.15
"""Without an exact batch, how far a layout may move it to come out even."""
MAX_PP = 64
MOST_WAYS = 500_000
"""Ways to cut a model that are tried: a hostile shape would fill the memory. Real models have up to 200,000."""


def layouts(
    work: Workload,
    machine: Machine,
    gpus: int,
    target: int,
    exact: bool,
    max_vpp: int | None = None,
    *,
    schedule: str = SCHEDULES[0],
    offload: str = OFFLOADS[0],
) -> Layouts:
    """The whole grid: every combination that divides, before memory is looked at, all with one schedule and offload."""
    cuts, possible = _cuts(work, machine, gpus, target, exact, max_vpp, schedule)
    row, width = np.nonzero(possible)
    each = np.repeat(np.arange(len(row)), len(RECOMPUTE))
    grid = cuts(row[each], width[each])
    return replace(
        grid,
        recompute=np.tile(np.arange(len(RECOMPUTE), dtype=float), len(row)),
        offload=np.full(len(grid), float(OFFLOADS.index(offload))),
    )


def widest_layouts(
    work: Workload, machine: Machine, gpus: int, target: int, exact: bool, max_vpp: int | None = None
) -> Layouts:
    """Of each way to cut the model only the one on most GPUs, without recomputation: a fortieth of `layouts`."""
    cuts, possible = _cuts(work, machine, gpus, target, exact, max_vpp)
    some = np.flatnonzero(possible.any(axis=1))
    return cuts(some, np.argmax(possible[some], axis=1))


Index = NDArray[np.intp]


def _cuts(
    work: Workload,
    machine: Machine,
    gpus: int,
    target: int,
    exact: bool,
    max_vpp: int | None,
    schedule: str = SCHEDULES[0],
) -> tuple[Callable[[Index, Index], Layouts], NDArray[np.bool_]]:
    """Every way to cut the model, as rows, at every share of the GPUs, as columns: which of them come out even, each
    width once, and a function that makes layouts of places among them."""
    domain = machine.gpu.nvlink_domain
    tensor = [
        (t, split)
        for t in _powers(min(domain, gpus))
        if work.heads % t == 0 and _shares(work.kv_heads, t)
        for split in ((0, 1) if t > 1 and work.experts else (0,))
    ]
    context = [
        c for c in _powers(16) if c == 1 or (work.seq_len % (2 * c) == 0 and work.seq_len // c >= 2048)
    ]
    pipeline = _pipelines(work.layers, max_vpp, schedule)
    expert = [e for e in range(1, work.experts + 1) if work.experts % e == 0] or [1]
    ways = len(pipeline) * len(tensor) * len(context) * len(expert) * len(MICRO_BATCHES)
    if ways > MOST_WAYS:
        raise PlanError(f"{work.name} can be cut in {ways:,} ways, and no more than {MOST_WAYS:,} are tried")
    axes = (range(len(pipeline)), range(len(tensor)), context, expert, MICRO_BATCHES)
    cut, pair, c, e, m = (
        axis.ravel() for axis in np.meshgrid(*(np.array(axis, float) for axis in axes), indexing="ij")
    )
    p, v, z = np.array(pipeline, float)[cut.astype(int)].T
    t, split = np.array(tensor, float)[pair.astype(int)].T
    x = np.where(split > 0, t, 1.0)
    fold = e * x / np.gcd((e * x).astype(int), (t * c).astype(int))
    widest = np.floor(gpus * np.array(WIDTHS) / (t * p * c)[:, None])
    unit = m * np.where(v > 1, p, 1.0)
    free = np.floor(widest / fold[:, None]) * fold[:, None]
    dp = _dividing(target, unit, fold, widest) if exact else free
    step = dp * unit[:, None]
    batch = np.maximum(np.rint(target / np.maximum(step, 1.0)), 1.0) * step
    possible = (dp >= 1) & (np.abs(batch / target - 1) <= BATCH_SLACK)
    possible[:, 1:] &= dp[:, 1:] != dp[:, :-1]

    def at(row: Index, width: Index) -> Layouts:
        return Layouts(
            tp=t[row],
            pp=p[row],
            vpp=v[row],
            dp=dp[row, width],
            cp=c[row],
            ep=e[row],
            etp=x[row],
            micro_batch=m[row],
            global_batch=batch[row, width],
            zero=z[row],
            sequence_parallel=np.where(t > 1, 1.0, 0.0)[row],
            recompute=np.zeros(len(row)),
            schedule=np.where(p[row] > 1, float(SCHEDULES.index(schedule)), 0.0),
            offload=np.zeros(len(row)),
        )

    return at, possible


def _pipelines(layers: int, max_vpp: int | None, schedule: str) -> list[tuple[int, int, int]]:
    """(stages, chunks a stage, ZeRO level): stages that divide the layers, or the layers and two (embedding and head
    count as one each), or leave the last stage fewer; and what the schedule asks for."""
    found = [(1, 1, zero) for zero in (1, 2, 3)]
    for p in range(2, min(layers, MAX_PP) + 1):
        for v in range(1, min(layers // p, max_vpp or layers) + 1):
            even = layers % (p * v) == 0 or (layers + 2) % (p * v) == 0
            uneven = v == 1 and last_stage_layers(layers, p) > 0
            if (even or uneven) and suits(schedule, p, v):
                found.append((p, v, 1))
    return found


def suits(schedule: str, pp: int, vpp: int) -> bool:
    """Whether a pipeline can run in this order: V-shaped ones hold two chunks a stage, DualPipe pairs its stages."""
    if schedule == SCHEDULES[0] or pp == 1:
        return True
    return vpp == (2 if schedule in V_SHAPED else 1) and (schedule != "dualpipe" or pp % 2 == 0)


def _dividing(target: int, unit: Array, fold: Array, widest: Array) -> Array:
    """The largest data-parallel width that divides the batch exactly; 0 where there is none.

    `unit` and `fold` have shape (n,), `widest` and the result (n, k)."""
    dp = np.zeros_like(widest)
    rest = np.where(target % (fold * unit) == 0, target // (fold * unit), 0).astype(int)
    for left in np.unique(rest[rest > 0]):
        rows = rest == left
        small = [d for d in range(1, math.isqrt(left) + 1) if left % d == 0]
        known = np.array(sorted({*small, *(left // d for d in small)}), float)
        place = np.searchsorted(known, widest[rows] / fold[rows, None], side="right") - 1
        dp[rows] = np.where(place >= 0, known[place] * fold[rows, None], 0.0)
    return dp


def _shares(kv_heads: int, tp: int) -> bool:
    return kv_heads % tp == 0 or tp % kv_heads == 0


def _powers(most: int) -> list[int]:
    return [2**i for i in range(most.bit_length()) if 2**i <= most]


_WORD = re.compile(r"(TP|PP|VPP|CP|DP|EP|ETP|MB|ZERO-?|RECOMPUTE=|SCHEDULE=|OFFLOAD=)([\w-]+)", re.IGNORECASE)
_NAMED = {"RECOMPUTE": RECOMPUTE, "SCHEDULE": SCHEDULES, "OFFLOAD": OFFLOADS}
_FIELDS = {"MB": "micro_batch", "ZERO": "zero", "RECOMPUTE": "recompute"}


def parse_layout(text: str) -> dict[str, int]:
    """Fields of a Layout from words such as "TP8 PP16 VPP8 DP128 mb1 ZeRO-1 recompute=full".

    Raises PlanError for a word that is none, a size of 0, or a size given twice."""
    found: dict[str, int] = {}
    for word in re.split(r"[\s,;]+", text.strip()):
        match = _WORD.fullmatch(word)
        if match is None:
            raise PlanError(
                f"{word!r} is no part of a layout: write for example 'TP8 PP16 VPP8 DP128 mb1 ZeRO-1'"
            )
        key = match[1].upper().rstrip("-=")
        name = _FIELDS.get(key, key.lower())
        if name in found:
            raise PlanError(f"the layout gives {key} twice")
        found[name] = _size(key, match[2])
    return found


def _size(key: str, text: str) -> int:
    if key in _NAMED:
        if text.lower() not in _NAMED[key]:
            raise PlanError(f"{key.lower()}={text}: use {', '.join(_NAMED[key])}")
        return _NAMED[key].index(text.lower())
    value = int(text) if text.isascii() and text.isdecimal() and len(text) < 8 else -1
    if value < (0 if key == "ZERO" else 1) or (key == "ZERO" and value > 3):
        raise PlanError(
            f"{key}{text} is not possible: {'ZeRO-0 to ZeRO-3' if key == 'ZERO' else 'a whole number from 1'}"
        )
    return value


def given_layout(
    work: Workload, machine: Machine, gpus: int, fields: dict[str, int], target: int, exact: bool
) -> Layout:
    """The layout of `fields` on at most `gpus` GPUs, with as many replicas as fit unless DP is given.

    Layers need not divide by the stages. Raises PlanError where the model or the GPUs cannot be cut so."""
    tp, pp, vpp, cp = (fields.get(name, 1) for name in ("tp", "pp", "vpp", "cp"))
    ep, etp, micro = (fields.get(name, 1) for name in ("ep", "etp", "micro_batch"))
    schedule = SCHEDULES[fields.get("schedule", 0)]
    checks = {
        f"{work.heads} heads do not divide by TP{tp}": work.heads % tp == 0 and _shares(work.kv_heads, tp),
        f"TP{tp} leaves the NVLink domain of {machine.gpu.nvlink_domain} GPUs": tp
        <= machine.gpu.nvlink_domain,
        f"{work.layers} layers are too few for PP{pp} x VPP{vpp}": work.layers + 2 >= pp * vpp,
        f"VPP{vpp} needs pipeline stages: give PP": vpp == 1 or pp > 1,
        f"schedule={schedule} needs {'VPP2' if schedule in V_SHAPED else 'VPP1'}"
        f"{' and an even PP' if schedule == 'dualpipe' else ''}": suits(schedule, pp, vpp),
        f"{work.seq_len:,} tokens do not divide over CP{cp}": cp == 1 or work.seq_len % (2 * cp) == 0,
        f"{work.name} has no experts for EP{ep} ETP{etp}": bool(work.experts) or ep == etp == 1,
        f"{work.experts} experts do not divide by EP{ep}": not work.experts or work.experts % ep == 0,
        f"ETP{etp} does not divide the experts' width": not work.experts or work.moe_ffn % etp == 0,
    }
    for problem, holds in checks.items():
        if not holds:
            raise PlanError(problem)
    block = tp * pp * cp
    fold = ep * etp // math.gcd(ep * etp, tp * cp)
    dp = fields.get("dp", gpus // block // fold * fold)
    if dp < 1 or block * dp > gpus:
        raise PlanError(f"the layout needs {block * max(dp, fold):,} GPUs, and there are {gpus:,}")
    if dp % fold:
        raise PlanError(f"EP{ep} x ETP{etp} does not divide TP x CP x DP = {tp * cp * dp:,}")
    unit = dp * micro
    even = unit * (pp if vpp > 1 else 1)
    batch = target if exact else max(1, round(target / even)) * even
    if batch % unit:
        near = max(1, round(target / even)) * even
        raise PlanError(f"--batch {target} is no multiple of {unit} = DP x micro-batch: try {near}")
    return Layout(
        tp=tp,
        pp=pp,
        vpp=vpp,
        dp=dp,
        cp=cp,
        ep=ep,
        etp=etp,
        micro_batch=micro,
        global_batch=batch,
        zero=fields.get("zero", 1),
        sequence_parallel=int(tp > 1),
        recompute=fields.get("recompute", 0),
        schedule=fields.get("schedule", 0) if pp > 1 else 0,
        offload=fields.get("offload", 0),
    )
