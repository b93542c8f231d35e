"""How often a trial is tried: again where its worker died, as a new trial in the study's queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

MOST_TRIES = 3  # of a trial whose workers died: it may be the trial that kills them


def retry(study: Study, trial: FrozenTrial, why: str, *, counts: bool = True) -> None:
    """Have a failed trial tried again.

    counts: whether that is one of its tries; one that was only interrupted has not had any.
    """
    tries = trial.user_attrs.get("tries", 1) + counts
    params = trial.params or trial.user_attrs.get("params")
    if tries <= MOST_TRIES and params:
        told = {key: trial.user_attrs[key] for key in ("auto",) if key in trial.user_attrs}
        attributes = {"tries": tries, "again": trial.number, "why": why, "params": params, **told}
        study.enqueue_trial(dict(params), user_attrs=attributes)
