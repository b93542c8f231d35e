"""Softmax and cross-entropy against the readable twin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nextchar.kernels.training import loss
from nextchar.model.loss import cross_entropy

N = 50


@pytest.mark.parametrize("V", [1, 2, 15, 16, 17, 65, 500])
@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_cross_entropy_is_that_of_the_model(V: int, scale: float, rng: np.random.Generator) -> None:
    z, targets = 5 * rng.standard_normal((N, V)), rng.integers(0, V, N)
    wide = np.zeros((N, V + 3))
    wide[:, :V] = z
    wanted, gradient = cross_entropy(z, targets)
    assert loss.cross_entropy(wide, targets, V, scale, np.empty(loss.LANES)) == pytest.approx(
        wanted, rel=1e-13
    )
    np.testing.assert_allclose(wide[:, :V], gradient * scale, atol=1e-15)
    assert not wide[:, V:].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cross_entropy_of_huge_logits_does_not_overflow(dtype: Any) -> None:
    z = np.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], dtype)
    assert loss.cross_entropy(z, np.array([0, 1]), 3, 1.0, np.empty(loss.LANES)) == pytest.approx(
        np.log(3)
    )
    assert np.isfinite(z).all()


@pytest.mark.parametrize("place", [0, 3, 40])
def test_a_nan_among_the_logits_makes_the_loss_nan(place: int) -> None:
    z = np.zeros((1, 50), "f4")
    z[0, place] = np.nan
    assert np.isnan(loss.cross_entropy(z, np.array([1]), 50, 1.0, np.empty(loss.LANES)))
