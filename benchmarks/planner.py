"""Training step time beside Calculon, on every published run it can express, in the same run.

    python -m benchmarks.planner --runs RUNS.csv [--calculon CHECKOUT] [--peer PYTHON]

Without `--calculon` only ours is scored. `--peer` is a Python that has pandas and psutil, which Calculon imports. It cannot express grouped-query
attention, gated MLPs, experts, context parallelism or FSDP. Calculon uses its own system files as they are;
each row is priced with and without overlap of tensor-parallel traffic, the switch that rows leave open.
Ours is scored out of sample: each family is predicted by a fit that saw no row of it. Also printed: errors of experts
by family, and how many rows lie in bands that were made from the other families.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from trinch.planner.perf import fit
from trinch.planner.perf.calibration import Calibration, band_groups, family, shipped
from trinch.planner.perf.hardware import machine
from trinch.planner.perf.layout import Layouts
from trinch.planner.perf.layout_search import search
from trinch.planner.perf.model_inputs import Cases
from trinch.planner.perf.models import workload
from trinch.planner.perf.run_rows import Run, read_table, understand_all
from trinch.planner.perf.step_time import step_time

SYSTEMS = {"A100-80GB": "a100_80g.json", "H100-SXM-80GB": "h100_80g_nvl8.json"}
RECOMPUTE = ("none", "attn_only", "full")
SEARCHES = (("llama-3-405b", 16_384), ("grok-1", 20_000), ("grok-2", 100_000))


def expressible(run: Run) -> bool:
    """Can Calculon be asked about this run at all?"""
    work, cut = run.case.workload, run.layout
    return (
        not work.experts
        and not work.gated
        and work.heads == work.kv_heads
        and cut.cp == 1
        and cut.zero <= 1
        and cut.tp <= 8
        and run.case.machine.gpu.name in SYSTEMS
        and work.layers % (cut.pp * cut.vpp) == 0
        and cut.global_batch % (cut.dp * cut.micro_batch) == 0
    )


def question(run: Run, overlap: bool) -> dict[str, Any]:
    """The run in Calculon's words; `overlap` of tensor-parallel traffic where the engine has it."""
    work, cut, engine = run.case.workload, run.layout, run.case.engine
    together = bool(cut.sequence_parallel) and cut.tp > 1
    return {
        "system": SYSTEMS[run.case.machine.gpu.name],
        "application": {
            "hidden": work.hidden,
            "feedforward": work.ffn,
            "seq_size": work.seq_len,
            "attn_heads": work.heads,
            "attn_size": work.head_dim,
            "num_blocks": work.layers,
        },
        "execution": {
            "num_procs": cut.gpus,
            "tensor_par": cut.tp,
            "pipeline_par": cut.pp,
            "data_par": cut.dp,
            "tensor_par_net": 0,
            "pipeline_par_net": 1,
            "data_par_net": 1,
            "batch_size": cut.global_batch,
            "microbatch_size": cut.micro_batch,
            "datatype": "float8" if run.case.precision == "fp8" else "float16",
            "fused_activation": engine.attention != "eager",
            "attention_type": "multihead",
            "activation_recompute": RECOMPUTE[cut.recompute],
            "pipeline_interleaving": cut.vpp,
            "optimizer_sharding": cut.zero == 1 and cut.dp > 1,
            "tensor_par_comm_type": "rs_ag" if together else "ar",
            "tensor_par_overlap": "ring" if overlap and engine.tp_overlap and cut.tp > 1 else "none",
            "seq_par_ag_redo": False,
            "data_par_overlap": bool(engine.dp_overlap) and cut.dp > 1,
            "weight_offload": False,
            "activations_offload": False,
            "optimizer_offload": False,
            "training": True,
        },
    }


