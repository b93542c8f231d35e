"""Gradient clipping and update rules, each one pass over the flat arrays, in place.

The readable twin of kernels/training/optimizers.py, which training runs.

A rule is a function of (p, g, slots, lr, step, settings): p and g are the parameters and the
gradient (n,), slots the rule's own arrays (n,), and step counts from 1. Constants and order of
operations are PyTorch's, against which each rule is tested.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nextchar.model.parameters import Array
from nextchar.settings.config import TrainingSettings

Slots = dict[str, Array]
Rule = Callable[[Array, Array, Slots, float, int, TrainingSettings], None]

# the kernel has them again: the twin judges it and shares nothing with it
EPSILON = 1e-8
ADAGRAD_EPSILON = 1e-10
RMSPROP_ALPHA = 0.99
BETA_1, BETA_2 = 0.9, 0.999


def slots_of(optimizer: str) -> tuple[str, ...]:
    """Return the names of an optimizer's arrays, each as large as the parameters."""
    return _OPTIMIZERS[optimizer][1]


def make_slots(optimizer: str, parameters: Array) -> Slots:
    """Return an optimizer's arrays, all zero."""
    return {name: np.zeros_like(parameters) for name in slots_of(optimizer)}


@np.errstate(over="ignore", invalid="ignore")  # the trainer checks the norm
def clip(gradient: Array, threshold: float, by: str) -> float:
    """Clip a flat gradient in place, by value or by global norm; return its norm before that.

    Pascanu, Mikolov & Bengio (2013). threshold: 0 leaves the gradient as it is.
    by: `"value"` limits each entry to ±threshold; `"norm"` scales the whole so that its Euclidean
    norm is at most the threshold (with PyTorch's 1e-6 in the denominator).
    """
    norm = float(np.sqrt(np.dot(gradient, gradient), dtype=np.float64))
    if threshold == 0:
        return norm
    if by == "value":
        np.clip(gradient, -threshold, threshold, out=gradient)
    elif norm > threshold:
        gradient *= min(threshold / (norm + 1e-6), 1.0)
    return norm


def update(
    parameters: Array,
    gradient: Array,
    slots: Slots,
    *,
    learning_rate: float,
    step: int,
    settings: TrainingSettings,
    matrix_size: int,
) -> None:
    """Move the parameters one step against the gradient; both, and the slots, are changed.

    step: counts from 1.
    matrix_size: number of leading parameters that weight decay applies to (the matrices).
    """
    decay = settings.weight_decay
    if decay and settings.optimizer == "adamw":  # decoupled (Loshchilov & Hutter, 2019)
        parameters[:matrix_size] *= 1 - learning_rate * decay
    elif decay:
        gradient[:matrix_size] += decay * parameters[:matrix_size]
    rule, _ = _OPTIMIZERS[settings.optimizer]
    rule(parameters, gradient, slots, learning_rate, step, settings)


def _sgd(p: Array, g: Array, slots: Slots, lr: float, step: int, s: TrainingSettings) -> None:
    p -= lr * g


def _momentum(p: Array, g: Array, slots: Slots, lr: float, step: int, s: TrainingSettings) -> None:
    velocity = slots["velocity"]
    velocity *= s.momentum
    velocity += g
    p -= lr * velocity


def _adagrad(p: Array, g: Array, slots: Slots, lr: float, step: int, s: TrainingSettings) -> None:
    """Duchi, Hazan & Singer (2011)."""
    squares = slots["squares"]
    squares += g * g
    p -= lr * g / (np.sqrt(squares) + ADAGRAD_EPSILON)


def _rmsprop(p: Array, g: Array, slots: Slots, lr: float, step: int, s: TrainingSettings) -> None:
    """Tieleman & Hinton (2012)."""
    squares = slots["squares"]
    squares *= RMSPROP_ALPHA
    squares += (1 - RMSPROP_ALPHA) * g * g
    p -= lr * g / (np.sqrt(squares) + EPSILON)


def _adam(p: Array, g: Array, slots: Slots, lr: float, step: int, s: TrainingSettings) -> None:
    """Kingma & Ba (2015)."""
    mean, squares = slots["mean"], slots["squares"]
    mean *= BETA_1
    mean += (1 - BETA_1) * g
    squares *= BETA_2
    squares += (1 - BETA_2) * g * g
    root = np.sqrt(squares)
    root /= (1 - BETA_2**step) ** 0.5
    root += EPSILON
    p -= lr / (1 - BETA_1**step) * mean / root


_OPTIMIZERS: dict[str, tuple[Rule, tuple[str, ...]]] = {  # update rule, names of its slots
    "sgd": (_sgd, ()),
    "momentum": (_momentum, ("velocity",)),
    "adagrad": (_adagrad, ("squares",)),
    "rmsprop": (_rmsprop, ("squares",)),
    "adam": (_adam, ("mean", "squares")),
    "adamw": (_adam, ("mean", "squares")),
}
