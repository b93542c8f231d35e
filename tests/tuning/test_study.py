"""The study of a sweep: its plan, and the samples of its sampler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from nextchar.errors import RunError
from nextchar.tuning import study as studying
from nextchar.tuning.study import create_study, load_plan, load_study, make_sampler
from tuning.studies import SPACE, ask, place, plan


def test_a_study_is_found_again_with_its_plan(tmp_path: Path) -> None:
    where = place(tmp_path)
    assert load_study(where) is None
    assert not list(tmp_path.iterdir())  # loading creates nothing
    study = create_study(where, plan())
    assert study is not None
    assert create_study(where, plan()) is None  # it exists already
    loaded = load_study(where)
    assert loaded is not None
    assert load_plan(loaded, where) == plan()
    assert load_plan(loaded, where).dimensions == SPACE


def test_trial_0_is_what_auto_chose(tmp_path: Path) -> None:
    study = create_study(place(tmp_path), plan())
    assert study is not None
    trial = ask(study)
    assert trial.number == 0
    assert trial.params == {"learning_rate": 0.01, "cell": "gru"}
    assert trial.user_attrs["auto"]


def test_a_study_of_others_is_not_joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studying, "PLAN_SECONDS", 0.0)
    where = place(tmp_path)
    study = optuna.create_study(study_name=where.name, storage=where.open())
    with pytest.raises(RunError, match="'prose-tune' was not created by nextchar tune"):
        load_plan(study, where)


def drawn(seed: int, trials: int, *, samplers_in_turn: int = 1) -> list[dict[str, Any]]:
    """Parameters of trials, by a number of samplers in turn, each as of another worker."""
    study = optuna.create_study()
    samplers = [make_sampler(seed) for _ in range(samplers_in_turn)]
    sampled = []
    for number in range(trials):
        study.sampler = samplers[number % samplers_in_turn]
        trial = ask(study)
        sampled.append(trial.params)
        study.tell(trial, trial.params["learning_rate"])
    return sampled


def test_what_a_trial_draws_depends_on_the_seed_and_not_on_who_asks() -> None:
    assert drawn(1, 14) == drawn(1, 14, samplers_in_turn=3)
    assert drawn(1, 3) != drawn(2, 3)


def test_no_two_trials_or_parameters_share_their_random_numbers() -> None:
    rates = [params["learning_rate"] for params in drawn(1, 8)]
    assert len(set(rates)) == 8
    study = optuna.create_study(sampler=make_sampler(1))
    trial = study.ask()
    assert trial.suggest_float("a", 0, 1) != trial.suggest_float("b", 0, 1)
