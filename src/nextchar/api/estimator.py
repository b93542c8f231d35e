"""`CharRNN`: the Python face, in scikit-learn's manners."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, overload

from nextchar.api.inputs import Input, PathName, material_of
from nextchar.api.notebook import Shown, records_at
from nextchar.apps.evaluate import evaluate
from nextchar.callbacks.progress import ConsoleProgress
from nextchar.errors import NotFittedError, SettingsError, TextError
from nextchar.generation.completion import Suggestions, SuggestionSettings
from nextchar.generation.generation_settings import GenerationSettings, generation_settings
from nextchar.model.file import Model, load_model, save_model
from nextchar.model.scorer import Score
from nextchar.settings.config import FIELDS, Settings
from nextchar.settings.fields import require_known
from nextchar.text.sources import preprocess
from nextchar.text.vocabulary import Unknown, Vocabulary, bytes_of
from nextchar.training.run import BaseModel, RunRequest, load_base_model, train
from nextchar.training.run_context import Hooks
from nextchar.training.signals import stop_on_interrupt

SAMPLE_LENGTH = 200  # characters that a training run shows of what it writes so far


class CharRNN(Shown):
    """A character-level recurrent language model.

    The constructor only stores settings; every setting of `nextchar train --help` is one, with
    underscores for hyphens. What is not given (None) is as the preset has it; `preset` is
    `"auto"` unless given: what is not given is then chosen for the text and the time.

    After `fit`:
    settings_: all settings of the run, the chosen ones among them.
    model_: the trained `Model`; vocabulary_: its `Vocabulary`.
    loss_curve_: mean training loss before each evaluation, validation_scores_: validation loss at
    each (both nats per character; empty without a validation part), best_loss_, n_iter_: steps.
    records_: all that was measured at each evaluation.

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
        given = {name: value for name, value in self.get_params().items() if value is not None}
        return f"CharRNN({', '.join(f'{name}={value!r}' for name, value in given.items())})"

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Every setting as it was given; None is as the preset has it."""
        return {name: getattr(self, name) for name in ("preset", *FIELDS)}

    def set_params(self, **params: Any) -> Self:
        """Change settings. Raises SettingsError for a name that is none."""
        for name in params:
            require_known(name, {"preset": None, **FIELDS}, "setting")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def settings(self) -> Settings:
        """The settings as given, laid over the preset's and validated.

        What the preset `auto` chooses for a text is known after `fit`, in `settings_`.
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
        y: ignored, there for scikit-learn.
        validation: another such input to validate on; by default the last part of the text.
        start_from: a trained model, its file or its run directory, to go on from: its network is
        taken, and characters that are new to it are added to its vocabulary.
        out: a run directory to keep the run in; without it the run stays in memory.
        resume: go on with the run in `out`.
        verbose: show progress on standard error.
        Raises TextError, SettingsError, RunError or DivergedError, each with one line of advice.
        """
        settings = self.settings()  # what is wrong with them is told before anything is read
        progress = ConsoleProgress(quiet=not verbose)
        with stop_on_interrupt() as should_stop:
            try:
                request = RunRequest(
                    material_of(X, text, settings),
                    preset=self.preset,
                    given={
                        name: getattr(self, name)
                        for name in FIELDS
                        if getattr(self, name) is not None
                    },
                    validation=material_of(validation, None, settings),
                    base=_base(start_from),
                    out=None if out is None else Path(out),
                    resume=resume,
                )
                trained = train(request, Hooks(progress, should_stop, write_sample))
            finally:
                progress.close()
        self.model_: Model = trained.model
        self.settings_: Settings = trained.settings
        self.records_ = trained.records
        self.loss_curve_ = [record.train_loss for record in trained.records]
        self.validation_scores_ = [
            record.val_loss for record in trained.records if record.val_loss is not None
        ]
        self.best_loss_: float = trained.best_loss
        self.n_iter_: int = trained.steps
        return self

    @property
    def vocabulary_(self) -> Vocabulary:
        """The symbols that the fitted model knows."""
        return self._fitted().vocabulary

    @overload
    def generate(
        self, prompt: str | bytes = "", *, stream: Literal[True], **options: Any
    ) -> Iterator[str]: ...

    @overload
    def generate(
        self, prompt: list[str], *, samples: int, stream: Literal[False] = False, **options: Any
    ) -> list[list[str]]: ...

    @overload
    def generate(
        self, prompt: list[str], *, stream: Literal[False] = False, **options: Any
    ) -> list[str]: ...

    @overload
    def generate(
        self,
        prompt: str | bytes = "",
        *,
        samples: int,
        stream: Literal[False] = False,
        **options: Any,
    ) -> list[str]: ...

    @overload
    def generate(
        self, prompt: str | bytes = "", *, stream: Literal[False] = False, **options: Any
    ) -> str: ...

    def generate(
        self,
        prompt: str | bytes | list[str] = "",
        *,
        stream: bool = False,
        samples: int | None = None,
        novel: bool = False,
        training_text: Sequence[str] = (),
        stop: str | Sequence[str] = (),
        logit_bias: Mapping[str, float] | Mapping[int, float] | None = None,
        pattern: str | None = None,
        unknown: Unknown = "error",
        seed: int | None = None,
        **options: Any,
    ) -> str | list[str] | list[list[str]] | Iterator[str]:
        """The text that the model writes after a prompt, without the prompt.

        prompt: read first; may be empty. A character that the model never saw raises
        UnknownCharacterError, or is left out with `unknown="skip"`. A list of prompts is answered
        with a list, all of them written in batches.
        samples: how many texts; then a list is returned, all drawn in one batch.
        stream: return an iterator over pieces of text as they are drawn.
        novel: in a model of records, only those that are not in its training text; fewer where too
        few are new. training_text: where to look instead of where it was found.
        stop: strings that end a text; they are not part of it.
        logit_bias: character → what is added to its logit, -100 to 100; -100 bans.
        pattern: a regular expression that the text matches as a whole.
        seed: of the draws; `last_seed_` tells which one was used.
        options: every setting of generation (docs/generation.md): length (500, new characters),
        temperature (1.0; 0 is greedy), top_k, top_p, min_p, typical_p, repetition_penalty,
        presence_penalty, frequency_penalty, repeat_last_n, no_repeat_ngram_size, min_length,
        best_of, num_beams, length_penalty, dtype.
        """
        from nextchar.apps.memorisation.novelty import novel_records
        from nextchar.generation import generate as writing  # Numba comes along with it
        from nextchar.generation.requests import make_request

        settings = generation_settings(
            {"samples": 1 if samples is None else samples, "seed": seed, **options}
        )
        model = self._fitted()
        self.last_seed_ = writing.choose_seed(seed)
        how: dict[str, Any] = {
            "seed": self.last_seed_,
            "stop": stop,
            "logit_bias": logit_bias,
            "pattern": pattern,
            "unknown": unknown,
        }
        if stream:
            if samples is not None or novel or isinstance(prompt, list):
                raise SettingsError(
                    "stream: writes one text; give either stream or samples, novel, a list"
                )
            return writing.stream(model, prompt, settings, **how)
        if isinstance(prompt, list):
            asked = (make_request(model, each, settings, **how) for each in prompt)
            answers = [[each.text for each in made] for made in writing.generate_many(model, asked)]
            return answers if samples is not None else [texts[0] for texts in answers]
        if novel:
            made = novel_records(model, prompt, settings, texts=training_text, **how).records
        else:
            made = writing.generate(model, prompt, settings, **how)
        return made[0].text if samples is None and not novel else [each.text for each in made]

    def complete(
        self,
        prefix: str | bytes = "",
        count: int = 5,
        length: int = 20,
        to: str | None = None,
        *,
        beams: int | None = None,
        unknown: Unknown = "error",
    ) -> Suggestions:
        """The most probable ways to go on from a prefix, the best first, for autocompletion.

        count: how many. length: characters of each at the most.
        to: what ends one, the end of its `"word"`, of the `"line"`, of the `"record"` (the default
        in a model of records; else it is the word), or `"length"`.
        beams: prefixes tried of each length at the most.
        Returns a list of `text`, `probability` and `ends` (False where it was cut at `length`);
        its `exact` is False where more beams might find more probable ones.
        """
        from nextchar.generation.autocomplete import complete

        settings = SuggestionSettings(count=count, length=length, to=to, beams=beams)
        return complete(self._fitted(), prefix, settings, unknown=unknown)

    def score(self, X: str | bytes, y: None = None, *, unknown: Unknown = "error") -> float:
        """Mean log-likelihood of a text's characters in nats: the higher, the better.

        X: the text itself. Its first character is read and not scored, every other counts once.
        """
        return -self.evaluate(X, unknown=unknown).nats_per_char

    def evaluate(self, text: str | bytes, *, unknown: Unknown = "error") -> Score:
        """How well the model predicts a text: nats, bits, perplexity and accuracy."""
        model = self._fitted()
        if isinstance(text, bytes) and not model.vocabulary.is_bytes:
            raise TextError("a model of characters wants a str, got bytes; decode them first")
        whole = bytes_of(text) if model.vocabulary.is_bytes else text
        return evaluate(model, preprocess([whole], model.text), unknown=unknown)[0]

    def save(self, path: PathName) -> None:
        """Write the model file."""
        save_model(path, self._fitted())

    @classmethod
    def load(cls, path: PathName) -> Self:
        """The model of a file or of a run directory (its best)."""
        model = load_model(path)
        settings = {**vars(model.architecture.settings), **vars(model.text)}
        estimator = cls(**{**dict(model.training.get("settings", {})), **settings})
        estimator.model_, estimator.settings_ = model, estimator.settings()
        estimator.records_ = records_at(Path(path))
        return estimator

    def _fitted(self) -> Model:
        model: Model | None = getattr(self, "model_", None)
        if model is None:
            raise NotFittedError("this CharRNN is not fitted; call fit or CharRNN.load first")
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
    """What a model in training writes, the same for the same step."""
    from nextchar.generation.generate import generate

    settings = GenerationSettings(length=SAMPLE_LENGTH, temperature=0.8)
    return generate(model, "", settings, seed=step)[0].text


def _base(start_from: PathName | CharRNN | None) -> BaseModel | None:
    if isinstance(start_from, CharRNN):
        return BaseModel(start_from._fitted())
    return None if start_from is None else load_base_model(start_from)
