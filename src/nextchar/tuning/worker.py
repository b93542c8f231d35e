"""A worker: a process that runs one trial after another until the sweep is complete or stopped.

A sweep starts `nextchar tune --worker`, writes a `WorkerJob` to its standard input and keeps that
open. When it is closed, by the sweep or by its death, the worker stops.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from nextchar.errors import InterruptedRun, RunError
from nextchar.settings.fields import seconds_of
from nextchar.tuning.stale_trials import ask_lock, fail_stale_trials, worker_lock
from nextchar.tuning.storage import StudyStorage, require_optuna, retry
from nextchar.tuning.study import load_plan, load_study, make_sampler
from nextchar.tuning.sweep_texts import sweep_texts_from_paths
from nextchar.tuning.trial import TrialRunner, run_directory

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

MAX_UNTRAINABLE = 10  # trials in a row that could not be trained at all


@dataclass(frozen=True)
class WorkerJob:
    """Input of a worker.

    name: unique name of the worker. trials: of the study; seconds: that remain; None: no limit.
    threads: of one trial.
    """

    name: str
    storage: str
    study: str
    folder: str
    inputs: tuple[str, ...]
    validation: tuple[str, ...]
    start_from: str | None
    threads: int
    trials: int | None
    seconds: float | None

    def as_line(self) -> str:
        """Return the job as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"


def work(stdin: TextIO = sys.stdin) -> None:
    """Read a job from standard input and run its worker."""
    job = WorkerJob(**json.loads(stdin.readline()))
    stopped = threading.Event()
    threading.Thread(target=_wait_for_end, args=(stdin, stopped), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sweep handles Ctrl-C
    require_optuna()
    Worker(job, stopped).run()


def _wait_for_end(stdin: TextIO, stopped: threading.Event) -> None:
    with suppress(OSError, ValueError):
        while stdin.readline():
            pass
    stopped.set()


class Worker:
    """Runs trials of a job. stopped: set when the worker is to stop."""

    def __init__(self, job: WorkerJob, stopped: threading.Event) -> None:
        self._job, self._stopped, self._began = job, stopped, time.monotonic()
        self._storage = StudyStorage(job.storage, job.study, Path(job.folder))
        self._longest = 0.0  # seconds of the longest complete trial
        self._untrainable = 0

    def run(self) -> None:
        """Run trials until the sweep is complete or stopped."""
        job, storage = self._job, self._storage
        with storage.errors_translated(), worker_lock(storage.locks, job.name):
            study = load_study(storage)
            if study is None:
                raise RunError(f"the study {job.study!r} is gone", path=storage.public_url)
            plan = load_plan(study, storage)
            study.sampler = make_sampler(plan.auto["seed"])
            texts = sweep_texts_from_paths(job.inputs, job.validation, job.start_from)
            runner = TrialRunner(plan, texts, storage.folder, job.threads)
            fail_stale_trials(study, storage)  # that of the worker it replaces, among others
            if plan.auto["time"]:
                self._longest = seconds_of(plan.auto["time"])
            while self._may_begin(study) and self._run_next(study, runner):
                pass

    def _run_next(self, study: Study, runner: TrialRunner) -> bool:
        """Run a trial; return False if the sweep has enough of them."""
        with ExitStack() as held:
            held.enter_context(ask_lock(self._storage.locks))
            if self._has_enough_trials(study):
                return False

            def run(trial: Trial) -> float:
                trial.set_user_attr("worker", self._job.name)
                trial.set_user_attr("host", platform.node())
                trial.set_user_attr("process", os.getpid())
                held.close()  # others may ask for trials now
                return runner(trial, lambda: self._must_stop(study))

            self._run_one(study, run)
        self._delete_run_directories(study)
        return True

    def _run_one(self, study: Study, run: Callable[[Trial], float]) -> None:
        """Ask Optuna for a trial, run it and report its result."""
        from optuna import TrialPruned
        from optuna.exceptions import UpdateFinishedTrialError

        number, is_over, started = 0, False, time.monotonic()

        def objective(trial: Trial) -> float:
            nonlocal number, is_over
            number = trial.number
            try:
                loss = run(trial)
            except (TrialPruned, InterruptedRun, UpdateFinishedTrialError):
                is_over = True
                raise
            is_over = True
            return loss

        try:
            study.optimize(objective, n_trials=1)
            self._record(study.trials[number], time.monotonic() - started)
        except InterruptedRun:
            retry(study, study.trials[number], "it was interrupted", counts=False)
        except (UpdateFinishedTrialError, ValueError, AssertionError):
            # Optuna's answer if another machine marked the trial as stale, for example while this
            # one was suspended; the trial is already queued again
            if not is_over:
                raise

    def _record(self, trial: FrozenTrial, seconds: float) -> None:
        """Record the time of a trial. Raises RunError if too many in a row could not be trained."""
        if trial.value is not None:
            self._untrainable = 0
            if trial.state.name == "COMPLETE":
                self._longest = max(self._longest, seconds)
            return
        self._untrainable += 1
        if self._untrainable == MAX_UNTRAINABLE:
            raise RunError(
                f"{MAX_UNTRAINABLE} trials in a row could not be trained, the last because: "
                f"{trial.user_attrs.get('why')}"
            )

    def _has_enough_trials(self, study: Study) -> bool:
        from optuna.trial import TrialState

        if self._job.trials is None:
            return False
        counted = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        return len(study.get_trials(deepcopy=False, states=counted)) >= self._job.trials

    def _may_begin(self, study: Study) -> bool:
        """Return whether there is time for a trial, or none is complete yet."""
        has_time = self._has_time(self._longest)
        return not self._stopped.is_set() and (has_time or not _has_result(study))

    def _has_time(self, seconds: float) -> bool:
        spent = time.monotonic() - self._began
        return self._job.seconds is None or spent + seconds < self._job.seconds

    def _must_stop(self, study: Study) -> bool:
        """Return whether the current trial must end: stopped, or late if there is a result."""
        return self._stopped.is_set() or (not self._has_time(0.0) and _has_result(study))

    def _delete_run_directories(self, study: Study) -> None:
        """Delete the run directories of finished trials, except the best."""
        trials = study.get_trials(deepcopy=False)
        best = best_of(trials)
        for trial in trials:
            if trial.state.is_finished() and trial is not best:
                shutil.rmtree(run_directory(self._storage.folder, trial.number), ignore_errors=True)


def _has_result(study: Study) -> bool:
    return best_of(study.get_trials(deepcopy=False)) is not None


def best_of(trials: list[FrozenTrial]) -> FrozenTrial | None:
    """Return the complete trial with the lowest loss."""
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    return min(complete, key=lambda trial: (trial.value, trial.number), default=None)
