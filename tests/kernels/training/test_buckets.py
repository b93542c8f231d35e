"""A step in buckets has the bits of a whole step; gradients of other machines are added."""

from __future__ import annotations

import numpy as np
import pytest

from model.gradient_check import make_problem
from nextchar.kernels.engine import Engine
from nextchar.kernels.layout import layout_of
from nextchar.kernels.training import buckets
from nextchar.text.batches import Batch, Share

CELLS = ("rnn", "lstm", "gru")


class With:
    """An all-reduce with others whose gradient and loss are known; with nobody by default."""

    def __init__(self, gradients=(), losses=()):
        self.gradients, self.losses, self.parts = gradients, losses, []
        self.polls = 0

    def begin(self, part):
        self.parts.append(part)

    def poll(self):
        self.polls += 1

    def finish(self, loss, rest):
        parts = [*self.parts, rest]
        base = min(part.ctypes.data for part in parts)  # they make up the whole gradient
        for part in parts:
            for other in self.gradients:
                start = (part.ctypes.data - base) // part.itemsize
                part += other[start : start + part.size]
        self.sizes = [part.size for part in parts]
        self.parts.clear()
        return loss + sum(self.losses)


def run(problem, threads, all_reduce=None, share=None):
    """Loss, state, gradient and norm of the lanes of a share."""
    parameters, B = problem.parameters, problem.codes.shape[1]
    first, end = (share or Share()).of(B)
    batch = Batch(problem.codes[:, first:end], problem.targets[:, first:end], True, first, B)
    dtype = parameters.dtype
    options = {"dropout": 0.3, "seed": 5, "step": 9}
    state = problem.state[:, :, first:end]
    with Engine(
        parameters.architecture, threads=threads, dtype=dtype, all_reduce=all_reduce
    ) as engine:
        loss, state, gradient = engine.loss_and_gradient(parameters, batch, state, **options)
        return loss, state, gradient.flat.copy(), gradient.norm


@pytest.mark.parametrize("least", [1, 1 << 16])
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(
    "how", [{"layers": 3}, {"layers": 2, "embedding": 3}, {"layers": 1, "tied": True}]
)
def test_a_step_in_buckets_gives_the_bits_of_a_whole_one(cell, how, least, monkeypatch):
    monkeypatch.setattr(buckets, "MIN_BUCKET", least)
    problem = make_problem(cell, B=5, **how)
    alone = With()
    for one, other in zip(run(problem, 2), run(problem, 2, alone), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sum(alone.sizes) == problem.parameters.flat.size
    assert alone.sizes[-1] == problem.parameters.flat.size - matrices(problem)
    if least == 1:
        assert len(alone.sizes) == how["layers"] + 1 + (not how.get("tied"))


@pytest.mark.parametrize("ranks", [2, 3, 7])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shares_of_lanes_add_up_to_the_bits_of_as_many_threads(ranks, dtype):
    """Sums are taken in the same order, and dropout goes by the lane's number among all."""
    problem = make_problem("lstm", layers=2, B=7).as_type(dtype)
    loss, state, gradient, norm = run(problem, ranks)
    mine, *others = [run(problem, 1, With(), Share(rank, ranks)) for rank in range(ranks)]
    added = With([each[2] for each in others], [each[0] * problem.codes.size for each in others])
    both = run(problem, 1, added, Share(0, ranks))
    assert both[0] == pytest.approx(loss, rel=1e-14)  # added, here, after a division
    np.testing.assert_array_equal(both[2], gradient)
    assert both[3] == pytest.approx(norm, rel=1e-6)  # its squares are cut elsewhere
    np.testing.assert_array_equal(np.concatenate([mine[1], *(e[1] for e in others)], 2), state)


def test_a_share_without_a_lane_is_zero():
    problem = make_problem("gru", B=2)
    loss, state, gradient, norm = run(problem, 2, With(), Share(0, 3))
    assert (loss, norm, state.shape[2]) == (0, 0, 0)
    assert not gradient.any()


def test_messages_are_polled_while_threads_compute(monkeypatch):
    monkeypatch.setattr("nextchar.kernels.workers.POLL_SECONDS", 0.0)
    problem = make_problem("lstm", layers=2, B=4, T=64, H=96)
    alone = With()
    run(problem, 1, alone)
    assert alone.polls


def test_an_invalid_code_is_refused():
    problem = make_problem("rnn", B=3)
    problem.codes[0, 0] = 99
    with pytest.raises(IndexError, match="codes must be in"):
        run(problem, 1, With())


def test_buckets_go_from_the_output_to_the_first_layer_and_small_ones_together():
    problem = make_problem("lstm", layers=3, H=8, V=9)
    layout = layout_of(problem.parameters.architecture, np.float64)
    found = list(buckets.bucket_bounds(layout, matrices(problem)))
    assert [n for n, _, _ in found] == [3, 2, 1, 0]
    assert [(first, end) for _, first, end in found if first < end] == [(0, matrices(problem))]


def matrices(problem):
    return problem.parameters.architecture.matrix_size
