"""Charts of the training, from the records of a run, over each clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_runs import made_records
from nextchar.apps.html.charts import Figure
from nextchar.apps.report.loaded_runs import COLUMNS, Run
from nextchar.apps.report.loss_curves import CLOCKS, curves, smoothed
from nextchar.settings.config import Settings


def run(records: list[dict[str, Any]], name: str = "a", **given: Any) -> Run:
    columns = {
        each: np.array([record.get(each, np.nan) for record in records], float) for each in COLUMNS
    }
    settings = Settings.make("medium", **given)
    return Run(Path(name), name, settings, {}, columns, [], [], None, False)


def lines(figure: Figure) -> dict[str, list[float]]:
    return {line.name: line.y.tolist() for line in figure.lines}


@pytest.mark.parametrize("clock", CLOCKS)
def test_every_curve_is_what_was_recorded(clock: str) -> None:
    records = made_records(10)
    loss, rate, norm, speed = curves([run(records)], clock)
    wanted = {name: [record[name] for record in records] for name in records[0]}
    assert lines(loss) == {"training": wanted["train_loss"], "validation": wanted["val_loss"]}
    assert lines(rate) == {"a": wanted["learning_rate"]}
    assert lines(norm) == {
        "before clipping": wanted["gradient_norm"],
        "largest": wanted["gradient_norm_max"],
        "after clipping": wanted["gradient_norm_clipped"],
    }
    assert lines(speed) == {"a": wanted["chars_per_second"]}
    for figure in (loss, rate, norm, speed):
        assert figure.x.name == CLOCKS[clock]
        for line in figure.lines:
            assert line.x.tolist() == wanted[clock]
    assert (loss.y.name, loss.y.other) == ("nats per character", ("bits", 1 / np.log(2)))


def test_many_evaluations_are_shown_smoothed_and_raw() -> None:
    loss = curves([run(made_records(400))], "step")[0]
    assert [line.name for line in loss.lines] == ["training", "training, smoothed", "validation"]
    raw, smooth, _ = loss.lines
    assert smooth.y.tolist() == smoothed(raw.y, 8).tolist()
    assert np.std(np.diff(smooth.y)) < np.std(np.diff(raw.y)) / 3


def test_smoothing_has_no_bias_and_spans_what_it_says() -> None:
    assert smoothed(np.full(5, 3.0), 10).tolist() == pytest.approx([3] * 5)
    assert smoothed(np.array([1.0, 2.0, 4.0]), 1).tolist() == [1, 2, 4]
    # weights 1 and ½ of the newer and the older value
    assert smoothed(np.array([0.0, 3.0]), 2).tolist() == pytest.approx([0, 2])


def test_several_runs_share_charts_under_their_names() -> None:
    runs = [run(made_records(10, seed), f"run {seed}") for seed in range(3)]
    loss, rate, norm, _ = curves(runs, "seconds")
    assert [name for name, *_ in loss.keys] == ["run 0", "run 1", "run 2"]
    assert [line.series for line in rate.lines] == [0, 1, 2]
    assert [line.name for line in norm.lines] == ["run 0", "run 1", "run 2"]


def test_charts_without_records_are_omitted() -> None:
    old = [{k: v for k, v in r.items() if "norm" not in k} for r in made_records(10)]
    assert [figure.title for figure in curves([run(old)], "step")] == [
        "Loss", "Learning rate", "Speed of training",
    ]  # fmt: skip
    assert curves([run([])], "step") == []


def test_without_validation_there_is_no_validation_curve() -> None:
    records = [{**record, "val_loss": np.nan} for record in made_records(10)]
    assert [*lines(curves([run(records)], "step")[0])] == ["training"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"clip": 1.0}, "Clipped to a norm of 1 in 25.0% of the steps"),
        ({"clip": 0.0}, "Nothing was clipped"),
        ({"clip_by": "value", "clip": 5.0}, "Clipped to ±5 a value in 25.0% of the steps"),
    ],
)
def test_the_note_names_the_clipping(given: dict[str, Any], text: str) -> None:
    figure = curves([run(made_records(10), **given)], "step")[2]
    assert text in figure.note


def test_a_few_high_values_at_the_start_do_not_hide_the_others() -> None:
    records = made_records(200)
    records[0]["train_loss"] = records[0]["val_loss"] = 50.0
    loss = curves([run(records)], "step")[0]
    assert loss.y.high is not None
    assert loss.y.high < 10
    assert "up to 50.00 nats" in loss.note
    assert curves([run(made_records(200))], "step")[0].y.high is None


def test_norms_of_different_sizes_are_shown_by_their_logarithms() -> None:
    records = made_records(10)
    assert not curves([run(records)], "step")[2].y.log
    records[3]["gradient_norm_max"] = 1000.0
    assert curves([run(records)], "step")[2].y.log
