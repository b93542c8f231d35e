"""Optimizers and clipping, one pass over flat arrays, split over threads.

The readable twin is training/optim/optimizers.py.

    shards (threads, n)   gradients of the lanes of each thread   → add_shards → gradient (n,)
    parameters (n,)       | matrices, with weight decay | vectors, without |   ← update

Constants are PyTorch's. The twin has them too, as a judge that shares nothing with the judged.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from nextchar.kernels.jit import kernel
from nextchar.settings.config import TrainingSettings

EPSILON = 1e-8
ADAGRAD_EPSILON = 1e-10
RMSPROP_ALPHA = 0.99
BETA_1, BETA_2 = 0.9, 0.999

KINDS = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw")
SGD, MOMENTUM, ADAGRAD, RMSPROP, ADAM, ADAMW = range(6)
BLOCK = 2048  # numbers that stay in the L1 cache while the shards are added


class UpdateConstants(NamedTuple):
    """Constants of one update."""

    kind: int  # an index of KINDS
    rate: float  # learning rate
    scale: float  # factor of the gradient, to clip by norm
    limit: float  # bound of the gradient's numbers, to clip by value; infinite for none
    decay: float  # weight decay of the matrices
    memory: float  # share of the old velocity or squares
    epsilon: float
    beta: float  # share of Adam's old mean
    # corrections for Adam's means, which begin at zero
    step: float  # learning rate over 1 - beta^n
    root: float  # square root of 1 - memory^n


def update_constants(
    settings: TrainingSettings, *, norm: float, learning_rate: float, step: int
) -> UpdateConstants:
    """Return the constants of a step, counted from 1, for a gradient of a norm."""
    kind = KINDS.index(settings.optimizer)
    scale, limit = 1.0, math.inf
    if settings.clip and settings.clip_by == "value":
        limit = settings.clip
    elif settings.clip and norm > settings.clip:
        scale = min(settings.clip / (norm + 1e-6), 1.0)  # as in PyTorch
    memory = {MOMENTUM: settings.momentum, RMSPROP: RMSPROP_ALPHA}.get(kind, BETA_2)
    return UpdateConstants(
        kind=kind,
        rate=learning_rate,
        scale=scale,
        limit=limit,
        decay=settings.weight_decay,
        memory=memory,
        epsilon=ADAGRAD_EPSILON if kind == ADAGRAD else EPSILON,
        beta=BETA_1,
        step=learning_rate / (1 - BETA_1**step),
        root=math.sqrt(1 - BETA_2**step),
    )


@kernel(reassociate=True)
def add_shards(shards, out, first, end):
    """Sum the rows of shards (W, n) from `first` to `end` into out; return its sum of squares."""
    total = 0.0
    for start in range(first, end, BLOCK):
        # shard by shard over a block in the cache: the order of sums does not depend on the range
        into = out[start : min(start + BLOCK, end)]
        for j in range(into.size):
            into[j] = shards[0, start + j]
        for w in range(1, shards.shape[0]):
            for j in range(into.size):
                into[j] += shards[w, start + j]
        for j in range(into.size):  # for the norm, while the block is in the cache
            total += np.float64(into[j]) * np.float64(into[j])
    return total


@kernel()
def update(constants, parameters, gradient, slots, first, end, matrix_size):
    """Move parameters `first` to `end` against the gradient, which is not changed.

    slots: two arrays of the optimizer, in the twin's order; empty where it has fewer.
    """
    middle = min(max(first, matrix_size), end)  # weight decay is for matrices
    _update(constants, parameters, gradient, slots, first, middle, constants.decay)
    _update(constants, parameters, gradient, slots, middle, end, 0.0)


@kernel()
def _update(constants, parameters, gradient, slots, first, end, decay):
    """Update one range with the optimizer's constants."""
    # views of the range; an empty slot stays empty
    p, g = parameters[first:end], gradient[first:end]
    one, two = slots[0][first:end], slots[1][first:end]
    if constants.kind == SGD or constants.kind == MOMENTUM:
        _momentum(constants, p, g, one, decay)
    elif constants.kind == ADAGRAD or constants.kind == RMSPROP:
        _rmsprop(constants, p, g, one, decay)
    else:
        _adam(constants, p, g, one, two, decay)


@kernel()
def _momentum(constants, p, g, velocity, decay):
    """SGD, without or with momentum."""
    # constants in the type of the parameters: otherwise the loops would run in float64
    real = p.dtype.type
    scale, limit, added = real(constants.scale), real(constants.limit), real(decay)
    rate, memory = real(constants.rate), real(constants.memory)
    if constants.kind == SGD:  # no slot
        for i in range(p.size):
            p[i] -= rate * _clipped(g[i], p[i], scale, limit, added)
        return
    # the learning rate multiplies the velocity and is not accumulated in it
    for i in range(p.size):
        velocity[i] = memory * velocity[i] + _clipped(g[i], p[i], scale, limit, added)
        p[i] -= rate * velocity[i]


@kernel()
def _rmsprop(constants, p, g, squares, decay):
    """Adagrad and RMSprop: steps divided by the root of the sum, or mean, of squares."""
    real = p.dtype.type
    scale, limit, added = real(constants.scale), real(constants.limit), real(decay)
    rate, epsilon = real(constants.rate), real(constants.epsilon)
    is_sum = constants.kind == ADAGRAD  # squares accumulate without decay
    # weight of the new square: 1 in a sum, 1 - memory in a mean
    memory, rest = (
        (real(1), real(1)) if is_sum else (real(constants.memory), real(1 - constants.memory))
    )
    for i in range(p.size):
        d = _clipped(g[i], p[i], scale, limit, added)
        squares[i] = memory * squares[i] + rest * d * d
        p[i] -= rate * d / (np.sqrt(squares[i]) + epsilon)


@kernel()
def _adam(constants, p, g, mean, squares, decay):
    """Adam and AdamW."""
    real = p.dtype.type
    scale, limit, added, shrink = real(constants.scale), real(constants.limit), real(decay), real(1)
    if constants.kind == ADAMW:  # decay decoupled from the gradient
        shrink, added = real(1 - constants.rate * decay), real(0)
    memory, rest = real(constants.memory), real(1 - constants.memory)
    beta, beta_rest = real(constants.beta), real(1 - constants.beta)
    step, root, epsilon = real(constants.step), real(constants.root), real(constants.epsilon)
    for i in range(p.size):
        d = _clipped(g[i], p[i], scale, limit, added)
        # moving averages of the gradient and of its square
        mean[i] = beta * mean[i] + beta_rest * d
        squares[i] = memory * squares[i] + rest * d * d
        # both means are corrected for their beginning at zero: by `step` and by `root`
        p[i] = shrink * p[i] - step * mean[i] / (np.sqrt(squares[i]) / root + epsilon)


@kernel()
def _clipped(g, p, scale, limit, decay):
    """Return a clipped gradient with weight decay."""
    # decay comes last: it is not clipped
    return min(max(g * scale, -limit), limit) + decay * p
