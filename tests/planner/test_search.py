"""The search: complete, consistent with single predictions, and honest about what does not fit."""

from dataclasses import replace

import numpy as np
import pytest

from trinch.planner.perf.calibration import shipped
from trinch.planner.perf.hardware import PlanError, machine
from trinch.planner.perf.layout import Layouts
from trinch.planner.perf.layout_grid import given_layout, layouts, parse_layout
from trinch.planner.perf.layout_search import (
    PLANNED_IMBALANCE,
    Search,
    default_batch,
    priced,
    search,
)
from trinch.planner.perf.memory import USABLE, memory_bytes
from trinch.planner.perf.model_inputs import Case, Cases, engine
from trinch.planner.perf.models import workload

H100 = machine("h100")


@pytest.fixture(scope="module")
def grok() -> Search:
    return search(workload("grok-1"), H100, 20_000, 10e12)


def rate(plan) -> float:
    return plan.tokens_per_step / plan.step_time_s


def surely(plan) -> float:
    """The lower bound of the speed, tokens/s."""
    return plan.tokens_per_step / plan.band_s[1]


def test_the_best_is_what_pricing_one_by_one_finds() -> None:
    work, gpus = workload("llama-3-8b"), 5
    found = search(work, H100, gpus, 1e12)
    case = Case(work, H100, "bf16", engine("megatron-bridge"), imbalance=PLANNED_IMBALANCE)
    grid = layouts(work, H100, gpus, default_batch(work, gpus), exact=False)
    on = Cases.of([case])
    slowly = []
    for i in range(len(grid)):
        if memory_bytes(on, Layouts.of([grid[i]]))[0] <= 80e9 * USABLE:
            slowly.append(priced(case, [grid[i]], gpus, 1e12, shipped())[0])
    assert len(slowly) == found.scored
    assert surely(found.best) == pytest.approx(max(surely(plan) for plan in slowly), rel=1e-12)
    assert rate(found.fastest) == pytest.approx(max(rate(plan) for plan in slowly), rel=1e-12)


def test_uneven_counts_leave_spares_and_odd_widths(grok: Search) -> None:
    best = grok.best
    assert best.n_gpus + best.spare_gpus == 20_000
    assert best.n_gpus == best.layout.gpus
    assert best.spare_gpus < 200
    cut = best.layout
    assert cut.tp * cut.cp * cut.dp % (cut.ep * cut.etp) == 0
    assert cut.global_batch == cut.dp * cut.micro_batch * cut.accumulation
    odd = search(workload("llama-3-70b"), H100, 1000, 1e12).best
    assert odd.n_gpus >= 990


def test_every_plan_fits_and_its_parts_add_up(grok: Search) -> None:
    for plan in [grok.best, grok.cheapest, grok.robust, grok.runner_up, *grok.pareto]:
        assert plan.memory_total_gb <= 80 * USABLE
        assert sum(plan.breakdown_s.values()) == pytest.approx(plan.step_time_s)
        assert plan.band_s[0] < plan.step_time_s < plan.band_s[1]


def test_the_choices_are_what_they_say(grok: Search) -> None:
    everything = [grok.cheapest, grok.robust, *grok.pareto, *grok.plateau]
    assert all(surely(grok.best) >= surely(plan) for plan in everything)
    assert all(rate(grok.fastest) >= rate(plan) for plan in everything)
    cost = [plan.n_gpus / rate(plan) for plan in grok.pareto]
    assert grok.cheapest.n_gpus / rate(grok.cheapest) <= min(cost) * (1 + 1e-9)
    assert grok.robust.spare_gpus >= 200
    assert grok.robust.memory_total_gb <= 0.9 * 80
    assert "%" in grok.runner_up_lost


def test_nothing_on_the_frontier_is_beaten(grok: Search) -> None:
    costs = np.array([[-rate(p), p.n_gpus / rate(p), p.memory_total_gb] for p in grok.pareto])
    for i, mine in enumerate(costs):
        others = np.delete(costs, i, axis=0)
        assert not np.any(np.all(others <= mine * (1 - 1e-9 * np.sign(mine)), axis=1))


def test_an_exact_batch_is_met() -> None:
    found = search(workload("llama-3-70b"), H100, 1024, 1e12, batch=1536)
    assert found.best.layout.global_batch == 1536
    assert all(plan.layout.global_batch == 1536 for plan in found.pareto)


