"""The gradient's norm before and after clipping: sums since the last evaluation, for its record."""

from __future__ import annotations

from nextchar.config import TrainingSettings
from nextchar.training.checkpoint import Progress


def count_norm(progress: Progress, norm: float, settings: TrainingSettings) -> None:
    """Count a step's norm, before clipping."""
    progress.norm_steps += 1
    progress.norm_sum += norm
    progress.norm_max = max(progress.norm_max, norm)
    if settings.clip_by == "norm" and 0 < settings.clip < norm:
        progress.norm_clipped += 1
        progress.norm_cut += norm - settings.clip


def take_norms(progress: Progress, settings: TrainingSettings) -> dict[str, float | None]:
    """What a record tells of the steps since the last one; the sums begin anew.

    What clipping by value leaves of a norm is known to the compiled update alone: None.
    """
    steps = progress.norm_steps
    known = steps > 0  # it is not in a run resumed from a checkpoint of before the sums
    clips_each = settings.clip_by == "value" and settings.clip > 0
    told = {
        "gradient_norm": progress.norm_sum / steps if known else None,
        "gradient_norm_max": progress.norm_max if known else None,
        "gradient_norm_clipped": (
            (progress.norm_sum - progress.norm_cut) / steps if known and not clips_each else None
        ),
        "clipped_share": progress.norm_clipped / steps if known and not clips_each else None,
    }
    progress.norm_steps = progress.norm_clipped = 0
    progress.norm_sum = progress.norm_max = progress.norm_cut = 0.0
    return told
