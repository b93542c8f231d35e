"""A trial: the reported points of its loss curve, and pruning."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest

from nextchar.errors import InterruptedRun
from nextchar.settings.config import Settings
from nextchar.training.events import Evaluated, Stepped
from nextchar.tuning.study import POINTS, SweepPlan, make_pruner
from nextchar.tuning.sweep_texts import sweep_texts_from_paths
from nextchar.tuning.trial import LossCurve, TrialRunner
from tuning.studies import SPACE, plan

TINY = {"hidden_size": 8, "num_layers": 1, "batch_size": 4, "seq_length": 8, "threads": 1}


def evaluated(curve: LossCurve, fraction: float, loss: float | None) -> None:
    curve(Stepped(1, fraction, 0.0, 0.0, 0, 0.0))
    curve(Evaluated(1, 0.0, 0, 0.0, 0.0, loss, 0.0, 0.0, True))


def reported(*evaluations: tuple[float, float | None]) -> dict[int, float]:
    study = optuna.create_study()
    trial = study.ask()
    curve = LossCurve(trial, prunes=True)
    for fraction, loss in evaluations:
        evaluated(curve, fraction, loss)
    return study.trials[0].intermediate_values


def test_evaluations_at_the_points_are_reported_as_they_are() -> None:
    assert reported((0.05, 3.0), (0.1, 2.5), (1.0, 2.5))[1] == 3.0
    assert reported((0.05, 3.0), (0.1, 2.5))[2] == 2.5


def test_points_between_two_evaluations_lie_on_a_line() -> None:
    values = reported((0.1, 3.0), (0.3, 2.0))
    assert list(values) == [1, 2, 3, 4, 5, 6]
    assert [values[k] for k in (1, 2)] == [3.0, 3.0]
    assert values[4] == pytest.approx(2.5)
    assert values[6] == pytest.approx(2.0)


def test_a_run_that_went_back_reports_no_point_twice() -> None:
    assert list(reported((0.2, 3.0), (0.1, 4.0), (0.3, 2.0))) == list(range(1, 7))


def test_without_validation_nothing_is_reported() -> None:
    assert reported((0.5, None)) == {}


def test_a_trial_worse_than_the_median_should_prune_unless_pruning_is_off() -> None:
    study = optuna.create_study(pruner=make_pruner())
    for loss in (1.0, 1.1, 1.2, 1.3, 1.4):
        trial = study.ask()
        for point in range(1, POINTS + 1):
            trial.report(loss, point)
        study.tell(trial, loss)
    for prunes in (True, False):
        bad, good = (LossCurve(study.ask(), prunes=prunes) for _ in range(2))
        evaluated(bad, 0.1, 2.0)
        assert not bad.should_prune  # it is early
        evaluated(bad, 0.5, 2.0)
        evaluated(good, 0.5, 1.0)
        assert bad.should_prune == prunes
        assert not good.should_prune


def runner(prose: Path, folder: Path, **settings: object) -> TrialRunner:
    base = plan()
    auto = Settings.make(None, **{**TINY, "steps": 8, **settings}).flat()
    asked = {**base.asked, "pruning": True}
    return TrialRunner(
        SweepPlan(asked, "", auto, base.space),
        sweep_texts_from_paths([str(prose)], [], None),
        folder,
        1,
    )


def test_a_trial_trains_in_a_run_directory_of_its_own(prose: Path, tmp_path: Path) -> None:
    study = optuna.create_study()
    trial = study.ask()
    loss = runner(prose, tmp_path)(trial, lambda: False)
    records = (tmp_path / "trials" / "0" / "metrics.jsonl").read_text().splitlines()
    assert loss == min(json.loads(each)["val_loss"] for each in records)
    assert trial.user_attrs["settings"]["learning_rate"] == pytest.approx(
        trial.params["learning_rate"], rel=0.01
    )
    assert list(trial.params) == list(SPACE)


def test_a_trial_by_time_is_scored_on_all_that_eval_characters_says(
    prose: Path, tmp_path: Path
) -> None:
    texts = sweep_texts_from_paths([str(prose)], [], None)
    run = runner(prose, tmp_path, time="0.3s", steps=None)
    loss = run(optuna.create_study().ask(), lambda: False)
    from nextchar.model.file import load_model

    model = load_model(tmp_path / "trials" / "0")
    assert loss == texts.loss_of(model, Settings.make(None, **TINY))


def test_a_trial_that_is_told_to_stop_is_interrupted(prose: Path, tmp_path: Path) -> None:
    with pytest.raises(InterruptedRun):
        runner(prose, tmp_path)(optuna.create_study().ask(), lambda: True)


def test_settings_that_cannot_be_trained_are_a_pruned_trial(prose: Path, tmp_path: Path) -> None:
    trial = optuna.create_study().ask()
    with pytest.raises(optuna.TrialPruned):
        runner(prose, tmp_path, hidden_size=100_000)(trial, lambda: False)
    assert "of memory" in trial.user_attrs["why"]
