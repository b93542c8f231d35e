"""Dropout masks: what is in them, and that the seed and the step alone decide."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.config import NetworkSettings
from nextchar.model.dropout import draw_masks
from nextchar.model.parameters import Architecture

ARCHITECTURE = Architecture(NetworkSettings(hidden_size=50, num_layers=2), 10)


def draw(lanes=(0, 8), T=40, rate=0.3, seed=1, step=0, dtype=np.float64):
    return draw_masks(ARCHITECTURE, lanes, T, rate, seed=seed, step=step, dtype=dtype)


def test_no_dropout_is_no_mask():
    assert draw(rate=0.0) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_is_a_mask_for_each_layers_output(dtype):
    masks = draw(lanes=(3, 8), dtype=dtype)
    assert [mask.shape for mask in masks] == [(40, 5, 50)] * 2
    assert {mask.dtype for mask in masks} == {np.dtype(dtype)}


@given(rate=st.floats(0.01, 0.99))
def test_entries_are_zero_or_what_keeps_the_mean(rate):
    for mask in draw(rate=rate, lanes=(0, 2), T=5):
        assert set(np.unique(mask)) <= {0.0, 1 / (1 - rate)}


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_a_share_of_about_the_rate_is_left_out(rate):
    for mask in draw(rate=rate):
        # 16,000 draws: a standard deviation is 0.004 at most; five of them
        assert (mask == 0).mean() == pytest.approx(rate, abs=0.02)


def test_the_same_seed_and_step_give_the_same_masks():
    np.testing.assert_array_equal(draw(seed=7, step=11), draw(seed=7, step=11))


@pytest.mark.parametrize("other", [{"seed": 2}, {"step": 1}, {"lanes": (8, 16)}])
def test_another_seed_step_or_lane_gives_other_masks(other):
    for one, two in zip(draw(), draw(**other), strict=True):
        # independent masks of rate 0.3 agree in 58 % of their entries
        assert 0.5 < ((one == 0) == (two == 0)).mean() < 0.66


def test_layers_and_time_steps_have_masks_of_their_own():
    first, second = draw()
    assert (first != second).any()
    assert (first[0] != first[1]).any()


def test_the_largest_seed_and_a_late_step_are_as_good_as_any():
    (mask, _) = draw(seed=2**63 - 1, step=10**9)
    assert (mask == 0).mean() == pytest.approx(0.3, abs=0.02)
