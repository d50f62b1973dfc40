"""The order of a run is a permutation of each pass, and a pure function of (seed, step)."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trinch.training.batch_order import rows, shuffled


@given(st.integers(1, 700), st.integers(0, 2**64 - 1))
@settings(max_examples=60)
def test_shuffling_is_a_permutation(size: int, key: int) -> None:
    assert sorted(shuffled(np.arange(size), size, key).tolist()) == list(range(size))


def test_shuffling_shuffles() -> None:
    moved = shuffled(np.arange(10_000), 10_000, 1)
    assert abs(np.corrcoef(np.arange(10_000), moved)[0, 1]) < 0.05
    assert not np.array_equal(moved, shuffled(np.arange(10_000), 10_000, 2))


@given(st.integers(1, 90), st.integers(1, 40), st.integers(0, 2**31))
@settings(max_examples=60)
def test_each_pass_sees_every_sequence_once(size: int, batch: int, seed: int) -> None:
    seen = np.concatenate([rows(seed, step, batch, size) for step in range(-(-2 * size // batch))])
    first, second = seen[:size], seen[size : 2 * size]
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(size))


def test_a_step_depends_on_nothing_before_it() -> None:
    alone = rows(3, 1000, 16, 777)
    after = [rows(3, step, 16, 777) for step in range(990, 1001)][-1]
    assert np.array_equal(alone, after)
    assert not np.array_equal(alone, rows(4, 1000, 16, 777))
