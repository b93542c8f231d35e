"""Trials whose worker died are failed and tried again."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from nextchar.tuning.stale_trials import fail, fail_stale_trials, worker_lock
from nextchar.tuning.storage import MAX_ATTEMPTS, retry
from nextchar.tuning.study import create_study
from tuning.studies import ask, place, plan


def new_study(folder: Path, storage: str | None = None) -> optuna.Study:
    study = create_study(place(folder, storage), plan())
    assert study is not None
    return study


def test_the_trial_of_a_living_worker_is_left_alone(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    with worker_lock(tmp_path / "workers", "1-a"):
        trial = ask(study)
        assert fail_stale_trials(study, place(tmp_path)) == []
    study.tell(trial, 1.0)
    assert fail_stale_trials(study, place(tmp_path)) == []
    assert not (tmp_path / "workers" / "1-a.lock").exists()


@pytest.mark.parametrize("leaves_a_lock", [True, False])
def test_the_trial_of_a_dead_worker_is_tried_again(tmp_path: Path, leaves_a_lock: bool) -> None:
    study = new_study(tmp_path)
    trial = ask(study)
    (tmp_path / "workers").mkdir()
    if leaves_a_lock:
        (tmp_path / "workers" / "1-a.lock").touch()
    assert [lost.number for lost in fail_stale_trials(study, place(tmp_path))] == [trial.number]
    assert study.trials[0].state == TrialState.FAIL
    again = ask(study)
    assert again.params == trial.params
    assert again.user_attrs["again"] == 0
    assert again.user_attrs["auto"]


def test_a_trial_that_died_before_it_said_whose_it_was_is_tried_again(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    (tmp_path / "workers").mkdir()
    study.ask()
    assert len(fail_stale_trials(study, place(tmp_path))) == 1
    assert ask(study).params == plan().first


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")  # a worker lets the study ask for it
def test_a_worker_whose_lock_cannot_be_seen_is_left_to_the_heartbeat(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path / 'study.db'}"
    study = new_study(tmp_path, storage)
    (tmp_path / "workers").mkdir()
    ask(study, "of-another-machine")
    assert fail_stale_trials(study, place(tmp_path, storage)) == []
    (tmp_path / "workers" / "of-another-machine.lock").touch()
    assert len(fail_stale_trials(study, place(tmp_path, storage))) == 1


def test_a_trial_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    for _ in range(MAX_ATTEMPTS):
        assert fail(study, study.trials[ask(study).number], "it died")
    assert not study.get_trials(states=(TrialState.WAITING,))
    assert not fail(study, study.trials[0], "it died")  # it is over already


def test_an_interrupted_trial_has_all_its_tries_left(tmp_path: Path) -> None:
    study = new_study(tmp_path)
    for _ in range(MAX_ATTEMPTS + 1):
        trial = ask(study)
        study.tell(trial, state=TrialState.FAIL)
        retry(study, study.trials[trial.number], "it was interrupted", counts=False)
    assert len(study.get_trials(states=(TrialState.WAITING,))) == 1
