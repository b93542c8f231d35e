"""`CharRNN`: settings as they were given, a model from any kind of text, the same after a save."""

from __future__ import annotations

import doctest
import inspect
import io
from pathlib import Path
from typing import Any

import pytest

import nextchar.api.estimator
from conftest import PROSE
from nextchar import (
    CharRNN,
    ModelFileError,
    RunError,
    SettingsError,
    TextError,
)
from nextchar.apps.evaluate import evaluate
from nextchar.errors import NotFittedError
from nextchar.model.file import BEST
from nextchar.settings.config import FIELDS, Settings

TEXT = PROSE * 4
SMALL: dict[str, Any] = {
    "hidden_size": 8, "num_layers": 1, "seq_length": 8, "batch_size": 4, "steps": 12, "threads": 1,
}  # fmt: skip


def made(**given: Any) -> CharRNN:
    return CharRNN(**{**SMALL, **given})


@pytest.fixture(scope="module")
def fitted() -> CharRNN:
    """A small model that was fitted, not to be changed."""
    return made().fit(text=TEXT, verbose=False)


def weights(model: CharRNN) -> bytes:
    return model.model_.parameters.flat.tobytes()


# settings


def test_the_constructor_stores_what_it_is_given_and_nothing_else() -> None:
    sizes = object()
    model = CharRNN("no such preset", hidden_size=sizes, steps="many")
    assert model.preset == "no such preset"
    assert model.hidden_size is sizes
    assert model.steps == "many"
    assert vars(model).keys() == {"preset", *FIELDS}


def test_params_are_those_of_the_constructor() -> None:
    params = made(dropout=0.5).get_params()
    assert params.keys() == {"preset", *FIELDS}
    assert {name: value for name, value in params.items() if value is not None} == {
        **SMALL, "dropout": 0.5,
    }  # fmt: skip
    assert made().get_params(deep=False) == made().get_params()


def test_a_clone_has_the_same_params() -> None:
    """As `sklearn.base.clone` makes and checks it."""
    model = CharRNN("small", **SMALL)
    params = model.get_params()
    clone = type(model)(**params)
    assert all(clone.get_params()[name] is value for name, value in params.items())


def test_params_can_be_changed() -> None:
    model = made()
    assert model.set_params(steps=99, preset="small") is model
    assert model.settings() == Settings.make("small", **{**SMALL, "steps": 99})


def test_an_unknown_setting_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        SettingsError, match="hiden_size is not a setting; did you mean hidden_size"
    ):
        CharRNN(hiden_size=8)
    with pytest.raises(SettingsError, match="epoch is not a setting; did you mean epochs"):
        made().set_params(epoch=3)


def test_a_refused_change_changes_nothing() -> None:
    model = made()
    with pytest.raises(SettingsError):
        model.set_params(steps=99, epoch=3)
    assert model.get_params() == made().get_params()


def test_a_wrong_value_is_reported_when_fitting() -> None:
    with pytest.raises(SettingsError, match="hidden_size must be a whole number"):
        CharRNN(hidden_size=0).fit(text=TEXT)


def test_the_signature_lists_every_setting() -> None:
    parameters = inspect.signature(CharRNN).parameters
    assert list(parameters) == ["preset", *FIELDS]
    assert all(parameter.default is None for parameter in parameters.values())


def test_the_representation_shows_what_was_given_and_makes_the_same() -> None:
    model = CharRNN("small", hidden_size=8, cell="gru")
    assert repr(model) == "CharRNN(preset='small', cell='gru', hidden_size=8)"
    assert eval(repr(model)).get_params() == model.get_params()
    assert repr(CharRNN()) == "CharRNN()"


# fit


def test_fit_returns_the_model_and_sets_what_ends_in_an_underscore() -> None:
    model = made()
    before = model.get_params()
    assert model.fit(text=TEXT, verbose=False) is model
    assert model.get_params() == before
    assert model.n_iter_ == 12
    assert len(model.loss_curve_) == len(model.validation_scores_) == 12
    assert model.best_loss_ == min(model.validation_scores_)
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.vocabulary_ == model.model_.vocabulary
    assert "I" in model.vocabulary_


