"""What any step-time model must obey, whatever its coefficients."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trinch.planner.perf.calibration import shipped
from trinch.planner.perf.hardware import machine
from trinch.planner.perf.layout import Layout, Layouts, total
from trinch.planner.perf.model_inputs import Case, Cases, engine
from trinch.planner.perf.models import presets, workload
from trinch.planner.perf.step_time import step_parts, step_time
from trinch.planner.perf.workload import Workload

FIT = shipped().coefficients


def case(model: str = "llama-3-70b", gpu: str = "h100", precision: str = "bf16", **fields: object) -> Case:
    return Case(workload(model), machine(gpu), precision, engine("nemo", 2025.0), 2025.0, **fields)


def seconds(one: Case, layout: Layout) -> float:
    return float(step_time(Cases.of([one]), Layouts.of([layout]), FIT)[0])


BASE = Layout(tp=4, pp=4, vpp=5, cp=2, dp=2, global_batch=128, sequence_parallel=1)


def test_parts_are_never_negative_and_add_up() -> None:
    at = Layouts.of(
        [BASE, replace(BASE, vpp=1), replace(BASE, recompute=2), Layout(dp=64, zero=3, global_batch=128)]
    )
    on = Cases.of([case()])
    parts = step_parts(on, at, FIT)
    assert all(np.all(part >= 0) for part in parts.values())
    assert np.allclose(total(parts), step_time(on, at, FIT))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(presets())),
    st.sampled_from([1, 2, 4, 8]),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([1, 4, 64]),
    st.sampled_from([1, 4]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([1, 3]),
)
def test_no_step_is_faster_than_its_flops_at_peak(
    model: str, tp: int, pp: int, dp: int, micro: int, recompute: int, zero: int
) -> None:
    work = workload(model)
    layout = Layout(
        tp=tp, pp=pp, dp=dp, micro_batch=micro, global_batch=dp * micro * 8, recompute=recompute, zero=zero
    )
    found = seconds(case(model), layout)
    flops = work.training_flops_per_token() * layout.global_batch * work.seq_len
    assert found > flops / layout.gpus / 989e12
    assert np.isfinite(found)


def test_one_case_in_many_layouts_equals_many_single_cases() -> None:
    layouts = [BASE, replace(BASE, micro_batch=2), replace(BASE, tp=8, dp=1)]
    at = Layouts.of(layouts)
    together = step_time(Cases.of([case()]), at, FIT)
    apart = [seconds(case(), layout) for layout in layouts]
    stacked = step_time(Cases.of([case()] * 3), at, FIT)
    assert np.allclose(together, apart, rtol=1e-12)
    assert np.allclose(together, stacked, rtol=1e-12)


def test_recomputation_costs_about_a_forward_pass() -> None:
    ratio = seconds(case(), replace(BASE, recompute=2)) / seconds(case(), BASE)
    assert 1.2 < ratio < 1.4


def test_interleaving_shrinks_the_bubble() -> None:
    on, at = Cases.of([case()]), Layouts.of([replace(BASE, vpp=1), BASE])
    bubble = step_parts(on, at, FIT)["bubble"]
    assert bubble[1] == pytest.approx(bubble[0] / 5, rel=1e-6)


def test_the_bubble_follows_its_formula() -> None:
    on, at = Cases.of([case()]), Layouts.of([BASE])
    parts = {name: float(np.ravel(value)[0]) for name, value in step_parts(on, at, FIT).items()}
    work = sum(
        parts[name]
        for name in parts
        if name not in {"bubble", "imbalance", "pipeline_comm", "data_comm", "optimizer", "stragglers"}
    )
    expected = work / BASE.accumulation * (BASE.pp - 1) / BASE.vpp * FIT["bubble"]
    assert parts["bubble"] == pytest.approx(expected, rel=1e-6)


def test_weak_scaling_never_speeds_up() -> None:
    widths = [1, 2, 8, 64, 512]
    times = [seconds(case(), replace(BASE, dp=dp, global_batch=64 * dp)) for dp in widths]
    assert times == sorted(times)


@pytest.mark.parametrize(("slow", "fast"), [("a100", "h100"), ("h100", "gb200")])
def test_a_newer_gpu_is_faster(slow: str, fast: str) -> None:
    assert seconds(case(gpu=slow), BASE) > 1.5 * seconds(case(gpu=fast), BASE)


def test_fp8_is_faster_but_not_twice() -> None:
    ratio = seconds(case(), BASE) / seconds(case(precision="fp8"), BASE)
    assert 1.2 < ratio < 2


def test_crowded_experts_slow_the_step() -> None:
    layout = Layout(tp=4, pp=8, vpp=8, cp=2, dp=8, ep=8, global_batch=1024, sequence_parallel=1)
    even, crowded = seconds(case("grok-1"), layout), seconds(case("grok-1", imbalance=1.5), layout)
    assert 1.2 * even < crowded < 1.5 * even


def test_frozen_weights_save_their_gradients() -> None:
    assert seconds(case(frozen=True), BASE) < 0.75 * seconds(case(), BASE)


def test_expert_traffic_across_nodes_costs_more_than_inside() -> None:
    inside = Layout(dp=64, ep=8, global_batch=512)
    across = replace(inside, ep=64)
    on = Cases.of([case("qwen3-30b-a3b")])
    comm = step_parts(on, Layouts.of([inside, across]), FIT)["expert_comm"]
    assert comm[1] > 2 * comm[0]


def test_a_layer_too_many_on_one_stage_is_paid_by_all() -> None:
    odd: Workload = replace(workload("llama-3-8b"), layers=33)
    one = Case(odd, machine("h100"), "bf16", engine("nemo", 2025.0), 2025.0)
    layout = Layout(pp=8, dp=2, global_batch=128)
    parts = step_parts(Cases.of([one]), Layouts.of([layout]), FIT)
    assert parts["imbalance"][0] > 0.05 * total(parts)[0]
