"""Whether a run went on for longer than was good for its model."""

from __future__ import annotations

from collections.abc import Sequence

from nextchar.training.events import Evaluated
from nextchar.training.saving.checkpoint import Progress

RISE = 1.02  # of the validation loss since its best: more than chance
LATE = 2 / 3  # of the run: where the best model is older, the rest of it was for nothing


def overfitting_warning(records: Sequence[Evaluated], progress: Progress) -> str | None:
    """What to say of a run that learnt its text by heart in the end; None of a good one."""
    last, best = records[-1] if records else None, progress.best_loss
    if last is None or last.val_loss is None or best is None or last.train_loss >= last.val_loss:
        return None
    if last.epoch <= 1:  # what was read once is not known by heart
        return None
    gave_nothing = last.val_loss > best and progress.best_step <= LATE * last.step
    if last.val_loss <= RISE * best and not gave_nothing:
        return None
    return (
        f"validation was best at step {progress.best_step} and rose after it while training went "
        "on falling: the model began to learn the text by heart. The best model is kept; training "
        "longer would not help, --dropout, --patience or a shorter run would"
    )
