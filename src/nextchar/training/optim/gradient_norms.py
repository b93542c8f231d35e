"""Gradient norms before and after clipping: sums since the last evaluation, for its record."""

from __future__ import annotations

import numpy as np

from nextchar.model.parameters import Array
from nextchar.settings.config import TrainingSettings
from nextchar.training.saving.checkpoint import Progress


def count_norm(
    progress: Progress, norm: float, gradient: Array, settings: TrainingSettings
) -> None:
    """Add the norm of a step. gradient: flat, before clipping; norm: its Euclidean norm."""
    progress.norm_steps += 1
    progress.norm_sum += norm
    progress.norm_max = max(progress.norm_max, norm)
    if 0 < settings.clip < norm:  # no entry is larger than the norm
        by_norm = settings.clip_by == "norm"
        after = settings.clip if by_norm else _norm_of_clipped(gradient, settings.clip)
        if after < norm:
            progress.norm_clipped += 1
            progress.norm_cut += norm - after


def _norm_of_clipped(gradient: Array, limit: float) -> float:
    """Return the norm after clipping by value; infinite if nothing is clipped."""
    sizes = np.abs(gradient)
    if not (sizes > limit).any():
        return np.inf
    return float(np.linalg.norm(np.minimum(sizes, limit).astype(np.float64)))


def take_norms(progress: Progress) -> dict[str, float | None]:
    """Return the fields of a record about the steps since the last one, and reset the sums."""
    steps = progress.norm_steps
    known = steps > 0  # not after a resume from a checkpoint without the sums
    after = progress.norm_sum - progress.norm_cut
    norms = {
        "gradient_norm": progress.norm_sum / steps if known else None,
        "gradient_norm_max": progress.norm_max if known else None,
        "gradient_norm_clipped": after / steps if known else None,
        "clipped_share": progress.norm_clipped / steps if known else None,
    }
    progress.norm_steps = progress.norm_clipped = 0
    progress.norm_sum = progress.norm_max = progress.norm_cut = 0.0
    return norms
