"""A worker: a process that runs one trial after the other until there are enough, or told to stop.

`nextchar tune --worker` is one; the sweep that started it writes a `WorkerJob` to its standard
input and holds that open. When it is closed, be it by the death of the sweep, the worker stops.
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
from nextchar.tuning.stale_trials import alive, asking, fail_lost
from nextchar.tuning.storage import StudyStorage, require_optuna
from nextchar.tuning.study import find, plan_of, sampler
from nextchar.tuning.sweep_texts import texts_of
from nextchar.tuning.trial import TrialRunner, run_directory
from nextchar.tuning.tries import retry

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

REFUSED = 10  # trials in a row that could not be trained at all


@dataclass(frozen=True)
class WorkerJob:
    """What a worker is told.

    name: of the worker, no other's. trials: of the study; seconds: until it ends; None is any
    number. threads: of one trial.
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
        """The job as a line of JSON."""
        return json.dumps(asdict(self)) + "\n"


def work(stdin: TextIO = sys.stdin) -> None:
    """Do the job that comes from standard input."""
    job = WorkerJob(**json.loads(stdin.readline()))
    stopped = threading.Event()
    threading.Thread(target=_wait_for_end, args=(stdin, stopped), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the sweep's business
    require_optuna()
    Worker(job, stopped).run()


def _wait_for_end(stdin: TextIO, stopped: threading.Event) -> None:
    with suppress(OSError, ValueError):
        while stdin.readline():
            pass
    stopped.set()


class Worker:
    """The worker of a job."""

    def __init__(self, job: WorkerJob, stopped: threading.Event) -> None:
        self._job, self._stopped, self._begun = job, stopped, time.monotonic()
        self._place = StudyStorage(job.storage, job.study, Path(job.folder))
        self._longest = 0.0  # seconds that a whole trial took
        self._refused = 0

    def run(self) -> None:
        """Run trials to the end."""
        job = self._job
        with self._place.telling(), alive(self._place.locks, job.name):
            study = find(self._place)
            if study is None:
                raise RunError(f"{self._place.told}: the study {job.study!r} is gone")
            plan = plan_of(study, self._place)
            study.sampler = sampler(plan.seed)
            texts = texts_of(job.inputs, job.validation, job.start_from)
            runner = TrialRunner(plan, texts, self._place.folder, job.threads)
            fail_lost(study, self._place)  # its own predecessor's among them
            if plan.auto["time"]:
                self._longest = seconds_of(plan.auto["time"])
            while self._may_begin(study) and self._next(study, runner):
                pass

    def _next(self, study: Study, runner: TrialRunner) -> bool:
        """Run a trial; False where there are enough."""
        with ExitStack() as held:
            held.enter_context(asking(self._place.locks))
            if self._are_enough(study):
                return False

            def run(trial: Trial) -> float:
                trial.set_user_attr("worker", self._job.name)
                trial.set_user_attr("host", platform.node())
                trial.set_user_attr("process", os.getpid())
                held.close()  # others may ask now
                return runner(trial, lambda: self._must_stop(study))

            self._run_one(study, run)
        self._tidy(study)
        return True

    def _run_one(self, study: Study, run: Callable[[Trial], float]) -> None:
        """Ask for a trial, run it and tell how it ended."""
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
            self._note(study.trials[number], time.monotonic() - started)
        except InterruptedRun:
            retry(study, study.trials[number], "it was interrupted", counts=False)
        except (UpdateFinishedTrialError, ValueError, AssertionError):
            # so Optuna answers where another took the trial for lost, while this machine slept,
            # say: it is tried again by whoever asks next
            if not is_over:
                raise

    def _note(self, trial: FrozenTrial, seconds: float) -> None:
        """Learn from a trial how long one takes, and whether any can be trained."""
        if trial.value is not None:
            self._refused = 0
            if trial.state.name == "COMPLETE":
                self._longest = max(self._longest, seconds)
            return
        self._refused += 1
        if self._refused == REFUSED:
            raise RunError(
                f"{REFUSED} trials in a row could not be trained, the last because: "
                f"{trial.user_attrs.get('why')}"
            )

    def _are_enough(self, study: Study) -> bool:
        from optuna.trial import TrialState

        if self._job.trials is None:
            return False
        counted = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
        return len(study.get_trials(deepcopy=False, states=counted)) >= self._job.trials

    def _may_begin(self, study: Study) -> bool:
        """Whether there is time for a trial; the first whole one is waited for."""
        if self._stopped.is_set():
            return False
        return self._has_time(self._longest) or not _whole(study)

    def _has_time(self, seconds: float) -> bool:
        """Whether so many seconds are left."""
        spent = time.monotonic() - self._begun
        return self._job.seconds is None or spent + seconds < self._job.seconds

    def _must_stop(self, study: Study) -> bool:
        """Whether the trial in hand must end: told so, or late, when there is a result."""
        if self._stopped.is_set():
            return True
        return not self._has_time(0.0) and _whole(study)

    def _tidy(self, study: Study) -> None:
        """Remove run directories that no longer matter: all that are over, but the best's."""
        trials = study.get_trials(deepcopy=False)
        best = best_of(trials)
        for trial in trials:
            if trial.state.is_finished() and trial is not best:
                shutil.rmtree(run_directory(self._place.folder, trial.number), ignore_errors=True)


def _whole(study: Study) -> bool:
    """Whether any trial came to its end."""
    return best_of(study.get_trials(deepcopy=False)) is not None


def best_of(trials: list[FrozenTrial]) -> FrozenTrial | None:
    """The whole trial with the least loss."""
    whole = [trial for trial in trials if trial.state.name == "COMPLETE"]
    return min(whole, key=lambda trial: (trial.value, trial.number), default=None)
