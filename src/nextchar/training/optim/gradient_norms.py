"""The gradient's norm before and after clipping: sums since the last evaluation, for its record."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.settings.config import TrainingSettings
from nextchar.training.saving.checkpoint import Progress

Array = NDArray[Any]


def count_norm(
    progress: Progress, norm: float, gradient: Array, settings: TrainingSettings
) -> None:
    """Count a step's norm. gradient: the flat one before clipping, and norm: its own."""
    progress.norm_steps += 1
    progress.norm_sum += norm
    progress.norm_max = max(progress.norm_max, norm)
    if 0 < settings.clip < norm:  # no number is larger than the norm
        after = settings.clip if settings.clip_by == "norm" else _held(gradient, settings.clip)
        if after < norm:
            progress.norm_clipped += 1
            progress.norm_cut += norm - after


def _held(gradient: Array, limit: float) -> float:
    """The norm of what clipping by value leaves; infinite where that is nothing less."""
    sizes = np.abs(gradient)
    if not (sizes > limit).any():
        return np.inf
    return float(np.linalg.norm(np.minimum(sizes, limit).astype(np.float64)))


def take_norms(progress: Progress) -> dict[str, float | None]:
    """What a record tells of the steps since the last one; the sums begin anew."""
    steps = progress.norm_steps
    known = steps > 0  # it is not in a run resumed from a checkpoint of before the sums
    told = {
        "gradient_norm": progress.norm_sum / steps if known else None,
        "gradient_norm_max": progress.norm_max if known else None,
        "gradient_norm_clipped": (
            (progress.norm_sum - progress.norm_cut) / steps if known else None
        ),
        "clipped_share": progress.norm_clipped / steps if known else None,
    }
    progress.norm_steps = progress.norm_clipped = 0
    progress.norm_sum = progress.norm_max = progress.norm_cut = 0.0
    return told
