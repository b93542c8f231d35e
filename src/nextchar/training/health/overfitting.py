"""Overfitting: a warning at the end of a run whose validation loss rose."""

from __future__ import annotations

from collections.abc import Sequence

from nextchar.training.events import Evaluated
from nextchar.training.saving.checkpoint import Progress

RISE = 1.02  # factor of the best validation loss: above chance
LATE = 2 / 3  # of the run: if the best model is older, the rest of the run was wasted


def overfitting_warning(records: Sequence[Evaluated], progress: Progress) -> str | None:
    """Return a warning for a run that overfitted in the end; None for a good one."""
    last, best = records[-1] if records else None, progress.best_loss
    if last is None or last.val_loss is None or best is None or last.train_loss >= last.val_loss:
        return None
    if last.epoch <= 1:  # a text that was read once is not memorised
        return None
    is_wasted = last.val_loss > best and progress.best_step <= LATE * last.step
    if last.val_loss <= RISE * best and not is_wasted:
        return None
    return (
        f"overfitting: validation loss was lowest at step {progress.best_step:,} and has risen "
        "since, while training loss kept falling; the best model is saved. Try --dropout, "
        "--patience or fewer steps"
    )
