"""What a notebook shows of a `CharRNN`."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import PROSE
from nextchar import CharRNN, NextcharError
from nextchar.api.notebook import loss_curves
from nextchar.errors import NotFittedError, SettingsError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run") / "run"


@pytest.fixture(scope="module")
def model(folder: Path) -> CharRNN:
    """A small model that was trained for a moment."""
    made = CharRNN(
        cell="lstm", hidden_size=8, num_layers=1, batch_size=4, steps=12, eval_every=4, threads=1
    )
    return made.fit(text=PROSE * 30, out=folder, verbose=False)


def test_a_model_shows_its_network_and_its_training(model: CharRNN) -> None:
    html = model._repr_html_()
    for shown in ("LSTM, 1 × 8 units", f"{model.model_.architecture.size:,}", "12 steps"):
        assert shown in html
    assert f"{model.best_loss_:.4f} nats" in html
    assert "polyline" in html


def test_a_model_that_is_not_fitted_says_so() -> None:
    html = CharRNN(hidden_size=8)._repr_html_()
    assert "CharRNN(hidden_size=8)" in html
    assert "not fitted" in html


def test_the_loss_is_plotted_as_it_was_measured(model: CharRNN) -> None:
    figure = model.plot_loss()
    axes = figure.axes[0]
    training, validation = axes.lines[:2]
    assert training.get_xdata().tolist() == [4, 8, 12]
    np.testing.assert_array_equal(training.get_ydata(), model.loss_curve_)
    np.testing.assert_array_equal(validation.get_ydata(), model.validation_scores_)
    assert "nats" in axes.get_ylabel()
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_run_directory_remembers_its_training_and_a_model_file_does_not(
    model: CharRNN, folder: Path, tmp_path: Path
) -> None:
    loaded = CharRNN.load(folder)
    assert [each.val_loss for each in loaded.records_] == model.validation_scores_
    model.save(tmp_path / "model.safetensors")
    alone = CharRNN.load(tmp_path / "model.safetensors")
    assert "parameters" in alone._repr_html_()
    assert "polyline" not in alone._repr_html_()
    with pytest.raises(NotFittedError, match="load the run directory"):
        alone.plot_loss()


def test_records_that_cannot_be_read_leave_the_model_as_it_is(
    model: CharRNN, folder: Path, tmp_path: Path
) -> None:
    assert model
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("best.safetensors", "metrics.jsonl"):
        (copy / name).write_bytes((folder / name).read_bytes())
    (copy / "metrics.jsonl").write_text("{damaged}\n{}\n")
    assert CharRNN.load(copy).records_ == []


def test_a_run_without_a_validation_part_has_one_curve(model: CharRNN) -> None:
    import dataclasses

    records = [dataclasses.replace(each, val_loss=None) for each in model.records_]
    assert [line.name for line in loss_curves(records).lines] == ["training"]


def test_without_matplotlib_the_message_names_the_package(
    model: CharRNN, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(NextcharError, match=r'plot_loss needs matplotlib; .* "matplotlib>='):
        model.plot_loss()


def test_a_text_is_explained_and_shows_itself(model: CharRNN) -> None:
    made = model.explain(PROSE, worst=2, at="2:5")
    assert made.surprise.shape == (len(PROSE),)
    assert np.nanmean(made.surprise) == pytest.approx(
        model.evaluate(PROSE).bits_per_char, rel=1e-12
    )
    assert len(made.worst) == 2
    assert "<iframe" in made._repr_html_()
    assert "<!doctype html>" in made.html
    assert str(made.memory.where) == "2:5"
    for part in ("surprise", "neurons", "memory", "characters"):
        assert "<iframe" in made.show(part)._repr_html_()


def test_wrong_questions_are_answered_in_a_line(model: CharRNN) -> None:
    with pytest.raises(SettingsError, match="did you mean worst"):
        model.explain(PROSE, wurst=2)
    with pytest.raises(SettingsError, match="characters must be a whole number from 2 to"):
        model.explain(PROSE, characters=1)
    with pytest.raises(SettingsError, match="did you mean neurons"):
        model.explain(PROSE).show("neuron")
    with pytest.raises(NotFittedError):
        CharRNN().explain("text")


def test_a_model_loads_without_what_only_pages_need() -> None:
    code = "import sys; from nextchar import CharRNN; print('matplotlib' in sys.modules, " \
        "'nextchar.apps.explain.render.explain_page' in sys.modules)"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.split() == ["False", "False"]
