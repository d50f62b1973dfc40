"""The event simulation of a step: fair sharing against hand counts, and steps against the closed form."""

import json
import time

import numpy as np
import pytest
from click.testing import CliRunner
from cluster_plans import grok
from hypothesis import given, settings
from hypothesis import strategies as st

from trinch.cli.plan import plan as plan_commands
from trinch.planner.perf.hardware import PlanError, machine
from trinch.planner.perf.layout import Plan
from trinch.planner.perf.layout_grid import parse_layout
from trinch.planner.perf.layout_search import search
from trinch.planner.perf.models import workload
from trinch.planner.simulate.flows import Network, max_min
from trinch.planner.simulate.step_simulation import Faults, closed_form_s, order, simulate_step

LAYOUTS = [
    ("llama-3-405b", 16_384, "TP8 PP16 VPP4 CP2 DP64"),
    ("llama-3-405b", 16_384, "TP8 PP8 VPP8 CP2"),
    ("llama-3-70b", 1024, "TP4 PP2 VPP10 CP2"),
    ("gpt-3-175b", 2048, "TP4 PP8 VPP12"),
    ("llama-3-8b", 64, "CP4 mb2"),
    ("grok-1", 20_000, "TP4 PP2 VPP16 CP2 EP8 ETP4"),
]


def made(model: str, gpus: int, layout: str) -> Plan:
    return search(workload(model), machine("h100"), gpus, 1e13, layout=parse_layout(layout)).chosen


@pytest.fixture(scope="module")
def large() -> Plan:
    return made(*LAYOUTS[0])


@pytest.mark.parametrize("case", LAYOUTS)
def test_an_undisturbed_step_is_the_closed_form_within_5_percent(case: tuple[str, int, str]) -> None:
    plan = made(*case)
    assert simulate_step(plan).step_s == pytest.approx(closed_form_s(plan), rel=0.05)


def test_a_step_of_16384_gpus_is_simulated_at_once(large: Plan) -> None:
    began = time.process_time()
    simulate_step(large, Faults(slow_nodes=3, flaps=5, routing="ecmp"))
    assert time.process_time() - began < 10, "30 s on two cores is the aim"


def test_one_slow_node_slows_everybody_and_two_flaps_little(large: Plan) -> None:
    base = simulate_step(large).step_s
    slow = simulate_step(large, Faults(slow_nodes=1, slow_by=1.3)).step_s
    assert 1.1 < slow / base < 1.31
    assert base <= simulate_step(large, Faults(flaps=2)).step_s < slow


def test_worse_networks_are_never_faster(large: Plan) -> None:
    base = simulate_step(large).step_s
    for better, worse in (
        (Faults(), Faults(routing="ecmp")),
        (Faults(), Faults(lost_leaves=2)),
        (Faults(lost_spines=1), Faults(lost_spines=16)),
        (Faults(oversubscription=2), Faults(oversubscription=7)),
    ):
        one, two = (simulate_step(large, faults).step_s for faults in (better, worse))
        assert base <= one * 1.0001
        assert one <= two * 1.0001


def test_the_seed_decides_who_is_faulty(large: Plan) -> None:
    one, same, other = (simulate_step(large, Faults(routing="ecmp", seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("faults", "says"),
    [
        (Faults(slow_nodes=10**6), "slow nodes"),
        (Faults(flaps=-1), "flapping"),
        (Faults(lost_spines=32), "spines"),
        (Faults(slow_by=0.5), "slow node's time"),
        (Faults(oversubscription=0.5), "oversubscription"),
        (Faults(routing="chance"), "unknown routing"),
    ],
)
def test_faults_that_cannot_be_are_refused(large: Plan, faults: Faults, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        simulate_step(large, faults)


def test_a_layout_that_cannot_be_scheduled_is_refused() -> None:
    from dataclasses import replace

    odd = grok()
    odd = replace(odd, layout=replace(odd.layout, global_batch=odd.layout.dp * 9))
    with pytest.raises(PlanError, match="multiple of 8 micro-batches"):
        simulate_step(odd)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 5))
def test_every_stage_does_all_of_its_work_once(pp: int, vpp: int, rounds: int) -> None:
    count = pp * rounds
    vpp = vpp if pp > 1 else 1
    for stage in range(pp):
        tasks = order(stage, pp, vpp, count)
        assert len(tasks) == len(set(tasks)) == 2 * count * vpp
        for chunk in range(vpp):
            for micro in range(count):
                assert tasks.index((False, chunk, micro)) < tasks.index((True, chunk, micro))


def network(cards: int, pod: int, uplinks: int, thin: float = 1.0) -> Network:
    return Network(10.0, np.ones(cards), np.arange(cards) // pod, uplinks, 10.0 / thin)


def test_max_min_on_a_dumbbell_counted_by_hand() -> None:
    # Three flows out of one card, one of which shares its target with a fourth: 10/3 each, the fourth gets the rest.
    links = np.array([[0, 4], [0, 5], [0, 6], [1, 6]])
    rates = max_min(links, np.full(8, 10.0))
    assert rates == pytest.approx([10 / 3, 10 / 3, 10 / 3, 20 / 3])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 40), st.sampled_from([1.0, 2.0, 7.0]))
def test_max_min_fills_links_and_never_overfills(seed: int, flows: int, thin: float) -> None:
    rng, net = np.random.default_rng(seed), network(16, 4, 4, thin)
    source, target = rng.integers(0, 16, flows), rng.integers(0, 16, flows)
    routes, capacity = net.routes(source, target, "ecmp", rng), net.capacities()
    rates = max_min(routes, capacity)
    load = np.zeros(len(capacity))
    for route, rate in zip(routes, rates, strict=True):
        load[route[route >= 0]] += rate
    assert (load <= capacity * (1 + 1e-6)).all()
    full = load >= capacity * (1 - 1e-6)
    assert all(full[route[route >= 0]].any() for route in routes), "each flow is held by a full link"


def test_hashing_collides_and_spreading_does_not() -> None:
    net, rng = network(64, 32, 32), np.random.default_rng(0)
    source, target = np.arange(32), np.arange(32, 64)
    spread = max_min(net.routes(source, target, "adaptive", rng), net.capacities())
    assert spread == pytest.approx(np.full(32, 10.0))
    hashed = max_min(net.routes(source, target, "ecmp", rng), net.capacities())
    assert hashed.min() <= 10 / 3 + 1e-9, "32 balls in 32 bins: some bin has three"


def test_the_command() -> None:
    asked = ["simulate", "--model", "llama-3-8b", "--gpus", "64", "--slow-nodes", "1"]
    shown = CliRunner().invoke(plan_commands, asked)
    assert shown.exit_code == 0
    assert "against the closed form" in shown.stdout
    found = json.loads(CliRunner().invoke(plan_commands, [*asked, "--json"]).stdout)
    assert found["cost"] == pytest.approx(0.2, abs=0.05)
    wrong = CliRunner().invoke(plan_commands, [*asked, "--routing", "luck"])
    assert wrong.exit_code == 2
    assert "unknown routing" in wrong.stderr


def test_more_stages_than_replicas_and_a_single_replica() -> None:
    for layout in ("TP1 PP8 DP1", "TP2 PP8 DP2", "TP8 DP1"):
        plan = search(workload("llama-3-8b"), machine("h100"), 64, 1e13, layout=parse_layout(layout)).chosen
        if plan.n_gpus % 8 == 0:
            assert simulate_step(plan).step_s == pytest.approx(closed_form_s(plan), rel=0.1)
