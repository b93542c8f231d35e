"""Dropout masks: their entries, which depend only on the seed and the step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.model.dropout import draw_masks
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings

ARCHITECTURE = Architecture(NetworkSettings(hidden_size=50, num_layers=2), 10)


def draw(lanes=8, T=40, rate=0.3, seed=1, step=0, dtype=np.float64):
    return draw_masks(ARCHITECTURE, T, lanes, rate, seed=seed, step=step, dtype=dtype)


def test_no_dropout_is_no_mask():
    assert draw(rate=0.0) is None


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_is_a_mask_for_each_layers_output(dtype):
    masks = draw(lanes=5, dtype=dtype)
    assert [mask.shape for mask in masks] == [(40, 5, 50)] * 2
    assert {mask.dtype for mask in masks} == {np.dtype(dtype)}


@given(rate=st.floats(0.01, 0.99))
def test_entries_are_zero_or_what_keeps_the_mean(rate):
    for mask in draw(rate=rate, lanes=2, T=5):
        assert set(np.unique(mask)) <= {0.0, 1 / (1 - rate)}


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_a_share_of_about_the_rate_is_left_out(rate):
    for mask in draw(rate=rate):
        # 16,000 draws: a standard deviation is 0.004 at most; five of them
        assert (mask == 0).mean() == pytest.approx(rate, abs=0.02)


def test_the_same_seed_and_step_give_the_same_masks():
    np.testing.assert_array_equal(draw(seed=7, step=11), draw(seed=7, step=11))


@pytest.mark.parametrize("other", [{"seed": 2}, {"step": 1}, {"seed": 2**32 + 1}])
def test_another_seed_or_step_gives_other_masks(other):
    for one, two in zip(draw(), draw(**other), strict=True):
        # independent masks of rate 0.3 agree in 58 % of their entries
        assert 0.5 < ((one == 0) == (two == 0)).mean() < 0.66


def test_layers_time_steps_lanes_and_units_are_dropped_independently():
    first, second = (mask == 0 for mask in draw())
    pairs = [(first, second), (first[:-1], first[1:]), (first[:, :-1], first[:, 1:])]
    for one, two in [*pairs, (first[..., :-1], first[..., 1:])]:
        assert 0.56 < (one == two).mean() < 0.6  # independent ones of rate 0.3: 0.58


def test_the_largest_seed_and_a_late_step_are_as_good_as_any():
    (mask, _) = draw(seed=2**63 - 1, step=10**9)
    assert (mask == 0).mean() == pytest.approx(0.3, abs=0.02)
