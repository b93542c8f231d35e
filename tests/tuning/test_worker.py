"""A worker: the trials it starts, its handling of failed ones, and its clean-up."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from nextchar.errors import InterruptedRun, RunError, TextError
from nextchar.tuning.study import create_study, load_study
from nextchar.tuning.trial import run_directory
from nextchar.tuning.worker import MAX_UNTRAINABLE, Worker, WorkerJob
from tuning.studies import ask, place, plan


@pytest.fixture
def study(tmp_path: Path) -> optuna.Study:
    created = create_study(place(tmp_path), plan())
    assert created is not None
    return created


def worker(
    folder: Path, trials: int | None = None, seconds: float | None = None
) -> tuple[Worker, threading.Event]:
    stopped, where = threading.Event(), place(folder)
    job = WorkerJob(
        "1-a", where.storage, where.name, str(folder), ("x",), (), None, 1, trials, seconds
    )
    return Worker(job, stopped), stopped


def run_one(folder: Path, study: optuna.Study, run: Callable[[optuna.Trial], float]) -> None:
    def begins(trial: optuna.Trial) -> float:
        for name, each in plan().dimensions.items():
            each.suggest(trial, name)
        return run(trial)

    worker(folder)[0]._run_one(study, begins)


def raises(error: Exception) -> Callable[[optuna.Trial], float]:
    def run(trial: optuna.Trial) -> float:
        raise error

    return run


def test_an_interrupted_trial_is_queued_again(tmp_path: Path, study: optuna.Study) -> None:
    run_one(tmp_path, study, raises(InterruptedRun("stopped")))
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]


def test_what_is_wrong_with_the_text_ends_the_worker(tmp_path: Path, study: optuna.Study) -> None:
    with pytest.raises(TextError, match="gone"):
        run_one(tmp_path, study, raises(TextError("the text is gone")))


@pytest.mark.parametrize("then", ["returns", "reports", "is pruned", "is interrupted"])
def test_a_trial_that_was_taken_for_lost_is_let_go(
    tmp_path: Path, study: optuna.Study, then: str
) -> None:
    def run(trial: optuna.Trial) -> float:
        other = load_study(place(tmp_path))
        assert other is not None
        other.tell(trial.number, state=TrialState.FAIL)
        if then == "reports":
            trial.report(1.0, 1)
        if then == "is pruned":
            raise optuna.TrialPruned
        if then == "is interrupted":
            raise InterruptedRun("stopped")
        return 1.0

    run_one(tmp_path, study, run)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL]


def test_trials_that_cannot_be_trained_end_the_worker_when_there_are_too_many(
    tmp_path: Path,
) -> None:
    bad = optuna.trial.create_trial(state=TrialState.PRUNED, user_attrs={"why": "too large"})
    good = optuna.trial.create_trial(state=TrialState.PRUNED, value=2.0)
    tested, _ = worker(tmp_path)
    for trial in (*[bad] * (MAX_UNTRAINABLE - 1), good, *[bad] * (MAX_UNTRAINABLE - 1)):
        tested._record(trial, 1.0)
    with pytest.raises(RunError, match=r"10 trials in a row could not be trained, .*: too large"):
        tested._record(bad, 1.0)


def test_no_trial_is_begun_that_has_no_time_left_once_there_is_a_result(
    tmp_path: Path, study: optuna.Study
) -> None:
    late, stopped = worker(tmp_path, seconds=0.0)
    assert late._may_begin(study)
    assert not late._must_stop(study)
    study.tell(ask(study), 1.0)
    assert not late._may_begin(study)
    assert late._must_stop(study)
    early, stopped = worker(tmp_path, seconds=100.0)
    assert early._may_begin(study)
    early._record(study.trials[0], 200.0)
    assert not early._may_begin(study)
    assert not early._must_stop(study)
    stopped.set()
    assert early._must_stop(study)


def test_failed_trials_do_not_count(tmp_path: Path, study: optuna.Study) -> None:
    tested, _ = worker(tmp_path, trials=2)
    study.tell(ask(study), state=TrialState.FAIL)
    study.tell(ask(study), state=TrialState.PRUNED)
    assert not tested._has_enough_trials(study)
    ask(study)
    assert tested._has_enough_trials(study)
    assert not worker(tmp_path)[0]._has_enough_trials(study)


def test_of_the_run_directories_the_best_and_the_running_stay(
    tmp_path: Path, study: optuna.Study
) -> None:
    for loss in (2.0, 1.0, 3.0):
        study.tell(ask(study), loss)
    ask(study)
    for number in range(4):
        run_directory(tmp_path, number).mkdir(parents=True)
    worker(tmp_path)[0]._delete_run_directories(study)
    assert sorted(path.name for path in (tmp_path / "trials").iterdir()) == ["1", "3"]


def test_a_study_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the study 'prose-tune' is gone"):
        worker(tmp_path)[0].run()
