"""Orders of work in a pipeline, offloading and uneven stages: what they cost in time and memory."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner

from trinch.cli.plan import plan as command
from trinch.planner.perf.calibration import shipped
from trinch.planner.perf.hardware import PlanError, machine
from trinch.planner.perf.layout import OFFLOADS, SCHEDULES, Layout, Layouts
from trinch.planner.perf.layout_grid import given_layout, layouts, parse_layout
from trinch.planner.perf.layout_search import search
from trinch.planner.perf.memory import memory_parts
from trinch.planner.perf.model_inputs import Case, Cases, engine
from trinch.planner.perf.models import workload

CASE = Case(workload("llama-3-70b"), machine("h100"), "bf16", engine("megatron-lm"))
PLAIN = Layout(tp=8, pp=8, dp=8, global_batch=256)


def parts(cut: Layout, case: Case = CASE) -> dict[str, float]:
    """Seconds of one step by cause."""
    return {name: float(value[0]) for name, value in shipped().price([case], Layouts.of([cut])).items()}


def memory(cut: Layout, case: Case = CASE) -> dict[str, float]:
    """Bytes by kind."""
    return {name: float(v[0]) for name, v in memory_parts(Cases.of([case]), Layouts.of([cut])).items()}


def ordered(name: str, cut: Layout = PLAIN) -> Layout:
    """The layout in another order of work."""
    return replace(cut, schedule=SCHEDULES.index(name), vpp=2 if name in ("zbv", "dualpipe-v") else 1)


def test_each_schedule_idles_as_its_paper_says() -> None:
    # arXiv 2401.10241: with forward, backward and weights alike, ZB-H1 idles a third of 1F1B, ZB-V nearly nothing;
    # attention, norms and traffic have no weights to wait for, so a real model idles more
    plain = parts(PLAIN)["bubble"]
    assert 1 / 3 <= parts(ordered("zb-h1"))["bubble"] / plain < 0.65
    assert parts(ordered("zbv"))["bubble"] / plain < 0.45
    assert parts(ordered("zbv"))["bubble"] < parts(ordered("zb-h1"))["bubble"] < plain
    # arXiv 2412.19437 table 2: (p/2 - 1) of (stage + backward - 3 weights) against (p - 1) of a stage
    assert 3 / 7 * 2 / 3 <= parts(ordered("dualpipe"))["bubble"] / plain < 0.5


def test_dualpipe_holds_two_copies_of_its_stages_and_one_micro_batch_more() -> None:
    plain, both = memory(PLAIN), memory(ordered("dualpipe"))
    assert both["weights"] == pytest.approx(2 * plain["weights"])
    assert both["gradients"] == pytest.approx(2 * plain["gradients"])
    assert both["optimizer"] == pytest.approx(plain["optimizer"])
    assert both["activations"] == pytest.approx(plain["activations"] * 9 / 8)
    assert memory(ordered("zb-h1")) == plain


def test_offloading_frees_memory_and_costs_time() -> None:
    here, there = PLAIN, replace(PLAIN, offload=OFFLOADS.index("optimizer"))
    assert memory(there)["optimizer"] == 0 < memory(here)["optimizer"]
    assert parts(there)["optimizer"] > 1.5 * parts(here)["optimizer"]
    away = replace(PLAIN, offload=OFFLOADS.index("activations"))
    assert memory(away)["activations"] < memory(here)["activations"] / 8
    assert parts(away)["offload"] > 0 == parts(here)["offload"]


def test_a_superchip_offloads_faster_than_pcie() -> None:
    moved = replace(PLAIN, offload=OFFLOADS.index("both"))
    slow = parts(moved, replace(CASE, machine=machine("b200")))
    fast = parts(moved, replace(CASE, machine=machine("gb200")))
    assert fast["optimizer"] < slow["optimizer"]
    assert fast["offload"] < slow["offload"]


@pytest.mark.parametrize("schedule", SCHEDULES[1:])
def test_a_search_keeps_to_the_schedule(schedule: str) -> None:
    grid = layouts(CASE.workload, CASE.machine, 512, 512, False, schedule=schedule)
    deep = grid.take(grid.pp > 1)
    assert set(deep.schedule) == {SCHEDULES.index(schedule)}
    assert set(deep.vpp) == {2.0 if schedule in ("zbv", "dualpipe-v") else 1.0}
    assert not grid.take(grid.pp == 1).schedule.any()
    if schedule == "dualpipe":
        assert not (deep.pp % 2).any()


def test_uneven_stages_are_priced_by_the_fullest() -> None:
    # 80 layers on 12 stages: eleven of 7 and one of 3
    case = replace(CASE, machine=machine("h200"))
    uneven = replace(PLAIN, pp=12)
    even = replace(PLAIN, pp=10)
    busy = parts(uneven, case)["matmul"] + parts(uneven, case)["imbalance"]
    assert busy > parts(uneven, case)["matmul"]
    assert memory(uneven)["weights"] == pytest.approx(memory(even)["weights"] * 7 / 8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("TP8 PP8 schedule=zbv", "VPP2"),
        ("TP8 PP8 VPP2 schedule=zb-h1", "VPP1"),
        ("TP8 PP5 schedule=dualpipe", "even PP"),
        ("TP8 schedule=best", "use 1f1b"),
        ("TP8 offload=disk", "use none"),
    ],
)
def test_what_a_schedule_cannot_be_is_said(text: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        given_layout(CASE.workload, CASE.machine, 512, parse_layout(text), 512, exact=False)


def test_deepseek_v3_with_dualpipe_takes_the_days_it_took() -> None:
    found = search(
        workload("deepseek-v3", 4096),
        machine("h800"),
        2048,
        14.8e12,
        "fp8",
        15360,
        engine_name="hai-llm",
        date=2024.96,
        layout=parse_layout("PP16 EP64 DP128 recompute=selective schedule=dualpipe"),
    )
    assert found.asked is not None
    assert found.asked.days == pytest.approx(54, abs=5)  # 2.664 M GPU-hours, arXiv 2412.19437 table 1


def test_the_command_takes_a_schedule_and_refuses_files_that_cannot_start_it() -> None:
    common = ["train", "--model", "llama-3-70b", "--gpus", "256", "--tokens", "1T", "--trials", "20"]
    done = CliRunner().invoke(command, [*common, "--schedule", "zb-h1", "--offload", "optimizer", "--json"])
    assert json.loads(done.stdout)["best"]["layout"]["offload"] == 1
    refused = CliRunner().invoke(command, [*common, "--layout", "TP8 PP4 schedule=zb-h1", "--out", "unused"])
    assert refused.exit_code == 2
    assert "no launch file starts zb-h1" in refused.stderr


def test_torchtitan_files_start_the_schedule(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    asked = [
        "train",
        "--model",
        "llama-3-70b",
        "--gpus",
        "256",
        "--tokens",
        "1T",
        "--trials",
        "20",
        "--engine",
        "torchtitan",
    ]
    done = CliRunner().invoke(
        command, [*asked, "--layout", "TP8 PP4 VPP2 schedule=zbv", "--out", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    written = (tmp_path / "manifests" / "torchtitan.args").read_text(encoding="utf-8")
    assert "pipeline_parallel_schedule ZBVZeroBubble" in written
    assert not list(tmp_path.glob("manifests/megatron*"))
