"""The engine: one batch on any number of threads is the plain network's gradient."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

from model.gradient_check import make_problem
from nextchar.kernels import workers
from nextchar.kernels.engine import Engine
from nextchar.kernels.threads import one_blas_thread, usable_cores
from nextchar.model.dropout import draw_masks
from nextchar.model.initialise import initialise
from nextchar.model.network import forward, loss_and_gradient
from nextchar.model.parameters import Architecture, Parameters
from nextchar.model.scorer import score
from nextchar.settings.config import Settings
from nextchar.settings.groups import OPTIMIZERS, NetworkSettings
from nextchar.text.batches import Batch, make_batches
from nextchar.training.optim.optimizers import clip, make_slots, update

CELLS = ("rnn", "lstm", "gru")


def batch_of(problem):
    return Batch(problem.codes, problem.targets, fresh=True)


def run(problem, threads, **options):
    """Loss, state and gradient of a fresh engine."""
    parameters = problem.parameters
    with Engine(parameters.architecture, threads=threads, dtype=parameters.dtype) as engine:
        loss, state, gradient = engine.loss_and_gradient(
            parameters, batch_of(problem), problem.state, **options
        )
        return loss, state, gradient.flat.copy()


def assert_same_bits(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("cell", CELLS)
def test_any_thread_count_gives_the_plain_gradient(cell, threads):
    problem = make_problem(cell, layers=2, embedding=3, B=5, T=7, H=6)
    loss, state, gradient = run(problem, threads)
    expected_loss, expected = problem.loss_and_gradient()
    _, expected_state, _ = forward(problem.parameters, problem.codes, problem.state)
    # shards are summed in another order than lanes: some roundings of 1e-16 on terms near 0.1
    assert loss == pytest.approx(expected_loss, rel=1e-13)
    np.testing.assert_allclose(gradient, expected.flat, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(state, expected_state, rtol=1e-12, atol=1e-14)


@settings(max_examples=30)
@given(
    cell=st.sampled_from(CELLS),
    B=st.integers(1, 9),
    threads=st.integers(1, 9),
    tied=st.booleans(),
    seed=st.integers(0, 99),
)
def test_odd_numbers_of_lanes_are_cut_rightly(cell, B, threads, tied, seed):
    problem = make_problem(cell, B=B, tied=tied, seed=seed)
    loss, _, gradient = run(problem, threads)
    expected_loss, expected = problem.loss_and_gradient()
    assert loss == pytest.approx(expected_loss, rel=1e-13)
    np.testing.assert_allclose(gradient, expected.flat, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_thread_count_gives_the_same_bits(threads, dtype):
    problem = make_problem("lstm", layers=2, B=7, T=20, H=32, V=40).as_type(dtype)
    first = run(problem, threads, dropout=0.3, seed=5, step=9)
    for _ in range(5):
        assert_same_bits(first, run(problem, threads, dropout=0.3, seed=5, step=9))


def test_nothing_is_left_of_the_batch_before():
    """A batch of fewer lanes (an epoch's last windows) uses fewer shards."""
    many, few = make_problem("gru", B=6), make_problem("gru", B=1, seed=1)
    with Engine(many.parameters.architecture, threads=3, dtype=np.float64) as engine:
        engine.loss_and_gradient(many.parameters, batch_of(many), many.state)
        result = engine.loss_and_gradient(few.parameters, batch_of(few), few.state)
        _, expected = few.loss_and_gradient()
        np.testing.assert_allclose(result.gradient.flat, expected.flat, rtol=1e-11, atol=1e-14)


def test_dropout_depends_on_seed_and_step_and_on_no_earlier_call():
    problem = make_problem("lstm", layers=2, B=4)
    options = {"dropout": 0.5, "seed": 3, "step": 8}
    expected = run(problem, 2, **options)
    with Engine(problem.parameters.architecture, threads=2, dtype=np.float64) as engine:
        for step in (6, 7, 8):
            loss, state, gradient = engine.loss_and_gradient(
                problem.parameters, batch_of(problem), problem.state, **{**options, "step": step}
            )
        assert_same_bits((loss, state, gradient.flat), expected)
    for other in ({"step": 9}, {"seed": 4}, {"dropout": 0.0}):
        assert run(problem, 2, **{**options, **other})[0] != expected[0]


def test_with_dropout_too_any_thread_count_gives_the_plain_gradient():
    problem = make_problem("lstm", layers=2, B=5)
    p, (T, B) = problem.parameters, problem.codes.shape
    masks = draw_masks(p.architecture, T, B, 0.5, seed=3, step=8, dtype=np.float64)
    expected = Parameters(p.architecture, dtype=np.float64)
    x, y, state = problem.codes, problem.targets, problem.state
    loss_and_gradient(p, x, y, state, expected, scale=1 / x.size, masks=masks)
    for threads in (1, 2, 5):
        _, _, found = run(problem, threads, dropout=0.5, seed=3, step=8)
        np.testing.assert_allclose(found, expected.flat, rtol=1e-11, atol=1e-14)  # order of sums


def test_the_norm_is_that_of_the_gradient():
    problem = make_problem("gru", layers=2, B=5)
    with Engine(problem.parameters.architecture, threads=2, dtype=np.float64) as engine:
        _, _, gradient = engine.loss_and_gradient(
            problem.parameters, batch_of(problem), problem.state
        )
        assert gradient.norm == pytest.approx(np.linalg.norm(gradient.flat))


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("how", [{}, {"clip": 0.01}, {"clip": 0.001, "clip_by": "value"}])
def test_an_update_clips_and_moves_as_the_readable_rules_do(threads, optimizer, how, monkeypatch):
    monkeypatch.setattr(workers, "MIN_RANGE", 10)  # small arrays are cut too
    problem = make_problem("lstm", layers=2, B=3)
    settings = Settings.make(optimizer=optimizer, weight_decay=0.1, **how).training
    mine = Parameters(problem.parameters.architecture, problem.parameters.flat.copy())
    theirs = Parameters(mine.architecture, mine.flat.copy())
    slots, their_slots = make_slots(optimizer, mine.flat), make_slots(optimizer, mine.flat)
    with Engine(mine.architecture, threads=threads, dtype=np.float64) as engine:
        for step in range(1, 6):
            _, _, found = engine.loss_and_gradient(mine, batch_of(problem), problem.state)
            gradient = found.flat.copy()
            engine.update(mine, slots, found, learning_rate=0.01, step=step, settings=settings)
            np.testing.assert_array_equal(found.flat, gradient)
            clip(gradient, settings.clip, settings.clip_by)
            update(
                theirs.flat, gradient, their_slots, learning_rate=0.01, step=step,
                settings=settings, matrix_size=mine.architecture.matrix_size,
            )  # fmt: skip
            # multiply and add may fuse: a rounding of 1e-16 here and there
            np.testing.assert_allclose(mine.flat, theirs.flat, rtol=1e-12, atol=1e-14)
            theirs.flat[:] = mine.flat


def test_the_classic_preset_runs_its_one_lane_on_any_number_of_threads():
    classic = Settings.make("classic")
    codes = np.random.default_rng(0).integers(20, size=501).astype(np.uint8)
    batch = make_batches(codes, classic.training).at(0)
    assert batch.inputs.shape == (100, 1)
    parameters = initialise(Architecture(classic.network, 20), 1)
    results = []
    for threads in (1, 4):
        with Engine(parameters.architecture, threads=threads, dtype=np.float32) as engine:
            loss, state, gradient = engine.loss_and_gradient(
                parameters, batch, parameters.zero_state(1)
            )
            results.append((loss, state, gradient.flat.copy()))
    assert_same_bits(*results)
    # weights of 0.01 know nothing yet: every character is one of twenty
    assert results[0][0] == pytest.approx(math.log(20), rel=1e-3)


def test_the_state_that_comes_in_is_not_changed():
    problem = make_problem("lstm", B=4)
    before = problem.state.copy()
    run(problem, 2)
    np.testing.assert_array_equal(problem.state, before)


@pytest.mark.parametrize("threads", [1, 2])
def test_divergence_comes_out_as_a_number_not_as_a_warning(threads):
    problem = make_problem("rnn", B=4, T=20).as_type(np.float32)
    for weight in (3e38, np.inf, np.nan):  # the largest of float32 is 3.4e38
        problem.parameters["W_out"][:] = weight * np.sign(problem.parameters["W_out"])
        loss, _, gradient = run(problem, threads)
        assert not math.isfinite(loss)
        assert not np.isfinite(gradient).all()


def test_an_error_in_a_worker_reaches_the_caller():
    problem = make_problem("rnn", B=4)
    problem.codes[0, 3] = 99
    with pytest.raises(IndexError):
        run(problem, 2)


def test_scores_are_those_of_the_scorer():
    architecture = Architecture(
        NetworkSettings(hidden_size=4, num_layers=1, initialisation="uniform"), 5
    )
    parameters = initialise(architecture, 1, np.float64)
    codes = np.random.default_rng(0).integers(5, size=9000).astype(np.uint8)
    with Engine(architecture, threads=2, dtype=np.float64) as engine:
        found = engine.score(parameters, codes)
        assert found == engine.score(parameters, codes)
    exact = score(parameters, codes)
    assert found.characters == exact.characters
    assert found.nats == pytest.approx(exact.nats, rel=1e-9)  # it forgets in 512 characters


def blas_threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_blas_has_one_thread_while_an_engine_is_open_and_its_own_after():
    before = blas_threads()
    architecture = Architecture(NetworkSettings(hidden_size=1), 2)
    with Engine(architecture, threads=2, dtype=np.float32):
        assert set(blas_threads()) <= {1}
    assert blas_threads() == before
    with one_blas_thread():
        assert set(blas_threads()) <= {1}
    assert blas_threads() == before


def test_there_is_a_core_to_use():
    assert usable_cores() >= 1