def test_an_exact_batch_still_uses_most_gpus_of_an_odd_count() -> None:
    best = search(workload("llama-3-70b"), H100, 1000, 1e12, batch=1536).best
    assert best.layout.global_batch == 1536
    assert best.n_gpus >= 760


def test_the_published_layout_is_near_the_best_or_explained() -> None:
    found = search(workload("llama-3-405b"), H100, 16_384, 15.6e12)
    assert found.published
    near = [rate(found.best) / rate(plan) - 1 for plan, _, _ in found.published]
    assert min(abs(gap) for gap in near) < 0.05
    assert all(why for _, _, why in found.published)


def test_twice_the_tokens_take_twice_the_days(grok: Search) -> None:
    double = search(workload("grok-1"), H100, 20_000, 20e12)
    assert double.best.days == pytest.approx(2 * grok.best.days)
    assert double.best.layout == grok.best.layout


def test_a_gpu_more_never_hurts() -> None:
    small, large = (search(workload("llama-3-8b"), H100, n, 1e12).best for n in (64, 65))
    assert surely(large) >= surely(small) * 0.9999


def test_too_little_memory_names_what_works() -> None:
    with pytest.raises(PlanError, match=r"grok-1 does not fit 16 .* GPUs work") as caught:
        search(workload("grok-1"), H100, 16, 1e12)
    works = int(str(caught.value).split("; ")[1].split()[0].replace(",", ""))
    assert search(workload("grok-1"), H100, works, 1e12).scored > 0


def test_too_few_sequences_for_the_gpus_names_a_batch_that_works() -> None:
    work = workload("llama-3-8b", 1_048_576)
    with pytest.raises(PlanError, match="try --batch") as caught:
        search(work, H100, 720_894, 1e12)
    batch = int(str(caught.value).split()[-1])
    assert len(layouts(work, H100, 720_894, batch, exact=True))


def test_more_than_one_fabric_is_reported() -> None:
    assert "16,384" in search(workload("grok-1"), machine("h100", "oci"), 20_000, 1e13).notes[0]
    one = search(workload("llama-3-8b"), machine("h100", "oci"), 1024, 1e13)
    assert not any("fabric" in note for note in one.notes)


def test_a_site_too_small_says_its_size() -> None:
    with pytest.raises(PlanError, match="at most 24,576"):
        search(workload("grok-1"), machine("h100", "meta-24k"), 30_000, 1e12)


def test_a_precision_the_gpu_lacks_is_refused() -> None:
    with pytest.raises(PlanError, match="no fp8 units"):
        search(workload("llama-3-8b"), machine("a100"), 64, 1e12, "fp8")


def test_the_same_question_has_the_same_answer(grok: Search) -> None:
    again = search(workload("grok-1"), H100, 20_000, 10e12)
    assert replace(again, seconds=0.0) == replace(grok, seconds=0.0)


def test_the_plateau_is_within_the_band_and_lists_proven_shapes_first(grok: Search) -> None:
    assert grok.plateau_size >= len(grok.plateau) > 1
    widths = [plan.band_s[1] / plan.step_time_s for plan in grok.plateau]
    assert widths == pytest.approx(sorted(widths))
    narrow = min(widths)
    assert all(rate(plan) * narrow >= rate(grok.fastest) * 0.999 for plan in grok.plateau)
    shapes = [
        (p.layout.tp, p.layout.pp, p.layout.vpp, p.layout.cp, p.layout.ep, p.layout.etp) for p in grok.plateau
    ]
    assert len(set(shapes)) == len(shapes)


def test_a_shape_nobody_ran_has_a_wider_band_and_a_note() -> None:
    wide = search(workload("grok-1"), H100, 2048, 1e12, layout=parse_layout("TP8 EP8 ETP8 CP4"))
    known = search(workload("grok-1"), H100, 2048, 1e12, layout=parse_layout("TP4 PP8 VPP8 CP2 EP8"))
    assert wide.asked is not None
    assert known.asked is not None
    assert wide.asked.band_s[1] / wide.asked.step_time_s > known.asked.band_s[1] / known.asked.step_time_s
    assert any("no published run" in note for note in wide.notes)
    assert not any("no published run" in note for note in known.notes)


