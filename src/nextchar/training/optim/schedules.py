"""Learning-rate schedules, with warm-up."""

from __future__ import annotations

import math

from nextchar.settings.config import TrainingSettings

WARM_UP = 5  # warm-up takes at most a fifth of a run


def learning_rate(
    settings: TrainingSettings,
    *,
    step: int,
    fraction: float,
    total: int | None,
    fraction_after: float = 0.0,
) -> float:
    """Return the learning rate of a step.

    step: counts from 0.
    fraction: of the run that is done, 0 to 1, by steps or by time.
    total: steps of the run, if known.
    fraction_after: of the run that will be done after the step; if time ends the run, it tells
    when warm-up is over, however few steps that is.

    Warm-up rises linearly over the first steps. Then `constant` stays; `step` multiplies by
    `decay_factor` after each `decay_every` of the run; `linear` falls to zero; `cosine` falls to
    zero along half a cosine (Loshchilov & Hutter, 2017).
    """
    warmup = settings.warmup if total is None else min(settings.warmup, total // WARM_UP)
    rise = (step + 1) / (warmup + 1)
    if total is None:
        rise = max(rise, fraction_after * WARM_UP)
    return settings.learning_rate * min(rise, 1.0) * _decay(settings, min(max(fraction, 0.0), 1.0))


def _decay(settings: TrainingSettings, fraction: float) -> float:
    match settings.schedule:
        case "step":
            return settings.decay_factor ** math.floor(fraction / settings.decay_every + 1e-9)
        case "linear":
            return 1 - fraction
        case "cosine":
            return (1 + math.cos(math.pi * fraction)) / 2
        case _:
            return 1.0
