"""Passes over rows against their one-line twins in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nextchar.kernels.training import lookup
from nextchar.model.loss import cross_entropy

N = 50


@pytest.fixture
def codes(rng: np.random.Generator) -> Any:
    return rng.integers(0, 9, N)


def test_look_up_is_one_hot_times_matrix_plus_bias(codes: Any, rng: np.random.Generator) -> None:
    W, b = rng.standard_normal((9, 4 * 3)), rng.standard_normal(4 * 3)
    a = np.zeros((N, 4, 8))
    lookup.look_up(codes, W, b, a)
    np.testing.assert_array_equal(a[:, :, :3], (W[codes] + b).reshape(N, 4, 3))
    assert not a[:, :, 3:].any()


def test_look_up_plain_is_a_row_of_the_embedding(codes: Any, rng: np.random.Generator) -> None:
    E, x = rng.standard_normal((9, 5)), np.zeros((N, 8))
    lookup.look_up_plain(codes, E, x)
    np.testing.assert_array_equal(x[:, :5], E[codes])
    assert not x[:, 5:].any()


def test_fill_bias_repeats_the_bias_and_clears_the_padding(rng: np.random.Generator) -> None:
    b, a = rng.standard_normal(3 * 5), np.full((N, 3, 8), np.nan)
    lookup.fill_bias(a, b)
    np.testing.assert_array_equal(a[:, :, :5], np.broadcast_to(b.reshape(3, 5), (N, 3, 5)))
    assert not a[:, :, 5:].any()


def test_sum_by_code_is_the_transpose_of_a_look_up(codes: Any, rng: np.random.Generator) -> None:
    d, out = rng.standard_normal((N, 2, 8)), np.full((9, 2 * 5), np.nan)
    lookup.sum_by_code(codes, d, out)
    np.testing.assert_allclose(out, np.eye(9)[codes].T @ d[:, :, :5].reshape(N, 10), atol=1e-13)


def test_add_by_code_adds_to_what_is_there(codes: Any, rng: np.random.Generator) -> None:
    d, out = rng.standard_normal((N, 1, 8)), np.ones((9, 5))
    lookup.add_by_code(codes, d, out)
    np.testing.assert_allclose(out, 1 + np.eye(9)[codes].T @ d[:, 0, :5], atol=1e-13)


def test_sum_block_is_the_gradient_of_one_gates_bias(rng: np.random.Generator) -> None:
    d, out = rng.standard_normal((N, 3, 8)), np.full(5, np.nan)
    lookup.sum_block(d, 2, out)
    np.testing.assert_allclose(out, d[:, 2, :5].sum(axis=0), atol=1e-13)


def test_sum_rows_is_the_gradient_of_a_bias(rng: np.random.Generator) -> None:
    d, out = rng.standard_normal((N, 2, 8)), np.full(2 * 5, np.nan)
    lookup.sum_rows(d, out)
    np.testing.assert_allclose(out, d[:, :, :5].sum(axis=0).reshape(10), atol=1e-13)


@pytest.mark.parametrize("V", [1, 2, 15, 16, 17, 65, 500])
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_cross_entropy_is_that_of_the_model(V: int, scale: float, rng: np.random.Generator) -> None:
    z, targets = 5 * rng.standard_normal((N, V)), rng.integers(0, V, N)
    wide = np.zeros((N, V + 3))
    wide[:, :V] = z
    wanted, gradient = cross_entropy(z, targets)
    assert lookup.cross_entropy(wide, targets, V, scale, np.empty(lookup.LANES)) == pytest.approx(
        wanted, rel=1e-13
    )
    np.testing.assert_allclose(wide[:, :V], gradient * scale, atol=1e-15)
    assert not wide[:, V:].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_of_huge_logits_does_not_overflow(dtype: Any) -> None:
    z = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], dtype)
    assert lookup.cross_entropy(
        z, np.array([0, 1]), 3, 1.0, np.empty(lookup.LANES)
    ) == pytest.approx(np.log(3))
    assert np.isfinite(z).all()


@pytest.mark.parametrize("place", [0, 3, 40])
def test_a_nan_among_the_logits_makes_the_loss_nan(place: int) -> None:
    z = np.zeros((1, 50), "f4")
    z[0, place] = np.nan
    assert np.isnan(lookup.cross_entropy(z, np.array([1]), 50, 1.0, np.empty(lookup.LANES)))
