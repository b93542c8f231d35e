"""Runs as a report reads them: names, differences, and what is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conftest import PROSE
from made_runs import made_run
from nextchar.apps.report.loaded_runs import differing, names_of, read_runs
from nextchar.errors import RunError
from nextchar.model.file import BEST
from nextchar.runs.run_files import METRICS


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "prose.txt"
    path.write_text(PROSE * 30)
    return path


def test_names_are_the_shortest_unique_ones() -> None:
    paths = [Path("/a/runs/x"), Path("/b/runs/x"), Path("/a/runs/y")]
    assert names_of(paths) == ["a/runs/x", "b/runs/x", "y"]
    assert names_of([Path("/a"), Path("/a")]) == ["a", "a"]


def test_records_are_columns_and_unknown_numbers_are_nan(tmp_path: Path, text: Path) -> None:
    made_run(tmp_path / "run", text, 3)
    lines = (
        '{"step": 5, "train_loss": 2.0, "val_loss": null}\n'
        '{"step": 5, "retries": 1, "why": "the loss became nan", "peak_learning_rate": 0.005}\n'
        '{"step": 9, "train_loss": "x", "val_loss": 1.5}\n'
    )
    (tmp_path / "run" / METRICS).write_text(lines)
    (run,) = read_runs([tmp_path / "run"])
    np.testing.assert_array_equal(run.records["step"], [5, 9])
    np.testing.assert_array_equal(run.records["train_loss"], [2, np.nan])
    np.testing.assert_array_equal(run.records["gradient_norm"], [np.nan, np.nan])
    assert [each["retries"] for each in run.rollbacks] == [1]
    assert run.best == 1


def test_without_validation_the_training_loss_chooses_the_best(tmp_path: Path, text: Path) -> None:
    made_run(tmp_path / "run", text, 3)
    (tmp_path / "run" / METRICS).write_text(
        '{"step": 5, "train_loss": 2.0, "val_loss": null}\n'
        '{"step": 9, "train_loss": 1.0, "val_loss": null}\n'
    )
    (run,) = read_runs([tmp_path / "run"])
    assert run.best == 1
    (tmp_path / "run" / METRICS).write_text("")
    assert read_runs([tmp_path / "run"])[0].best is None


def test_a_folder_that_is_not_a_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run there"):
        read_runs([tmp_path])


def test_a_damaged_model_is_an_error_and_a_missing_one_is_none(tmp_path: Path, text: Path) -> None:
    made_run(tmp_path / "run", text, 3)
    (tmp_path / "run" / BEST).unlink()
    assert read_runs([tmp_path / "run"])[0].model is None
    (tmp_path / "run" / BEST).write_bytes(b"x")
    with pytest.raises(Exception, match=BEST):
        read_runs([tmp_path / "run"])


def test_only_settings_that_differ_are_listed_without_threads(tmp_path: Path, text: Path) -> None:
    made_run(tmp_path / "a", text, 3)
    made_run(tmp_path / "b", text, 3, hidden_size=24, threads=2)
    runs = read_runs([tmp_path / "a", tmp_path / "b"])
    assert differing(runs) == {"hidden_size": [16, 24]}
    assert differing(runs[:1]) == {}
