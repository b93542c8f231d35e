"""Clipping, by value and by norm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nextchar.training.optim.clipping import clip

gradients = hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-100, 100))
thresholds = st.floats(0.01, 50)


@given(gradient=gradients, threshold=thresholds)
def test_by_value_holds_each_entry_in_the_range(gradient, threshold):
    clipped = gradient.copy()
    clip(clipped, threshold, "value")
    np.testing.assert_array_equal(clipped, [min(max(g, -threshold), threshold) for g in gradient])


@given(gradient=gradients, threshold=thresholds)
def test_by_norm_scales_the_whole_to_the_threshold_at_most(gradient, threshold):
    clipped, norm = gradient.copy(), math.hypot(*gradient)
    clip(clipped, threshold, "norm")
    assert math.hypot(*clipped) <= threshold * (1 + 1e-12)  # rounding
    if norm <= threshold * (1 - 1e-12):
        np.testing.assert_array_equal(clipped, gradient)
    elif norm >= threshold * (
        1 + 1e-12
    ):  # the direction stays; PyTorch's 1e-6 in the denominator makes it a trifle shorter
        np.testing.assert_allclose(clipped, gradient * threshold / (norm + 1e-6), rtol=1e-9)


@pytest.mark.parametrize("by", ["value", "norm"])
@given(gradient=gradients)
def test_zero_is_off(by, gradient):
    clipped = gradient.copy()
    clip(clipped, 0.0, by)
    np.testing.assert_array_equal(clipped, gradient)


@pytest.mark.parametrize("by", ["value", "norm"])
@pytest.mark.parametrize("threshold", [0.0, 1.0, 100.0])
def test_the_norm_before_clipping_comes_back(by, threshold):
    assert clip(np.array([3.0, -4.0]), threshold, by) == pytest.approx(5, rel=1e-15)


@pytest.mark.parametrize("by", ["value", "norm"])
def test_float32_stays_float32(by):
    gradient = np.array([3, -4], np.float32)
    assert clip(gradient, 1.0, by) == 5
    assert gradient.dtype == np.float32
    assert np.abs(gradient).max() <= 1


@pytest.mark.parametrize("by", ["value", "norm"])
def test_nan_is_not_hidden(by):
    gradient = np.array([1.0, np.nan])
    assert math.isnan(clip(gradient, 1.0, by))
    assert np.isnan(gradient[1])


@pytest.mark.parametrize("by", ["value", "norm"])
@pytest.mark.parametrize("entry", [np.inf, 1e30])
def test_an_exploded_gradient_shows_in_the_norm_and_not_as_a_warning(by, entry):
    """1e30 squared is past the end of float32."""
    assert clip(np.array([entry, 1], np.float32), 1.0, by) == math.inf