def ask(runs: list[Run], checkout: Path, python: str, overlap: bool) -> list[dict[str, Any]]:
    """Calculon's answers, in order."""
    asked = "\n".join(json.dumps(question(run, overlap)) for run in runs)
    done = subprocess.run(
        [python, str(Path(__file__).with_name("planner_peer.py")), str(checkout)],
        input=asked,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(checkout)},
    )
    if done.returncode:
        sys.exit(f"Calculon could not be run:\n{done.stderr.strip()[-800:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def line(name: str, errors: np.ndarray, each_s: float) -> str:
    """One row of the table."""
    size = np.abs(errors)
    return (
        f"{name:52} {len(size):4d} {np.mean(size):7.1%} {np.median(size):7.1%} {np.max(size):7.1%} "
        f"{np.median(errors):+7.1%} {each_s * 1e3:9.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--calculon", type=Path)
    parser.add_argument("--peer", default=sys.executable)
    options = parser.parse_args()
    runs = fit.usable(understand_all(read_table(options.runs))[0].values())
    if not runs:
        sys.exit(f"{options.runs} has no measured row that can be predicted")
    unseen = np.exp(fit.cross_errors(runs, fit.by_family(runs))) - 1
    accuracy(runs, unseen)
    chosen = [i for i, run in enumerate(runs) if expressible(run)]
    ours_s = our_time(runs)
    print(f"{len(runs)} measured rows, {len(chosen)} expressible")
    print(f"{'':52} rows    MAPE  median   worst    bias ms/layout")
    if options.calculon and chosen:
        beside_calculon(runs, chosen, unseen, ours_s, options)
    elif chosen:
        print(line("Trinch, family unseen", unseen[chosen], ours_s))
    print("\nsearches")
    for model, gpus in SEARCHES:
        found = search(workload(model), machine("h100"), gpus, 1e13)
        each = found.seconds / found.scored * 1e3
        print(f"{model:14} {gpus:7,d} GPUs {found.scored:6,d} layouts, {found.seconds:.2f} s, {each:.4f} ms")


def accuracy(runs: list[Run], unseen: np.ndarray) -> None:
    """Errors by kind and GPU generation and of each family of experts; coverage of the bands by group."""
    print(
        "each family predicted by a fit that saw no row of it\n"
        + " " * 52
        + " rows    MAPE  median   worst    bias"
    )
    groups: dict[str, list[int]] = {}
    for i, run in enumerate(runs):
        kind = "experts" if run.case.workload.experts else "dense"
        where = "Blackwell" if run.case.machine.gpu.generation == "blackwell" else "A100 to H200"
        groups.setdefault(f"all {kind}, {where}", []).append(i)
        if kind == "experts":
            groups.setdefault(f"  {run.case.workload.name.split(' proxy')[0]}, {where}", []).append(i)
    for name, which in sorted(groups.items()):
        print(line(name, unseen[which], 0.0).rsplit(None, 1)[0])
    print("\n80 % bands made from the other families only, groups of 8 rows and more")
    for name, (inside, count) in sorted(covered(runs, np.log(unseen + 1)).items()):
        if count >= fit.BAND_ROWS:
            print(f"{name:52} {count:4d} {inside / count:7.0%}")
    print()


def covered(runs: list[Run], errors: np.ndarray) -> dict[str, tuple[int, int]]:
    """Rows inside their band, and rows, by kind, generation and engine: each family's bands come from the others."""
    families = np.array([family(run.case.workload) for run in runs])
    found: dict[str, tuple[int, int]] = {}
    for one in sorted(set(families.tolist())):
        others = families != one
        rest = [run for run, other in zip(runs, others, strict=True) if other]
        width = Calibration({}, fit.bands(rest, errors[others], errors[others]), frozenset())
        for i in np.flatnonzero(~others):
            name = band_groups(runs[i].case)[0]
            inside, count = found.get(name, (0, 0))
            found[name] = (inside + bool(abs(errors[i]) <= width.half_width(runs[i].case)), count + 1)
    return found


def beside_calculon(
    runs: list[Run], chosen: list[int], unseen: np.ndarray, ours_s: float, options: argparse.Namespace
) -> None:
    """Both on the chosen rows, with and without overlap of tensor-parallel traffic, by GPU."""
    for overlap in (False, True):
        answers = ask([runs[i] for i in chosen], options.calculon, options.peer, overlap)
        both = [(i, answer) for i, answer in zip(chosen, answers, strict=True) if "step_s" in answer]
        if not both:
            print("Calculon answered no row")
            continue
        took = float(np.mean([answer["took_s"] for _, answer in both]))
        for gpu in ("", *SYSTEMS):
            which = [(i, a) for i, a in both if gpu in ("", runs[i].case.machine.gpu.name)]
            if not which:
                continue
            theirs = np.array([a["step_s"] / (runs[i].measured_s or 0) - 1 for i, a in which])
            name = f"Calculon{', overlap' if overlap else ''} {gpu}"
            print(line(name, theirs, took))
            print(line(f"Trinch on the same, family unseen {gpu}", unseen[[i for i, _ in which]], ours_s))
        refused = Counter(answer["reason"][:60] for answer in answers if "reason" in answer)
        print("".join(f"{count} rows not answered: {why}\n" for why, count in refused.items()), end="")


def our_time(runs: list[Run]) -> float:
    """Seconds a layout when a table is priced at once."""
    started = time.perf_counter()
    step_time(Cases.of([r.case for r in runs]), Layouts.of([r.layout for r in runs]), shipped().coefficients)
    return (time.perf_counter() - started) / len(runs)


if __name__ == "__main__":
    main()
