"""Clipping; the update rules, compared with their papers' formulas for single numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nextchar.settings.groups import OPTIMIZERS, TrainingSettings
from nextchar.training.optim.optimizers import clip, make_slots, update

STEPS = 20


def sgd(w, gradients, lr, momentum):
    for g in gradients:
        w -= lr * g
        yield w


def with_momentum(w, gradients, lr, momentum):
    v = 0.0
    for g in gradients:
        v = momentum * v + g
        w -= lr * v
        yield w


def adagrad(w, gradients, lr, momentum):
    s = 0.0
    for g in gradients:
        s += g**2
        w -= lr * g / (math.sqrt(s) + 1e-10)
        yield w


def rmsprop(w, gradients, lr, momentum):
    s = 0.0
    for g in gradients:
        s = 0.99 * s + 0.01 * g**2
        w -= lr * g / (math.sqrt(s) + 1e-8)
        yield w


def adam(w, gradients, lr, momentum):
    m = s = 0.0
    for t, g in enumerate(gradients, 1):
        m = 0.9 * m + 0.1 * g
        s = 0.999 * s + 0.001 * g**2
        w -= lr * (m / (1 - 0.9**t)) / (math.sqrt(s / (1 - 0.999**t)) + 1e-8)
        yield w


DEFINITIONS = {
    "sgd": sgd,
    "momentum": with_momentum,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adam,
}


def walk(optimizer, p, gradients, *, lr=0.01, matrix_size=0, **settings):
    """The parameters after each step."""
    settings = TrainingSettings(optimizer=optimizer, **settings)
    p = p.copy()
    slots = make_slots(optimizer, p)
    for step, g in enumerate(gradients, 1):
        update(
            p,
            g.copy(),
            slots,
            learning_rate=lr,
            step=step,
            settings=settings,
            matrix_size=matrix_size,
        )
        yield p.copy()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@given(momentum=st.floats(0, 0.99), lr=st.floats(1e-4, 1), seed=st.integers(0, 99))
def test_each_rule_is_its_definition(optimizer, momentum, lr, seed):
    rng = np.random.default_rng(seed)
    start, gradients = rng.normal(size=3), rng.normal(size=(STEPS, 3))
    steps = list(walk(optimizer, start, gradients, lr=lr, momentum=momentum))
    for n in range(3):
        expected = DEFINITIONS[optimizer](start[n], gradients[:, n], lr, momentum)
        # twenty steps of some roundings of 1e-16 each
        np.testing.assert_allclose(
            [p[n] for p in steps], list(expected), rtol=1e-12, atol=1e-12 * (1 + lr)
        )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_is_for_matrices_only(optimizer, rng):
    start, gradients = rng.normal(size=6), rng.normal(size=(STEPS, 6))
    plain = list(walk(optimizer, start, gradients))
    decayed = list(walk(optimizer, start, gradients, matrix_size=4, weight_decay=0.1))
    for p, q in zip(plain, decayed, strict=True):
        np.testing.assert_array_equal(p[4:], q[4:])
        assert (p[:4] != q[:4]).all()


@pytest.mark.parametrize("optimizer", [o for o in OPTIMIZERS if o != "adamw"])
def test_weight_decay_is_the_gradient_of_a_square(optimizer):
    """Half the decay times the square of each weight is what it adds to the loss."""
    start, decay, lr = np.array([2.0, -3.0]), 0.1, 0.01
    w = list(walk(optimizer, start, np.zeros((1, 2)), matrix_size=2, weight_decay=decay, lr=lr))
    expected = [next(DEFINITIONS[optimizer](x, [decay * x], lr, 0.9)) for x in start]
    np.testing.assert_allclose(w[0], expected, rtol=1e-14)


def test_adamw_shrinks_weights_apart_from_the_gradient():
    """Loshchilov & Hutter (2019): by lr · decay, whatever the size of the gradients."""
    start, gradients = np.array([2.0, -3.0]), np.full((1, 2), 1e3)
    options = {"matrix_size": 2, "lr": 0.01}
    (plain,) = walk("adamw", start * (1 - 0.01 * 0.1), gradients, **options)
    (decayed,) = walk("adamw", start, gradients, weight_decay=0.1, **options)
    np.testing.assert_array_equal(decayed, plain)


def test_adamw_without_decay_is_adam(rng):
    start, gradients = rng.normal(size=6), rng.normal(size=(STEPS, 6))
    for p, q in zip(walk("adam", start, gradients), walk("adamw", start, gradients), strict=True):
        np.testing.assert_array_equal(p, q)


def test_momentum_zero_is_sgd(rng):
    start, gradients = rng.normal(size=6), rng.normal(size=(STEPS, 6))
    steps = walk("momentum", start, gradients, momentum=0.0)
    for p, q in zip(steps, walk("sgd", start, gradients), strict=True):
        np.testing.assert_array_equal(p, q)


@pytest.mark.parametrize("optimizer", ["adagrad", "rmsprop", "adam", "adamw"])
def test_a_zero_gradient_moves_nothing_and_divides_by_nothing(optimizer):
    (p,) = walk(optimizer, np.ones(3), np.zeros((1, 3)))
    np.testing.assert_array_equal(p, 1)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_parameters_change_in_place_and_keep_their_type(optimizer):
    p, g = np.ones(4, np.float32), np.full(4, 0.5, np.float32)
    slots = make_slots(optimizer, p)
    assert all(slot.dtype == np.float32 and not slot.any() for slot in slots.values())
    held = {name: slot for name, slot in slots.items()}  # noqa: C416 - the arrays, not the dict
    settings = TrainingSettings(optimizer=optimizer, weight_decay=0.01)
    update(p, g, slots, learning_rate=0.1, step=1, settings=settings, matrix_size=2)
    assert p.dtype == np.float32
    assert (p < 1).all()
    assert all(slots[name] is slot and slot.dtype == np.float32 for name, slot in held.items())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_float32_follows_float64(optimizer, rng):
    start, gradients = rng.normal(size=5), rng.normal(size=(STEPS, 5))
    wide = walk(optimizer, start, gradients)
    narrow = walk(optimizer, start.astype(np.float32), gradients.astype(np.float32))
    for p, q in zip(wide, narrow, strict=True):
        # twenty steps of 0.01 to 0.1, each rounded at 6e-8; the first steps of the adaptive
        # rules divide g by |g|, which keeps the rounding of g
        np.testing.assert_allclose(q, p, atol=5e-6)


# clipping

flat_gradients = hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-100, 100))
thresholds = st.floats(0.01, 50)


@given(gradient=flat_gradients, threshold=thresholds)
def test_by_value_holds_each_entry_in_the_range(gradient, threshold):
    clipped = gradient.copy()
    clip(clipped, threshold, "value")
    np.testing.assert_array_equal(clipped, [min(max(g, -threshold), threshold) for g in gradient])


@given(gradient=flat_gradients, threshold=thresholds)
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
@given(gradient=flat_gradients)
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
