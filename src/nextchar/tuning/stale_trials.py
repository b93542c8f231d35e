"""Stale trials: a trial whose worker died is marked as failed and queued again.

A worker holds a file lock as long as it lives, and its trials store its name. A lock that is free
belongs to a dead worker, whatever killed it. Locks of other machines are not visible with a
database; there, Optuna's heartbeat finds stale trials.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import filelock

from nextchar.errors import RunError
from nextchar.tuning.storage import StudyStorage, retry

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


@contextmanager
def ask_lock(locks: Path) -> Iterator[None]:
    """Context in which no other worker of the folder starts a trial."""
    with filelock.FileLock(locks / "ask.lock"):
        yield


@contextmanager
def worker_lock(locks: Path, worker: str) -> Iterator[None]:
    """Context in which a worker counts as alive. Raises RunError if the lock cannot be used."""
    path = locks / f"{worker}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path):
            yield
            path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"cannot be used ({error.strerror or error})", path=path) from error


def fail_stale_trials(study: Study, storage: StudyStorage) -> list[FrozenTrial]:
    """Fail the running trials of dead workers, queue them again and return them."""
    from optuna import storages
    from optuna.exceptions import ExperimentalWarning
    from optuna.trial import TrialState

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        storages.fail_stale_trials(study)  # by Optuna's heartbeat
    stale = []
    with ask_lock(storage.locks):  # otherwise a trial that just started might have no worker yet
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if _is_stale(storage, trial.user_attrs.get("worker")):
                stale += [trial] if fail(study, trial, "its worker was lost") else []
    return stale


def fail(study: Study, trial: FrozenTrial, why: str) -> bool:
    """Fail a trial and queue it again; return False if another process did so first."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, UpdateFinishedTrialError):
        return False
    retry(study, trial, why)
    return True


def _is_stale(storage: StudyStorage, worker: str | None) -> bool:
    """Return whether a trial's worker is known to be dead."""
    path = storage.locks / f"{worker}.lock"
    if worker is None or not path.exists():
        return not storage.is_database  # with a journal, every lock is visible
    with suppress(filelock.Timeout, OSError), filelock.FileLock(path, blocking=False):
        path.unlink(missing_ok=True)
        return True
    return False