def test_without_a_validation_part_there_are_no_validation_scores() -> None:
    model = made(val_fraction=0.0).fit(text=TEXT, verbose=False)
    assert model.validation_scores_ == []
    assert model.best_loss_ == min(model.loss_curve_)


def test_a_text_may_come_in_any_form(tmp_path: Path, fitted: CharRNN) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    whole, first, second = tmp_path / "whole.txt", folder / "1.txt", folder / "2.txt"
    for path, text in [(whole, TEXT), (first, TEXT[:100]), (second, TEXT[100:])]:
        path.write_text(text, encoding="utf-8", newline="")
    with whole.open(encoding="utf-8", newline="") as opened:
        forms = [whole, str(whole), [first, str(second)], (first, second), folder, opened]
        for form in [*forms, io.StringIO(TEXT, newline="")]:
            assert weights(made().fit(form, verbose=False)) == weights(fitted)


def test_a_file_open_in_binary_mode_is_for_bytes(tmp_path: Path) -> None:
    path = tmp_path / "whole.txt"
    path.write_bytes(TEXT.encode())
    expected = weights(made(alphabet="bytes").fit(path, verbose=False))
    with path.open("rb") as opened:
        assert weights(made(alphabet="bytes").fit(opened, verbose=False)) == expected
    for text in (TEXT, TEXT.encode()):
        assert weights(made(alphabet="bytes").fit(text=text, verbose=False)) == expected


def test_a_file_open_in_the_wrong_mode_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "whole.txt"
    path.write_bytes(TEXT.encode())
    with path.open("rb") as opened, pytest.raises(TextError, match="open in text mode"):
        made().fit(opened, verbose=False)
    with path.open() as opened, pytest.raises(TextError, match="open in binary mode"):
        made(alphabet="bytes").fit(opened, verbose=False)


def test_either_a_path_or_a_text_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="text cannot be combined with a path; give one"):
        made().fit(tmp_path, text=TEXT)
    with pytest.raises(SettingsError, match="a text to train on is needed"):
        made().fit()


@pytest.mark.parametrize("text", [TEXT, TEXT.encode(), "no line break " * 1000])
def test_a_text_in_the_place_of_a_path_is_reported(text: Any) -> None:
    with pytest.raises(SettingsError, match=r"^X must be a path, got .*; give a text as text=$"):
        made().fit(text)


def test_an_input_that_is_not_a_path_is_reported() -> None:
    with pytest.raises(
        SettingsError, match="X must be a path, several paths or an open file, got 42"
    ):
        made().fit(42)
    with pytest.raises(TextError, match="no such file"):
        made().fit("no such file")


def test_a_validation_text_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "validation.txt"
    path.write_text(PROSE[::-1], encoding="utf-8", newline="")
    model = made().fit(text=TEXT, validation=path, verbose=False)
    assert model.best_loss_ == pytest.approx(-model.score(PROSE[::-1]), rel=1e-5)  # float32
    again = made().fit(text=TEXT, validation=io.StringIO(PROSE[::-1], newline=""), verbose=False)
    assert again.validation_scores_ == model.validation_scores_


def test_a_run_is_stored_and_resumed(tmp_path: Path, fitted: CharRNN) -> None:
    out = tmp_path / "run"
    assert weights(made().fit(text=TEXT, out=out, verbose=False)) == weights(fitted)
    assert weights(CharRNN.load(out)) == weights(fitted)
    with pytest.raises(RunError, match="holds a run already"):
        made().fit(text=TEXT, out=out, verbose=False)
    longer = made(steps=15).fit(text=TEXT, out=str(out), resume=True, verbose=False)
    assert longer.n_iter_ == 15
    assert len(longer.loss_curve_) == 15
    assert longer.loss_curve_[:12] == fitted.loss_curve_
    with pytest.raises(RunError, match="--hidden-size was 8, now 16"):
        made(hidden_size=16, steps=15).fit(text=TEXT, out=out, resume=True, verbose=False)


