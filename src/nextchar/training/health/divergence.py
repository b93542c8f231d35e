"""What is said when a run's numbers run away: where, what is kept, and which setting to change."""

from __future__ import annotations

import math

import numpy as np

from nextchar.errors import DivergedError
from nextchar.model.parameters import Parameters
from nextchar.settings.config import TrainingSettings


def require_finite(value: float, what: str, step: int, bound: float = math.inf) -> None:
    """Raise DivergedError, without advice yet, for a value that is not finite or too large."""
    if not (math.isfinite(value) and value <= bound):
        raise DivergedError(f"the {what} became {value:.4g} at step {step}", step)


def require_finite_weights(parameters: Parameters, step: int) -> None:
    """The same for what an update made of the parameters."""
    require_finite(float(np.abs(parameters.flat).max()), "largest weight", step)


def with_advice(
    error: DivergedError, settings: TrainingSettings, has_checkpoint: bool
) -> DivergedError:
    """The error that ends a run: what is kept of it, and what to change."""
    advice = f"lower --learning-rate (now {settings.learning_rate:g})"
    if settings.clip == 0:
        advice += " or clip gradients (--clip 1)"
    kept = "; the last good checkpoint is kept" if has_checkpoint else ""
    return DivergedError(f"{error}{kept}: {advice}", error.step)
