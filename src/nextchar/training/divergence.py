"""What is said when a run's numbers run away: where, what is kept, and which setting to change."""

from __future__ import annotations

from nextchar.config import TrainingSettings
from nextchar.errors import DivergedError


def diverged(
    what: str, value: float, step: int, settings: TrainingSettings, has_checkpoint: bool
) -> DivergedError:
    """The error for a value that is not finite, or absurdly large, at a step."""
    advice = f"lower --learning-rate (now {settings.learning_rate:g})"
    if settings.clip == 0:
        advice += " or clip gradients (--clip 1)"
    kept = "; the last good checkpoint is kept" if has_checkpoint else ""
    return DivergedError(f"the {what} became {value:.4g} at step {step}{kept}: {advice}", step)
