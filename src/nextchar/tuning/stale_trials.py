"""Trials whose worker died: failed, and tried again.

A worker holds a lock as long as it lives, and a trial says whose it is; a lock that is free is a
dead worker's, whatever killed it. Where the lock of another machine cannot be seen (a database),
Optuna's heartbeat finds its trials.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import filelock

from nextchar.errors import RunError
from nextchar.tuning.tries import retry

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


@contextmanager
def asking(locks: Path) -> Iterator[None]:
    """Within this context no other worker of the folder begins a trial."""
    with filelock.FileLock(locks / "ask.lock"):
        yield


@contextmanager
def alive(locks: Path, worker: str) -> Iterator[None]:
    """Within this context the worker is known to live."""
    path = locks / f"{worker}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path):
            yield
            path.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(f"{path}: cannot be used ({error.strerror or error})") from error


class Kept(Protocol):
    """What is asked of where a study is kept (`storage.Place`)."""

    @property
    def is_database(self) -> bool:
        """Whether it is kept in a database."""

    @property
    def locks(self) -> Path:
        """Where workers hold locks."""


def fail_lost(study: Study, place: Kept) -> list[FrozenTrial]:
    """Fail the running trials of workers that are dead, and have them tried again."""
    from optuna.trial import TrialState

    _by_heartbeat(study)
    lost = []
    with asking(place.locks):  # else a trial that was just begun would have no worker yet
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if _is_lost(place, trial.user_attrs.get("worker")):
                lost += [trial] if fail(study, trial, "its worker was lost") else []
    return lost


def fail(study: Study, trial: FrozenTrial, why: str, *, counts: bool = True) -> bool:
    """Fail a trial and have it tried again; False where another was faster."""
    from optuna.exceptions import UpdateFinishedTrialError
    from optuna.trial import TrialState

    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, UpdateFinishedTrialError):
        return False
    retry(study, trial, why, counts=counts)
    return True


def _by_heartbeat(study: Study) -> None:
    from optuna.exceptions import ExperimentalWarning
    from optuna.storages import fail_stale_trials

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        fail_stale_trials(study)


def _is_lost(place: Kept, worker: str | None) -> bool:
    """Whether a trial's worker is known to be dead."""
    path = place.locks / f"{worker}.lock"
    if worker is None or not path.exists():
        return not place.is_database  # with a journal every lock can be seen
    with suppress(filelock.Timeout, OSError), filelock.FileLock(path, blocking=False):
        path.unlink(missing_ok=True)
        return True
    return False
