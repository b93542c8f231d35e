"""The numbers of an update, as its kernel takes them; constants are PyTorch's."""

from __future__ import annotations

import math
from typing import NamedTuple

from nextchar.settings.config import TrainingSettings

EPSILON = 1e-8
ADAGRAD_EPSILON = 1e-10
RMSPROP_ALPHA = 0.99
BETA_1, BETA_2 = 0.9, 0.999

RULES = ("sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw")
SGD, MOMENTUM, ADAGRAD, RMSPROP, ADAM, ADAMW = range(6)


class UpdateConstants(NamedTuple):
    """One update.

    kind: an index of RULES. scale: what the gradient is multiplied by, to clip by norm; limit:
    what its numbers are held within, to clip by value, infinite for none.
    decay: weight decay of the matrices. memory: the share of the old velocity or squares.
    beta: of Adam's old mean; step: the learning rate over 1 - beta^n, and root the square root of
    1 - memory^n, which correct Adam's means for their beginning at zero.
    """

    kind: int
    rate: float
    scale: float
    limit: float
    decay: float
    memory: float
    epsilon: float
    beta: float
    step: float
    root: float


def update_constants(
    settings: TrainingSettings, *, norm: float, learning_rate: float, step: int
) -> UpdateConstants:
    """The update of a step, which counts from 1, for a gradient of this norm."""
    kind = RULES.index(settings.optimizer)
    scale, limit = 1.0, math.inf
    if settings.clip and settings.clip_by == "value":
        limit = settings.clip
    elif settings.clip and norm > settings.clip:
        scale = min(settings.clip / (norm + 1e-6), 1.0)
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
