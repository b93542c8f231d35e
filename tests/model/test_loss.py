"""Softmax and cross-entropy, at ordinary logits and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.model.loss import cross_entropy, log_softmax

rows = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=9).map(np.array)


def naive_log_softmax(row):
    """Log-softmax by exact summation of exponentials, after subtracting the largest logit."""
    largest = max(row)
    return [x - largest - math.log(math.fsum(math.exp(y - largest) for y in row)) for x in row]


@given(row=rows)
def test_log_softmax_is_its_definition(row):
    # one rounding of numbers up to 2e4
    np.testing.assert_allclose(log_softmax(row), naive_log_softmax(row), rtol=1e-14, atol=1e-11)


@given(row=rows, shift=st.floats(-100, 100))
def test_log_softmax_is_of_differences_only_and_sums_to_one(row, shift):
    np.testing.assert_allclose(log_softmax(row + shift), log_softmax(row), atol=1e-11)
    assert np.exp(log_softmax(row)).sum() == pytest.approx(1, rel=1e-12)


def test_log_softmax_leaves_the_logits_alone_and_works_over_the_last_axis(rng):
    logits = rng.normal(size=(4, 3, 5))
    copy = logits.copy()
    log_p = log_softmax(logits)
    np.testing.assert_array_equal(logits, copy)
    np.testing.assert_array_equal(log_p[2, 1], log_softmax(logits[2, 1]))


@given(row=rows, data=st.data())
def test_cross_entropy_is_the_negative_log_probability_and_p_minus_one_hot(row, data):
    target = data.draw(st.integers(0, len(row) - 1))
    loss, gradient = cross_entropy(row[None].copy(), np.array([target]))
    expected = log_softmax(row)
    assert loss == pytest.approx(-expected[target], rel=1e-12, abs=1e-12)
    expected_gradient = np.exp(expected) - (np.arange(len(row)) == target)
    # exp of a logarithm near 1e4 keeps twelve digits
    np.testing.assert_allclose(gradient[0], expected_gradient, atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e4, -1e4])
def test_cross_entropy_is_stable_at_logits_of_ten_thousand(size, dtype):
    logits = np.array([[size, 0, 0], [size, size, size], [0, 0, 0]], dtype)
    loss, gradient = cross_entropy(logits, np.array([0, 1, 2]))
    first = 0 if size > 0 else 1e4 + math.log(2)
    assert loss == pytest.approx(first + 2 * math.log(3), rel=1e-6)  # float32 has seven digits
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-6)


def test_the_gradient_is_that_of_the_differences(rng):
    logits, targets, step = rng.normal(size=(4, 5)), np.array([0, 4, 2, 2]), 1e-5
    _, gradient = cross_entropy(logits.copy(), targets)
    for place in np.ndindex(logits.shape):
        moved = np.zeros_like(logits)
        moved[place] = step
        above, _ = cross_entropy(logits + moved, targets)
        below, _ = cross_entropy(logits - moved, targets)
        # rounding: 1e-15·10/1e-5
        assert gradient[place] == pytest.approx((above - below) / (2 * step), abs=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_comes_out_as_nan(dtype):
    logits = np.array([[0, 1, 2], [0, np.nan, 2]], dtype)
    assert np.isnan(log_softmax(logits)[1]).all()
    assert np.isfinite(log_softmax(logits)[0]).all()
    loss, gradient = cross_entropy(logits.copy(), np.array([0, 0]))
    assert math.isnan(loss)
    assert np.isnan(gradient[1]).all()


def test_the_gradient_takes_the_place_of_the_logits(rng):
    logits = rng.normal(size=(2, 3))
    _, gradient = cross_entropy(logits, np.array([1, 0]))
    assert gradient is logits


def test_a_float32_loss_is_summed_in_float64():
    """A hundred thousand equal losses: a float32 sum would be off in the fifth digit."""
    n = 100_000
    loss, _ = cross_entropy(np.zeros((n, 3), np.float32), np.zeros(n, np.intp))
    assert loss == pytest.approx(n * math.log(3), rel=1e-12)
