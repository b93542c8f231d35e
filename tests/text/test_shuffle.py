"""Shuffled order: a permutation of any size that takes no memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.text.shuffle import shuffled

KEYS = (0, 1, 7, 2**32 + 1, 2**63 - 1, 2**100)


def order(size: int, key: int) -> np.ndarray:
    return shuffled(np.arange(size), size, key)


@pytest.mark.parametrize("key", KEYS)
def test_it_is_a_permutation_of_every_small_size(key: int) -> None:
    for size in range(1, 301):
        assert np.array_equal(np.sort(order(size, key)), np.arange(size))


@pytest.mark.parametrize("size", [1023, 1024, 1025, 4**6, 4**6 + 1, 65_537, 100_003])
def test_it_is_a_permutation_of_larger_sizes(size: int) -> None:
    assert np.array_equal(np.sort(order(size, 5)), np.arange(size))


@given(st.integers(1, 5000), st.integers(0, 2**128))
def test_it_is_a_permutation_for_any_key(size: int, key: int) -> None:
    assert np.array_equal(np.sort(order(size, key)), np.arange(size))


def test_the_order_differs_by_key() -> None:
    orders = {order(50, key).tobytes() for key in range(200)}
    assert len(orders) == 200


def test_the_same_key_gives_the_same_order() -> None:
    assert np.array_equal(order(1000, 3), order(1000, 3))


def test_neighbours_do_not_stay_neighbours() -> None:
    for key in range(20):
        steps = np.abs(np.diff(order(1000, key)))
        assert np.count_nonzero(steps == 1) < 20  # of 999; two are expected by chance


def test_every_place_is_reached_from_every_index() -> None:
    reached = np.zeros((8, 8), dtype=np.int64)
    for key in range(2000):
        reached[np.arange(8), order(8, key)] += 1
    # binomial: mean 250, standard deviation 15; six of them on either side
    assert reached.min() > 160
    assert reached.max() < 340


def test_an_index_alone_goes_where_it_goes_among_all() -> None:
    whole = order(777, 4)
    for index in 0, 5, 776:
        assert shuffled(np.array([index]), 777, 4)[0] == whole[index]
    backwards = np.arange(777)[::-1]
    assert np.array_equal(shuffled(backwards, 777, 4), whole[::-1])


def test_shape_stays_type_is_int64_and_the_argument_is_not_changed() -> None:
    indices = np.arange(6).reshape(2, 3)
    placed = shuffled(indices, 6, 1)
    assert placed.shape == (2, 3)
    assert placed.dtype == np.int64
    assert np.array_equal(indices, np.arange(6).reshape(2, 3))
    assert shuffled(np.empty(0, np.int64), 6, 1).shape == (0,)


def test_a_huge_order_takes_no_memory() -> None:
    size = 10**15
    tracemalloc.start()
    placed = shuffled(np.arange(1000) * 10**12, size, 2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(np.unique(placed)) == 1000
    assert placed.min() >= 0
    assert placed.max() < size
    assert peak < 1_000_000  # bytes; 1,000 indices in a handful of arrays
