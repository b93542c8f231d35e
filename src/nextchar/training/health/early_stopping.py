"""Early stopping: the best evaluation so far, and the patience with those that follow it."""

from __future__ import annotations

from nextchar.training.saving.checkpoint import Progress


def record_loss(progress: Progress, loss: float) -> bool:
    """Record the loss of an evaluation; return whether it is the lowest so far."""
    is_best = progress.best_loss is None or loss < progress.best_loss
    if is_best:
        progress.best_loss, progress.best_step = loss, progress.step
        progress.evaluations_since_best = 0
    else:
        progress.evaluations_since_best += 1
    return is_best


def is_out_of_patience(progress: Progress, patience: int | None) -> bool:
    """Return whether `patience` evaluations have passed without a better one."""
    return bool(patience) and progress.evaluations_since_best >= (patience or 0)
