"""tanh, sigmoid and exp against the C library in float64, over all of float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nextchar.kernels.training.activations import apply_exp, apply_sigmoid, apply_tanh

Array = NDArray[Any]
FUNCTIONS: dict[str, tuple[Any, Callable[[Array], Array]]] = {
    "tanh": (apply_tanh, np.tanh),
    "exp": (apply_exp, np.exp),
    "sigmoid": (apply_sigmoid, lambda x: np.exp(-np.logaddexp(0, -x))),
}
EVERYWHERE = np.arange(0, 2**32, 1009, dtype=np.uint64).astype(np.uint32).view(np.float32)
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3.4e38, -3.4e38], "f4")


def applied(name: str, x: Array) -> Array:
    out = np.empty_like(x)
    FUNCTIONS[name][0](x, out)
    return out


@pytest.fixture
def inputs(rng: np.random.Generator) -> Array:
    """Every 1009th float32, NaN and infinities among them, and many where gates work."""
    near = rng.standard_normal(500_000).astype("f4") * 4
    edges = np.linspace(-110, 110, 200_001).astype("f4")
    return np.concatenate([EVERYWHERE, near, edges, SPECIAL])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_result_is_further_off_than_4_ulp(name: str, inputs: Array) -> None:
    x = inputs[~np.isnan(inputs)]
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name][1](x.astype(np.float64))
        wanted = exact.astype(np.float32)
        got = applied(name, x)
        ulp = np.abs(got.astype(np.float64) - exact) / np.spacing(np.abs(wanted)).astype(np.float64)
    same = got == wanted  # infinities too
    assert np.nanmax(np.where(same, 0, ulp)) <= 4


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nan_comes_out_as_nan_and_nothing_else_does(name: str, inputs: Array) -> None:
    np.testing.assert_array_equal(np.isnan(applied(name, inputs)), np.isnan(inputs))


def test_tanh_never_leaves_its_range_nor_sigmoid(inputs: Array) -> None:
    x = inputs[~np.isnan(inputs)]
    assert np.abs(applied("tanh", x)).max() == 1
    assert (applied("sigmoid", x).min(), applied("sigmoid", x).max()) == (0, 1)


def test_infinities_reach_the_limits() -> None:
    x = np.array([np.inf, -np.inf], "f4")
    assert applied("tanh", x) == pytest.approx([1, -1], abs=0)
    assert applied("sigmoid", x).tolist() == [1, 0]
    assert applied("exp", x).tolist() == [np.inf, 0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_float64_is_exact_to_its_own_rounding(name: str, rng: np.random.Generator) -> None:
    x = rng.standard_normal(10_000) * 20
    # exact to a few ulp of float64: the C library's own functions, and one division
    np.testing.assert_allclose(applied(name, x), FUNCTIONS[name][1](x), rtol=4e-15)
