"""The whole network: every gradient by finite differences, and the arrays a step may change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.gradient_check import Problem, check_network, make_problem, variants
from nextchar.model.network import forward

CELLS = ("rnn", "lstm", "gru")

problems = st.builds(
    make_problem,
    st.sampled_from(CELLS),
    layers=st.integers(1, 3),
    embedding=st.integers(0, 3),
    tied=st.booleans(),
    dropout=st.booleans(),
    T=st.integers(1, 5),
    B=st.integers(1, 4),
    V=st.integers(2, 7),
    H=st.integers(1, 5),
    seed=st.integers(0, 999),
)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_is_that_of_the_differences(cell, layers):
    for problem in variants(cell=cell, layers=layers):
        check_network(problem)


@given(problem=problems, seed=st.integers(0, 999))
def test_the_gradient_is_right_along_any_direction_at_any_shape(problem, seed):
    values = problem.parameters.flat
    way = np.random.default_rng(seed).normal(size=values.shape)
    way /= np.linalg.norm(way)
    loss, gradient = problem.loss_and_gradient()
    at, step = values.copy(), 1e-5
    values[:] = at + step * way
    above = problem.loss()
    values[:] = at - step * way
    slope = (above - problem.loss()) / (2 * step)
    values[:] = at
    assert loss == pytest.approx(problem.loss(), rel=1e-12)
    # a single direction may be nearly flat: errors are relative to the whole gradient's length
    scale = np.linalg.norm(gradient.flat)
    assert abs(slope - gradient.flat @ way) <= 1e-6 * scale + 1e-9


@given(problem=problems, cut=st.integers(1, 4))
def test_two_parts_with_the_state_carried_are_one_whole(problem, cut):
    p, codes, masks = problem.parameters, problem.codes, problem.masks
    whole, last, _ = forward(p, codes, problem.state, masks)
    parts, state = [], problem.state
    for part in (slice(0, cut), slice(cut, None)):
        if len(codes[part]):
            masks_here = masks and [mask[part] for mask in masks]
            logits, state, _ = forward(p, codes[part], state, masks_here)
            parts.append(logits)
    # BLAS may sum products of other heights in another order
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(state, last, rtol=1e-12, atol=1e-12)


@given(problem=problems)
def test_lanes_know_nothing_of_each_other(problem):
    p, masks = problem.parameters, problem.masks
    together, last, _ = forward(p, problem.codes, problem.state, masks)
    for b in range(problem.codes.shape[1]):
        lane = slice(b, b + 1)
        masks_here = masks and [mask[:, lane] for mask in masks]
        alone, state, _ = forward(p, problem.codes[:, lane], problem.state[:, :, lane], masks_here)
        # a product with one row may be summed in another order
        np.testing.assert_allclose(alone, together[:, lane], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(state, last[:, :, lane], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_an_embedding_of_one_hot_rows_is_one_hot_input(cell):
    plain = make_problem(cell, layers=2)
    V = plain.parameters.architecture.vocabulary_size
    embedded = make_problem(cell, layers=2, embedding=V)
    for name, values in plain.parameters.views.items():
        embedded.parameters[name][:] = values
    embedded.parameters["embedding"][:] = np.eye(V)
    same_batch = Problem(embedded.parameters, plain.codes, plain.targets, plain.state, None)
    assert same_batch.loss() == pytest.approx(plain.loss(), rel=1e-13)  # 0·w adds no rounding
    _, expected = plain.loss_and_gradient()
    _, gradient = same_batch.loss_and_gradient()
    for name in plain.parameters.views:
        np.testing.assert_allclose(gradient[name], expected[name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("cell", CELLS)
def test_a_tied_gradient_is_the_sum_of_both_uses(cell):
    tied = make_problem(cell, tied=True)
    apart = make_problem(cell, embedding=tied.state.shape[-1])
    for name, values in tied.parameters.views.items():
        apart.parameters[name][:] = values
    apart.parameters["W_out"][:] = tied.parameters["embedding"].T
    same_batch = Problem(apart.parameters, tied.codes, tied.targets, tied.state, None)
    _, gradient = tied.loss_and_gradient()
    _, parts = same_batch.loss_and_gradient()
    np.testing.assert_allclose(  # the same products, added in another order
        gradient["embedding"], parts["embedding"] + parts["W_out"].T, rtol=1e-12, atol=1e-15
    )


def test_a_character_that_is_not_in_the_batch_has_no_input_gradient():
    for embedding, name in ((0, "layer0.W_ih"), (3, "embedding")):
        problem = make_problem("lstm", embedding=embedding, V=9)
        problem.codes[problem.codes == 4] = 5
        problem.codes[0, 0] = 8  # the last row is written too
        _, gradient = problem.loss_and_gradient()
        assert (gradient[name][4] == 0).all()
        assert (gradient[name][8] != 0).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_codes_of_any_integer_type_give_the_same_bits(dtype):
    problem = make_problem("gru", layers=2, embedding=2)
    other = Problem(
        problem.parameters,
        problem.codes.astype(dtype),
        problem.targets.astype(dtype),
        problem.state,
        None,
    )
    loss, gradient = problem.loss_and_gradient()
    loss_2, gradient_2 = other.loss_and_gradient()
    assert loss == loss_2
    np.testing.assert_array_equal(gradient.flat, gradient_2.flat)


def test_dropout_leaves_the_state_of_its_own_layer_alone():
    plain, dropped = make_problem("lstm"), make_problem("lstm", dropout=True)
    logits, state, _ = forward(plain.parameters, plain.codes, plain.state)
    logits_2, state_2, _ = forward(plain.parameters, plain.codes, plain.state, dropped.masks)
    np.testing.assert_array_equal(state, state_2)
    assert (logits != logits_2).any()


def test_a_step_changes_neither_parameters_nor_batch_nor_state():
    problem = make_problem("gru", layers=2, tied=True, dropout=True)
    arrays = (problem.parameters.flat, problem.codes, problem.targets, problem.state)
    arrays += tuple(problem.masks)
    before = [array.copy() for array in arrays]
    problem.loss_and_gradient()
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_truncation_makes_the_state_that_comes_in_a_constant():
    """The gradient of the second half does not reach back into the first."""
    problem = make_problem("rnn", T=6)
    p = problem.parameters
    _, state, _ = forward(p, problem.codes[:3], problem.state)
    second = Problem(p, problem.codes[3:], problem.targets[3:], state, None)
    check_network(second)  # the differences keep `state` fixed


@pytest.mark.parametrize("cell", CELLS)
def test_float32_agrees_with_float64(cell):
    problem = make_problem(cell, layers=2, embedding=16, T=32, B=8, V=40, H=32)
    p = problem.parameters
    p.flat /= 0.7 * 32**0.5  # the size of real weights: 1/sqrt(H)
    rounded = problem.as_type(np.float32)
    loss_32, gradient_32 = rounded.loss_and_gradient()
    loss, gradient = rounded.as_type(np.float64).loss_and_gradient()
    assert loss_32 == pytest.approx(loss, rel=1e-5)
    # each entry sums about T·B·L = 512 products, each off by 6e-8: sqrt(512)·6e-8 ≈ 1e-6, and the
    # steps of backpropagation accumulate errors; a wrong term would be off by percents
    for name in p.views:
        error = np.linalg.norm(gradient_32[name] - gradient[name])
        assert error <= 1e-5 * np.linalg.norm(gradient[name]), name


@settings(max_examples=20)
@given(problem=problems)
def test_the_gradient_is_the_same_to_the_bit_each_time(problem):
    loss, gradient = problem.loss_and_gradient()
    loss_2, gradient_2 = problem.loss_and_gradient()
    assert loss == loss_2
    np.testing.assert_array_equal(gradient.flat, gradient_2.flat)