def test_a_given_layout_is_priced_beside_the_best_at_its_batch() -> None:
    found = search(workload("llama-3-405b"), H100, 16_384, 1e13, layout=parse_layout("TP8 PP16 VPP8 DP128"))
    assert found.asked is not None
    assert found.chosen is found.asked
    assert (found.asked.layout.tp, found.asked.layout.pp, found.asked.layout.dp) == (8, 16, 128)
    assert "a token" in found.asked_lost
    assert "may not fit" in found.asked_lost, "too large by our count, and priced all the same"
    assert found.best.layout.global_batch == pytest.approx(found.asked.layout.global_batch, rel=0.16)


def test_the_published_405b_run_lies_in_the_band_of_its_engine_and_date() -> None:
    # 16,384 H100 reached 41 % MFU (arXiv 2407.21783 table 4, TP8 PP16 DP128 with 8k sequences).
    found = search(
        workload("llama-3-405b"),
        H100,
        16_384,
        15.6e12,
        batch=2048,
        engine_name="megatron-lm",
        date=2024.3,
        layout=parse_layout("TP8 PP16 VPP8 DP128"),
    )
    low, high = (
        found.chosen.mfu * found.chosen.step_time_s / seconds for seconds in reversed(found.chosen.band_s)
    )
    assert low < 0.41 < high


def test_labels_are_layouts_that_can_be_given(grok: Search) -> None:
    for plan in grok.pareto:
        fields = parse_layout(plan.layout.label())
        cut = given_layout(plan.workload, H100, 20_000, fields, plan.layout.global_batch, exact=True)
        assert cut == plan.layout


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no part of a layout"),
        ("TP8 PP", "'PP' is no part"),
        ("TP0", "TP0 is not possible"),
        ("TP8 tp4", "TP twice"),
        ("ZeRO-4", "ZeRO-0 to ZeRO-3"),
        ("recompute=some", "use none, selective, full"),
        ("TP99999999999", "not possible"),
        ("TP7", "heads do not divide"),
        ("TP16", "NVLink domain"),
        ("PP64 VPP3", "too few"),
        ("VPP2", "needs pipeline stages"),
        ("EP3", "experts do not divide"),
        ("ETP5", "experts' width"),
        ("CP7", "do not divide over CP7"),
        ("TP8 DP4000", "needs 32,000 GPUs"),
        ("TP1 EP8 DP9", "does not divide TP x CP x DP"),
    ],
)
def test_a_layout_that_is_none_is_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        search(workload("grok-1"), H100, 20_000, 1e12, layout=parse_layout(text))


def test_an_exact_batch_that_a_given_layout_cannot_meet_names_one_it_can() -> None:
    with pytest.raises(PlanError, match="try 2048"):
        search(
            workload("llama-3-405b"),
            H100,
            16_384,
            1e12,
            batch=2050,
            layout=parse_layout("TP8 PP16 VPP4 DP128"),
        )


def test_max_vpp_bounds_interleaving_and_engines_differ() -> None:
    work = workload("llama-3-70b")
    flat = search(work, H100, 1024, 1e12, max_vpp=1)
    assert {plan.layout.vpp for plan in flat.pareto} == {1}
    slow = search(work, H100, 1024, 1e12, engine_name="torchtitan", date=2024.9)
    assert slow.best.engine == "torchtitan"
    assert slow.best.mfu < search(work, H100, 1024, 1e12).best.mfu
    with pytest.raises(PlanError, match="did you mean torchtitan"):
        search(work, H100, 1024, 1e12, engine_name="torchtitn")


def test_idle_gpus_are_never_silent() -> None:
    found = search(workload("grok-1"), H100, 100_000, 1e13)
    assert found.best.spare_gpus > 1000
    note = next(note for note in found.notes if "stay idle" in note)
    batch = int(note.split("--batch ")[1].split()[0])
    assert search(workload("grok-1"), H100, 100_000, 1e13, batch=batch).best.n_gpus > found.best.n_gpus


def test_the_default_step_is_bounded_by_the_critical_batch() -> None:
    work = workload("llama-3-8b")
    small, large = (default_batch(work, 100_000, tokens) for tokens in (1e11, 1e14))
    assert small * work.seq_len < 13e6
    assert large * work.seq_len > 60e6
