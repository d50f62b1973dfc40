"""Collectives against their closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinch.planner.perf import collectives
from trinch.planner.perf.hardware import machine
from trinch.planner.perf.model_inputs import Case, Cases, engine
from trinch.planner.perf.models import workload

ON = Cases.of([Case(workload("llama-3-8b"), machine("h100"), "bf16", engine())])
GB200 = Cases.of([Case(workload("llama-3-8b"), machine("gb200"), "bf16", engine())])


def value(number: float) -> np.ndarray:
    return np.array([float(number)])


def test_a_gather_inside_a_node_moves_all_but_its_own_part_over_nvlink() -> None:
    size = 8e9
    time = collectives.gather(ON, value(8), value(1), value(size))[0]
    assert time == pytest.approx(size * 7 / 8 / (450e9 * collectives.NVLINK_EFFICIENCY), rel=0.01)


def test_a_gather_across_nodes_is_bound_by_the_cards_of_its_members() -> None:
    one_a_node = collectives.bus_bandwidth(ON, value(16), value(8))[0]
    all_of_node = collectives.bus_bandwidth(ON, value(128), value(1))[0]
    assert one_a_node == pytest.approx(50e9 * collectives.NIC_EFFICIENCY)
    assert all_of_node == pytest.approx(8 * one_a_node)


def test_a_group_of_one_costs_nothing() -> None:
    assert collectives.gather(ON, value(1), value(1), value(1e9))[0] == 0
    assert collectives.all_to_all(ON, value(1), value(1), value(1e9))[0] == 0


def test_a_rack_keeps_72_gpus_on_nvlink() -> None:
    assert (
        collectives.bus_bandwidth(GB200, value(64), value(1))[0]
        > 10 * collectives.bus_bandwidth(ON, value(64), value(8))[0]
    )


@given(st.sampled_from([2, 4, 8, 16, 64, 256]), st.sampled_from([1, 2, 8]), st.floats(1e3, 1e10))
def test_more_bytes_never_take_less_time(size: int, stride: int, sent: float) -> None:
    for move in (collectives.gather, collectives.all_to_all):
        assert (
            move(ON, value(size), value(stride), value(2 * sent))[0]
            >= move(ON, value(size), value(stride), value(sent))[0]
        )


def test_oversubscription_slows_what_leaves_the_pod() -> None:
    tight = Cases.of([Case(workload("llama-3-8b"), machine("h100", "meta-24k"), "bf16", engine())])
    inside = collectives.bus_bandwidth(tight, value(128), value(8))[0]
    outside = collectives.bus_bandwidth(tight, value(2048), value(8))[0]
    assert inside == pytest.approx(7 * outside)
