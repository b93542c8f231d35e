"""The learning rate over a run."""

from __future__ import annotations

import math

from nextchar.config import TrainingSettings


def learning_rate(
    settings: TrainingSettings, *, step: int, fraction: float, total: int | None
) -> float:
    """The learning rate of a step.

    step: counts from 0.
    fraction: how much of the run is done, 0 to 1, by steps or by time.
    total: steps of the run where they are known; warm-up takes a fifth of them at most.

    warm-up rises linearly over the first steps; then
    constant stays; step multiplies by `decay_factor` after each `decay_every` of the run;
    linear falls to zero; cosine falls to zero along half a cosine (Loshchilov & Hutter, 2017).
    """
    warmup = settings.warmup if total is None else min(settings.warmup, total // 5)
    rise = (step + 1) / (warmup + 1) if step < warmup else 1.0
    return settings.learning_rate * rise * _factor(settings, min(max(fraction, 0.0), 1.0))


def _factor(settings: TrainingSettings, fraction: float) -> float:
    match settings.schedule:
        case "step":
            return settings.decay_factor ** math.floor(fraction / settings.decay_every + 1e-9)
        case "linear":
            return 1 - fraction
        case "cosine":
            return (1 + math.cos(math.pi * fraction)) / 2
        case _:
            return 1.0
