"""A beginner's implementation: the loop of `nextchar.reference`, in float64, with Adam."""

from __future__ import annotations

from itertools import count

import numpy as np

from benchmarks import material
from benchmarks.job import Job
from benchmarks.rows import Row
from nextchar import reference


def prepare(row: Row, variant: str) -> Job:
    """Prepare a step of one layer, one lane at a time, as in the reference."""
    names = ("W_ih", "W_hh", "b", "W_out", "b_out")
    p = {
        name.removeprefix("layer0."): value.astype(np.float64)
        for name, value in material.weights(row).items()
    }
    assert set(p) == set(names), "the reference has one layer of rnn or lstm"
    inputs, targets = material.stacked(row)
    means = {name: np.zeros_like(value) for name, value in p.items()}
    squares = {name: np.zeros_like(value) for name, value in p.items()}
    states, steps = _zero_states(row), count()

    def step() -> int:
        number = next(steps)
        batch = number % material.STEPS
        if batch == 0:
            states[:] = _zero_states(row)
        d = {name: np.zeros_like(value) for name, value in p.items()}
        for lane in range(row.batch_size):
            ours, states[lane], _ = _lane(
                row, p, inputs[batch, :, lane], targets[batch, :, lane], states[lane]
            )
            for name in p:
                d[name] += ours[name] / row.batch_size
        _adam(p, _clipped(d), means, squares, number + 1)
        return row.batch_size * row.seq_length

    losses = [
        _lane(row, p, inputs[0, :, lane], targets[0, :, lane], states[lane])[2]
        for lane in range(row.batch_size)
    ]
    return Job(step, float(np.mean(losses)), sum(value.size for value in p.values()), "float64")


def _zero_states(row: Row):
    zero = np.zeros(row.hidden_size)
    return [(zero, zero)] * row.batch_size


def _lane(row: Row, p, inputs, targets, state):
    logits, after, cache = reference.forward(row.cell, p, inputs, state)
    loss = reference.loss_of(logits, targets)
    return reference.gradients(row.cell, p, logits, targets, cache), after, loss


def _clipped(d):
    norm = np.sqrt(sum((value**2).sum() for value in d.values()))
    scale = min(material.CLIP / (norm + 1e-6), 1.0)
    return {name: value * scale for name, value in d.items()}


def _adam(p, d, means, squares, step: int) -> None:
    b1, b2 = material.BETA_1, material.BETA_2
    for name in p:
        means[name] = b1 * means[name] + (1 - b1) * d[name]
        squares[name] = b2 * squares[name] + (1 - b2) * d[name] ** 2
        root = np.sqrt(squares[name] / (1 - b2**step)) + material.EPSILON
        p[name] -= material.LEARNING_RATE / (1 - b1**step) * means[name] / root
