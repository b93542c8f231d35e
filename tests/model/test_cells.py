"""The cells: their equations as plain loops, and their gradients by finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.gradient_check import check_cell
from nextchar.model.cells import CELLS

NAMES = sorted(CELLS)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def naive_step(name, weights, a, state):
    """One step of one lane, gate by gate, by the equations in the cell's file."""
    h = state[0]
    product = h @ weights["W_hh"]
    if name == "rnn":
        return np.array([np.tanh(a + product)])
    if name == "lstm":
        i, f, g, o = np.split(a + product, 4)
        c = sigmoid(f) * state[1] + sigmoid(i) * np.tanh(g)
        return np.array([sigmoid(o) * np.tanh(c), c])
    (r_x, z_x, n_x), (r_h, z_h, n_h) = np.split(a, 3), np.split(product, 3)
    r, z = sigmoid(r_x + r_h), sigmoid(z_x + z_h)
    n = np.tanh(n_x + r * (n_h + weights["b_hn"]))
    return np.array([(1 - z) * n + z * h])


def random_layer(cell, rng, T, B, H, dtype=np.float64):
    weights = {n: rng.normal(0, 0.7, s).astype(dtype) for n, s in cell.shapes(1, H).items()}
    a = rng.normal(size=(T, B, cell.GATES * H)).astype(dtype)
    return weights, a, rng.normal(size=(cell.STATES, B, H)).astype(dtype)


@pytest.mark.parametrize("name", NAMES)
def test_forward_is_the_equations_step_by_step(name, rng):
    weights, a, state = random_layer(CELLS[name], rng, T=6, B=2, H=4)
    h, after, _ = CELLS[name].forward(weights, a.copy(), state)
    for lane in range(2):
        s = state[:, lane]
        for t in range(6):
            s = naive_step(name, weights, a[t, lane], s)
            # the same sums in another order: a few roundings
            np.testing.assert_allclose(h[t, lane], s[0], rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(after[:, lane], s, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_backward_is_the_derivative_by_every_entry(name):
    check_cell(CELLS[name])


@pytest.mark.parametrize("name", NAMES)
@given(T=st.integers(1, 4), B=st.integers(1, 3), H=st.integers(1, 4), seed=st.integers(0, 99))
def test_backward_is_the_derivative_along_any_direction(name, T, B, H, seed):
    cell, rng, step = CELLS[name], np.random.default_rng(seed), 1e-5
    weights, a, state = random_layer(cell, rng, T, B, H)
    dh = rng.normal(size=(T, B, H))
    way = {n: rng.normal(size=w.shape) for n, w in weights.items() if n not in ("W_ih", "b")}
    way_a = rng.normal(size=a.shape)

    def loss(s):
        moved = {n: w + s * way.get(n, 0) for n, w in weights.items()}
        return (cell.forward(moved, a + s * way_a, state)[0] * dh).sum()

    _, _, cache = cell.forward(weights, a.copy(), state)
    da, recurrent = cell.backward(weights, dh, cache)
    slope = (da * way_a).sum() + sum((recurrent[n] * way[n]).sum() for n in way)
    # truncation: s² times a third derivative that grows with the length of the direction
    assert slope == pytest.approx((loss(step) - loss(-step)) / (2 * step), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_neither_way_changes_what_it_is_given(name, rng):
    cell = CELLS[name]
    weights, a, state = random_layer(cell, rng, T=3, B=2, H=4)
    dh = rng.normal(size=(3, 2, 4))
    before = [array.copy() for array in (*weights.values(), state, dh)]
    _, _, cache = cell.forward(weights, a, state)
    cell.backward(weights, dh, cache)
    for array, copy in zip((*weights.values(), state, dh), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", NAMES)
def test_the_state_after_a_sequence_is_its_own_array(name, rng):
    cell = CELLS[name]
    h, after, _ = cell.forward(*random_layer(cell, rng, T=3, B=2, H=4))
    assert not np.shares_memory(h, after)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_float_type_is_kept_all_the_way(name, dtype, rng):
    cell = CELLS[name]
    weights, a, state = random_layer(cell, rng, 3, 2, 4, dtype)
    h, after, cache = cell.forward(weights, a, state)
    da, recurrent = cell.backward(weights, np.ones_like(h), cache)
    assert {array.dtype for array in (h, after, da, *recurrent.values())} == {np.dtype(dtype)}


@pytest.mark.parametrize("name", NAMES)
def test_huge_pre_activations_saturate_without_a_warning(name, rng):
    cell = CELLS[name]
    weights, a, state = random_layer(cell, rng, T=3, B=2, H=4)
    h, after, cache = cell.forward(weights, np.sign(a) * 1e4, state)
    da, _ = cell.backward(weights, np.ones_like(h), cache)
    assert np.isfinite(after).all()
    assert np.abs(h).max() <= np.abs(state).max() + 1
    assert np.isfinite(da).all()


def test_biases_begin_at_zero_and_the_forget_gates_at_one():
    for name, cell in CELLS.items():
        weights = {n: np.full(shape, np.nan) for n, shape in cell.shapes(2, 3).items()}
        cell.init(weights)
        ones = slice(3, 6) if name == "lstm" else slice(0)
        assert (weights["b"][ones] == 1).all()
        assert (np.delete(weights["b"], ones) == 0).all()
        assert (weights.get("b_hn", np.zeros(1)) == 0).all()
