"""Passes over rows against their one-line twins in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nextchar.kernels.training import lookup

N = 50


@pytest.fixture
def codes(rng: np.random.Generator) -> Any:
    return rng.integers(0, 9, N)


def test_lookup_with_bias_is_one_hot_times_matrix_plus_bias(
    codes: Any, rng: np.random.Generator
) -> None:
    W, b = rng.standard_normal((9, 4 * 3)), rng.standard_normal(4 * 3)
    a = np.zeros((N, 4, 8))
    lookup.lookup_with_bias(codes, W, b, a)
    np.testing.assert_array_equal(a[:, :, :3], (W[codes] + b).reshape(N, 4, 3))
    assert not a[:, :, 3:].any()


def test_lookup_is_a_row_of_the_embedding(codes: Any, rng: np.random.Generator) -> None:
    E, x = rng.standard_normal((9, 5)), np.zeros((N, 8))
    lookup.lookup(codes, E, x)
    np.testing.assert_array_equal(x[:, :5], E[codes])
    assert not x[:, 5:].any()


def test_broadcast_bias_repeats_the_bias_and_clears_the_padding(rng: np.random.Generator) -> None:
    b, a = rng.standard_normal(3 * 5), np.full((N, 3, 8), np.nan)
    lookup.broadcast_bias(a, b)
    np.testing.assert_array_equal(a[:, :, :5], np.broadcast_to(b.reshape(3, 5), (N, 3, 5)))
    assert not a[:, :, 5:].any()


def test_sum_by_code_is_the_transpose_of_a_lookup(codes: Any, rng: np.random.Generator) -> None:
    d, out = rng.standard_normal((N, 2, 8)), np.full((9, 2 * 5), np.nan)
    lookup.sum_by_code(codes, d, out)
    np.testing.assert_allclose(out, np.eye(9)[codes].T @ d[:, :, :5].reshape(N, 10), atol=1e-13)


def test_scatter_add_adds_to_what_is_there(codes: Any, rng: np.random.Generator) -> None:
    d, out = rng.standard_normal((N, 1, 8)), np.ones((9, 5))
    lookup.scatter_add(codes, d, out)
    np.testing.assert_allclose(out, 1 + np.eye(9)[codes].T @ d[:, 0, :5], atol=1e-13)


def test_sum_gate_is_the_gradient_of_one_gates_bias(rng: np.random.Generator) -> None:
    d, out = rng.standard_normal((N, 3, 8)), np.full(5, np.nan)
    lookup.sum_gate(d, 2, out)
    np.testing.assert_allclose(out, d[:, 2, :5].sum(axis=0), atol=1e-13)


def test_sum_rows_is_the_gradient_of_a_bias(rng: np.random.Generator) -> None:
    d, out = rng.standard_normal((N, 2, 8)), np.full(2 * 5, np.nan)
    lookup.sum_rows(d, out)
    np.testing.assert_allclose(out, d[:, :, :5].sum(axis=0).reshape(10), atol=1e-13)
