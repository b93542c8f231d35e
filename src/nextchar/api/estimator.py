"""`CharRNN`: the Python interface, by the conventions of scikit-learn."""

from __future__ import annotations

import inspect
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from nextchar.api.generation_mixin import GenerationMixin
from nextchar.api.inputs import Input, PathName, text_input
from nextchar.api.notebook import NotebookMixin, records_at
from nextchar.apps.evaluate import evaluate
from nextchar.callbacks.progress import ConsoleProgress
from nextchar.errors import NotFittedError, TextError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.model.file import Model, load_model, save_model
from nextchar.model.scorer import Score
from nextchar.settings.config import FIELDS, Settings
from nextchar.settings.fields import require_known
from nextchar.text.sources import preprocess
from nextchar.text.vocabulary import Unknown, Vocabulary, bytes_of
from nextchar.training.run import BaseModel, RunRequest, load_base_model, train
from nextchar.training.run_context import Hooks
from nextchar.training.session import Trained
from nextchar.training.signals import stop_on_interrupt

SAMPLE_LENGTH = 200  # characters of a sample during training


class CharRNN(GenerationMixin, NotebookMixin):
    """A character-level recurrent language model.

    The constructor only stores settings: those of `nextchar train --help`, with underscores for
    hyphens. A setting that is not given (None) has the value of the preset; the default preset,
    `"auto"`, chooses it for the text and the time.

    After `fit`:
    settings_: all settings of the run, chosen ones included.
    model_: the trained `Model`. vocabulary_: its `Vocabulary`.
    loss_curve_: mean training loss before each evaluation. validation_scores_: validation loss at
    each evaluation, empty without a validation part. best_loss_: the lowest of them. All in nats
    per character. n_iter_: steps.
    records_: all measurements of each evaluation.

    >>> model = CharRNN(hidden_size=16, num_layers=1, steps=20, batch_size=4)
    >>> model.fit(text="to be or not to be, " * 50, verbose=False)
    CharRNN(hidden_size=16, num_layers=1, batch_size=4, steps=20)
    >>> len(model.generate("to be", length=30, seed=1))
    30
    """

    def __init__(self, preset: str | None = None, **settings: Any) -> None:
        for name in settings:
            require_known(name, FIELDS, "setting")
        self.preset = preset
        for name in FIELDS:
            setattr(self, name, settings.get(name))

    def __repr__(self) -> str:
        return f"CharRNN({', '.join(f'{name}={value!r}' for name, value in self._given().items())})"

    def _given(self) -> dict[str, Any]:
        return {name: value for name, value in self.get_params().items() if value is not None}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every setting as it was given; None stands for the value of the preset."""
        return {name: getattr(self, name) for name in ("preset", *FIELDS)}

    def set_params(self, **params: Any) -> Self:
        """Change settings. Raises SettingsError for an unknown name."""
        for name in params:
            require_known(name, {"preset": None, **FIELDS}, "setting")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def settings(self) -> Settings:
        """The given settings, laid over the preset's and validated.

        The choices of the preset `auto` are known after `fit`, in `settings_`.
        """
        return Settings.make(**self.get_params())

    def fit(
        self,
        X: Input | None = None,
        y: None = None,
        *,
        text: str | bytes | None = None,
        validation: Input | None = None,
        start_from: PathName | CharRNN | None = None,
        out: PathName | None = None,
        resume: bool = False,
        verbose: bool = True,
    ) -> Self:
        """Train on a text.

        X: a path, several paths, a folder, a data set's name or an open file; or give `text`.
        y: ignored, for compatibility with scikit-learn.
        validation: another such input to validate on; by default the last part of the text.
        start_from: a trained model, its file or its run directory, to fine-tune: its network is
        kept, and characters that are new to it are added to its vocabulary.
        out: a run directory to store the run in; without it the run stays in memory.
        resume: continue the run in `out`.
        verbose: show progress on standard error.
        Raises TextError, SettingsError, RunError or DivergedError, each with a message in one line.
        """
        settings = self.settings()  # raises for a wrong setting before any text is read
        progress = ConsoleProgress(quiet=not verbose)
        with stop_on_interrupt() as should_stop, closing(progress):
            request = RunRequest(
                text_input(X, text, settings),
                preset=self.preset,
                given={name: value for name, value in self._given().items() if name != "preset"},
                validation=text_input(validation, None, settings),
                base=_base(start_from),
                out=None if out is None else Path(out),
                resume=resume,
            )
            trained = train(request, Hooks(progress, should_stop, write_sample))
        self._set_fitted(trained)
        return self

    def _set_fitted(self, trained: Trained) -> None:
        self.model_: Model = trained.model
        self.settings_: Settings = trained.settings
        self.records_ = trained.records
        self.loss_curve_ = [record.train_loss for record in trained.records]
        losses = (record.val_loss for record in trained.records)
        self.validation_scores_ = [loss for loss in losses if loss is not None]
        self.best_loss_: float = trained.best_loss
        self.n_iter_: int = trained.steps

    @property
    def vocabulary_(self) -> Vocabulary:
        """The vocabulary of the fitted model."""
        return self._fitted().vocabulary

    def score(self, X: str | bytes, y: None = None, *, unknown: Unknown = "error") -> float:
        """Mean log-likelihood of the characters of a text in nats; higher is better.

        X: the text itself. Its first character is not scored, since nothing predicts it.
        """
        return -self.evaluate(X, unknown=unknown).nats_per_char

    def evaluate(self, text: str | bytes, *, unknown: Unknown = "error") -> Score:
        """Score of a text: nats, bits, perplexity and accuracy."""
        model = self._fitted()
        if isinstance(text, bytes) and not model.vocabulary.is_bytes:
            problem = "a model of characters needs a str, got bytes"
            raise TextError(problem, remedy="decode them first")
        whole = bytes_of(text) if model.vocabulary.is_bytes else text
        return evaluate(model, preprocess([whole], model.text), unknown=unknown)[0]

    def save(self, path: PathName) -> None:
        """Write the model file."""
        save_model(path, self._fitted())

    @classmethod
    def load(cls, path: PathName) -> Self:
        """Load the model of a file, or the best model of a run directory."""
        model = load_model(path)
        settings = {**vars(model.architecture.settings), **vars(model.text)}
        estimator = cls(**{**dict(model.training.get("settings", {})), **settings})
        estimator.model_, estimator.settings_ = model, estimator.settings()
        estimator.records_ = records_at(Path(path))
        return estimator

    def _fitted(self) -> Model:
        model: Model | None = getattr(self, "model_", None)
        if model is None:
            remedy = "call fit or CharRNN.load first"
            raise NotFittedError("this CharRNN is not fitted", remedy=remedy)
        return model


def _signature() -> inspect.Signature:
    """The constructor's arguments by name, for scikit-learn, help() and editors."""
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in FIELDS
    ]
    preset = inspect.Parameter("preset", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
    return inspect.Signature([preset, *parameters])


CharRNN.__signature__ = _signature()  # type: ignore[attr-defined]


def write_sample(model: Model, step: int) -> str:
    """A sample of a model in training; a model and a step always give the same one."""
    from nextchar.generation.generate import generate

    settings = GenerationSettings(length=SAMPLE_LENGTH, temperature=0.8)
    return generate(model, "", settings, seed=step)[0].text


def _base(start_from: PathName | CharRNN | None) -> BaseModel | None:
    if isinstance(start_from, CharRNN):
        return BaseModel(start_from._fitted())
    return None if start_from is None else load_base_model(start_from)
