"""Optimizer passes over flat arrays, split over threads.

The readable twin is training/optim/optimizers.py.

add_shards   out = sum of the workers' gradients, block by block; the squares of its numbers
update       clip, weight decay and the rule in one pass over a part of the parameters
"""

from __future__ import annotations

import numpy as np

from nextchar.kernels.jit import kernel
from nextchar.kernels.training.update_constants import ADAGRAD, ADAMW, MOMENTUM, RMSPROP, SGD

BLOCK = 2048  # numbers that stay in the L1 cache while the shards are added


@kernel(sums_in_any_order=True)
def add_shards(shards, out, first, end):
    """Add the rows of shards (W, n) from `first` to `end` into out; the sum of its squares."""
    total = 0.0
    for start in range(first, end, BLOCK):
        into = out[start : min(start + BLOCK, end)]
        for j in range(into.size):
            into[j] = shards[0, start + j]
        for w in range(1, shards.shape[0]):
            for j in range(into.size):
                into[j] += shards[w, start + j]
        for j in range(into.size):
            total += np.float64(into[j]) * np.float64(into[j])
    return total


@kernel()
def update(rule, parameters, gradient, one, two, first, end, matrix_size):
    """Move parameters `first` to `end` against the gradient, which is left as it is.

    one, two: the rule's own arrays, named as in `training.optim.optimizers`; empty if it has none.
    """
    middle = min(max(first, matrix_size), end)
    _update(rule, parameters, gradient, one, two, first, middle, rule.decay)
    _update(rule, parameters, gradient, one, two, middle, end, 0.0)


@kernel()
def _update(rule, parameters, gradient, one, two, first, end, decay):
    p, g, one, two = parameters[first:end], gradient[first:end], one[first:end], two[first:end]
    if rule.kind == SGD or rule.kind == MOMENTUM:
        _by_velocity(rule, p, g, one, decay)
    elif rule.kind == ADAGRAD or rule.kind == RMSPROP:
        _by_squares(rule, p, g, one, decay)
    else:
        _adam(rule, p, g, one, two, decay)


@kernel()
def _by_velocity(rule, p, g, velocity, decay):
    kind = p.dtype.type
    scale, limit, added = kind(rule.scale), kind(rule.limit), kind(decay)
    rate, memory = kind(rule.rate), kind(rule.memory)
    if rule.kind == SGD:
        for i in range(p.size):
            p[i] -= rate * _clipped(g[i], p[i], scale, limit, added)
        return
    for i in range(p.size):
        velocity[i] = memory * velocity[i] + _clipped(g[i], p[i], scale, limit, added)
        p[i] -= rate * velocity[i]


@kernel()
def _by_squares(rule, p, g, squares, decay):
    kind = p.dtype.type
    scale, limit, added = kind(rule.scale), kind(rule.limit), kind(decay)
    rate, epsilon = kind(rule.rate), kind(rule.epsilon)
    is_sum = rule.kind == ADAGRAD
    memory, rest = (kind(1), kind(1)) if is_sum else (kind(rule.memory), kind(1 - rule.memory))
    for i in range(p.size):
        d = _clipped(g[i], p[i], scale, limit, added)
        squares[i] = memory * squares[i] + rest * d * d
        p[i] -= rate * d / (np.sqrt(squares[i]) + epsilon)


@kernel()
def _adam(rule, p, g, mean, squares, decay):
    kind = p.dtype.type
    scale, limit, added, shrink = kind(rule.scale), kind(rule.limit), kind(decay), kind(1)
    if rule.kind == ADAMW:  # decoupled from the gradient
        shrink, added = kind(1 - rule.rate * decay), kind(0)
    memory, rest = kind(rule.memory), kind(1 - rule.memory)
    beta, beta_rest = kind(rule.beta), kind(1 - rule.beta)
    step, root, epsilon = kind(rule.step), kind(rule.root), kind(rule.epsilon)
    for i in range(p.size):
        d = _clipped(g[i], p[i], scale, limit, added)
        mean[i] = beta * mean[i] + beta_rest * d
        squares[i] = memory * squares[i] + rest * d * d
        p[i] = shrink * p[i] - step * mean[i] / (np.sqrt(squares[i]) / root + epsilon)


@kernel()
def _clipped(g, p, scale, limit, decay):
    return min(max(g * scale, -limit), limit) + decay * p