def test_resume_needs_a_directory() -> None:
    with pytest.raises(SettingsError, match="resume needs out"):
        made().fit(text=TEXT, resume=True, verbose=False)


def test_fit_again_starts_from_scratch(fitted: CharRNN) -> None:
    model = made(seed=2).fit(text=TEXT, verbose=False)
    assert weights(model) != weights(fitted)
    model.set_params(seed=None).fit(text=TEXT, verbose=False)
    assert weights(model) == weights(fitted)


def test_progress_goes_to_standard_error_unless_switched_off(
    capfd: pytest.CaptureFixture[str],
) -> None:
    made().fit(text=TEXT)
    out, err = capfd.readouterr()
    assert out == ""
    assert "done: 12 steps" in err
    made().fit(text=TEXT, verbose=False)
    assert capfd.readouterr() == ("", "")


# score


def test_the_score_is_what_evaluation_says_negated(fitted: CharRNN) -> None:
    result = fitted.evaluate(PROSE)
    assert fitted.score(PROSE) == -result.nats_per_char
    assert result == evaluate(fitted.model_, [PROSE])[0]
    assert fitted.score("ItЖ was", unknown="skip") == fitted.score("It was")


def test_what_was_learnt_scores_higher(fitted: CharRNN) -> None:
    assert fitted.score(PROSE) > fitted.score(PROSE[::-1])


# save and load


def test_a_loaded_model_behaves_as_the_saved_one_to_the_bit(
    tmp_path: Path, fitted: CharRNN
) -> None:
    path = tmp_path / "model.safetensors"
    fitted.save(path)
    loaded = CharRNN.load(str(path))
    assert weights(loaded) == weights(fitted)
    assert loaded.score(PROSE) == fitted.score(PROSE)
    for options in ({}, {"temperature": 0.5}, {"top_k": 3}, {"top_p": 0.9}):
        for prompt in ("", "It was"):
            assert loaded.generate(prompt, seed=1, **options) == fitted.generate(
                prompt, seed=1, **options
            )
    loaded.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_loaded_model_knows_its_settings_and_can_be_fitted_again(
    tmp_path: Path, fitted: CharRNN
) -> None:
    fitted.save(tmp_path / "model.safetensors")
    loaded = CharRNN.load(tmp_path / "model.safetensors")
    assert loaded.settings() == loaded.settings_ == fitted.settings_
    assert weights(loaded.fit(text=TEXT, verbose=False)) == weights(fitted)


@pytest.mark.parametrize("budget", [{"epochs": 0.2}, {"time": "1s"}])
def test_a_model_of_any_budget_knows_it_when_loaded(tmp_path: Path, budget: dict[str, Any]) -> None:
    given = {name: value for name, value in SMALL.items() if name != "steps"}
    model = CharRNN(**given, **budget).fit(text=TEXT, verbose=False)
    model.save(tmp_path / "model.safetensors")
    assert CharRNN.load(tmp_path / "model.safetensors").settings() == model.settings_


def test_a_file_that_is_not_a_model_is_reported(tmp_path: Path) -> None:
    for path in (tmp_path / BEST, tmp_path):
        with pytest.raises(ModelFileError):
            CharRNN.load(path)


def test_a_model_that_is_not_fitted_says_so(tmp_path: Path) -> None:
    model = made()
    for use in (
        model.generate,
        lambda: model.score(PROSE),
        lambda: model.evaluate(PROSE),
        lambda: model.save(tmp_path / "model.safetensors"),
        lambda: model.vocabulary_,
    ):
        with pytest.raises(NotFittedError, match=r"; call fit or CharRNN\.load first") as caught:
            use()
        assert isinstance(caught.value, AttributeError)  # as scikit-learn's own is both
        assert isinstance(caught.value, ValueError)
    assert not hasattr(model, "vocabulary_")
    assert not list(tmp_path.iterdir())


# what is written is what happens


def test_the_example_of_the_documentation_works() -> None:
    failed, tried = doctest.testmod(nextchar.api.estimator)
    assert failed == 0
    assert tried >= 3
