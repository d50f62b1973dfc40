"""The search: complete, consistent with single predictions, and honest about what does not fit."""

from dataclasses import replace

import numpy as np
import pytest

from trinch.planner.perf.calibration import shipped
from trinch.planner.perf.hardware import PlanError, machine
from trinch.planner.perf.layout import Layouts
from trinch.planner.perf.layout_search import (
    PLANNED_IMBALANCE,
    Search,
    default_batch,
    layouts,
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
    assert rate(found.best) == pytest.approx(max(rate(plan) for plan in slowly), rel=1e-12)


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
    assert all(rate(grok.best) >= rate(plan) for plan in [grok.cheapest, grok.robust, *grok.pareto])
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
    assert large.days <= small.days * 1.0001


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
    assert not search(workload("grok-1"), machine("h100", "oci"), 16_384, 1e13).notes


def test_a_site_too_small_says_its_size() -> None:
    with pytest.raises(PlanError, match="at most 24,576"):
        search(workload("grok-1"), machine("h100", "meta-24k"), 30_000, 1e12)


def test_a_precision_the_gpu_lacks_is_refused() -> None:
    with pytest.raises(PlanError, match="no fp8 units"):
        search(workload("llama-3-8b"), machine("a100"), 64, 1e12, "fp8")


def test_the_same_question_has_the_same_answer(grok: Search) -> None:
    again = search(workload("grok-1"), H100, 20_000, 10e12)
    assert replace(again, seconds=0.0) == replace(grok, seconds=0.0)
