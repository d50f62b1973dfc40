"""Memory against arithmetic, and against runs that did fit."""

import re
from pathlib import Path

import numpy as np
import pytest

from trinch.planner.perf.hardware import machine
from trinch.planner.perf.layout import Layout, Layouts
from trinch.planner.perf.memory import memory_bytes, memory_parts
from trinch.planner.perf.model_inputs import Case, Cases, engine
from trinch.planner.perf.models import workload

ON = Cases.of([Case(workload("llama-3-8b"), machine("h100"), "bf16", engine("megatron-lm"))])
PARAMETERS = 8_030_261_248


def parts(**fields: int) -> dict[str, float]:
    found = memory_parts(ON, Layouts.of([Layout(**fields)]))
    return {name: float(np.ravel(value)[0]) for name, value in found.items()}


def test_states_are_2_4_and_12_bytes_a_parameter() -> None:
    found = parts(zero=0)
    assert found["weights"] == 2 * PARAMETERS
    assert found["gradients"] == 4 * PARAMETERS
    assert found["optimizer"] == 12 * PARAMETERS


@pytest.mark.parametrize(("zero", "cut"), [(1, "optimizer"), (2, "gradients"), (3, "weights")])
def test_each_zero_level_cuts_one_more_kind_by_the_replicas(zero: int, cut: str) -> None:
    less, more = parts(zero=zero - 1, dp=8, global_batch=8), parts(zero=zero, dp=8, global_batch=8)
    share = more[cut] / less[cut]
    if cut == "weights":  # and three gathered layers at work
        assert 1 / 8 < share < 1 / 4
    else:
        assert share == pytest.approx(1 / 8)
    assert all(more[name] == less[name] for name in ("activations", "logits"))


def test_full_recomputation_keeps_little() -> None:
    assert parts(recompute=2)["activations"] < 0.2 * parts(recompute=0)["activations"]


def test_tensor_parallelism_cuts_states_and_activations() -> None:
    one, four = parts(), parts(tp=4, sequence_parallel=1)
    assert four["weights"] == one["weights"] / 4
    assert four["activations"] == pytest.approx(one["activations"] / 4)


def test_experts_are_spread_by_expert_parallelism_only() -> None:
    work = workload("mixtral-8x7b")
    on = Cases.of([Case(work, machine("h100"), "bf16", engine("megatron-lm"))])
    wide = memory_parts(on, Layouts.of([Layout(dp=8, ep=8, global_batch=8)]))["weights"][0]
    experts = work.moe_layers * work.experts * work.expert_weights()
    assert wide == 2 * (work.parameters() - experts + experts / 8)


@pytest.mark.needs("runs/published_runs.csv")
def test_published_dense_layouts_fit_by_our_count(shared: Path) -> None:
    """NVIDIA's H100 recipes state no recomputation: without any they come to about what the GPU has."""
    from trinch.planner.perf.run_rows import read_table, understand_all

    rows = read_table(shared)
    runs = [
        run
        for run in understand_all(rows)[0].values()
        if run.case.engine.name == "nemo"
        and not run.case.workload.experts
        and run.case.machine.gpu.name[:4] == "H100"
    ]
    assert len(runs) > 100
    share = [
        memory_bytes(Cases.of([run.case]), Layouts.of([run.layout]))[0] / 80e9
        for run in runs
        if run.layout.recompute == 0
    ]
    assert len(share) > 0.95 * len(runs)
    assert max(share) < 1.1


@pytest.mark.needs("runs/published_runs.csv")
def test_reported_peaks_are_met(shared: Path) -> None:
    """torchtitan's tables say the peak memory of eighteen runs."""
    from trinch.planner.perf.run_rows import read_table, understand_all

    errors = []
    for run in understand_all(read_table(shared))[0].values():
        peak = re.search(r"peak mem ([\d.]+) GiB", run.row["notes"])
        if peak:
            ours = memory_bytes(Cases.of([run.case]), Layouts.of([run.layout]))[0]
            errors.append(ours / (float(peak[1]) * 2**30) - 1)
    assert len(errors) == 18
    assert np.mean(np.abs(errors)) < 0.15
    assert np.max(np.abs(errors)) < 0.35
