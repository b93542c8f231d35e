"""Text of a sweep, read once per process for all its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nextchar.errors import SettingsError
from nextchar.model.file import Model
from nextchar.settings.config import Settings, TextSettings
from nextchar.text.corpus import Corpus, prepare
from nextchar.text.read_callbacks import ReadCallbacks
from nextchar.training.run import BaseModel, TextInput, load_base_model, text_from_paths


@dataclass(frozen=True)
class SweepTexts:
    """Training and validation text of a sweep, and the model that trials start from, if any."""

    text: TextInput
    validation: TextInput | None = None
    base: BaseModel | None = None

    def sha256(self, settings: TextSettings) -> str:
        """Return the SHA-256 of the texts."""
        parts = [self.text, self.validation]
        return "+".join(part.read(settings, ReadCallbacks()).sha256 for part in parts if part)

    def loss_of(self, model: Model, settings: Settings) -> float:
        """Return the loss of a model on the first `eval_characters` of the validation part.

        Trials that end by time evaluate on fewer characters during training, in number depending
        on time and network; losses of this method are comparable.
        """
        from nextchar.kernels.engine import Engine

        corpus = self.text.read(settings.text, ReadCallbacks())
        held_out = self.validation
        validation = held_out.read(settings.text, ReadCallbacks()) if held_out else None
        vocabulary = self.base.model.vocabulary if self.base else None
        prepared = prepare(corpus, settings, validation, vocabulary)
        codes = prepared.validation[: settings.training.eval_characters]
        threads, dtype = settings.training.threads or 1, model.parameters.dtype
        with Engine(model.architecture, threads=threads, dtype=dtype) as engine:
            return engine.score(model.parameters, codes).nats_per_char


def sweep_texts_from_paths(
    inputs: Sequence[str], validation: Sequence[str], start_from: str | None
) -> SweepTexts:
    """Return the texts of paths and data sets, and the model at a path. Texts are read later."""
    if "-" in (*inputs, *validation):
        problem = "cannot include standard input, which every worker would have to read"
        setting = "files" if "-" in inputs else "validation"
        raise SettingsError(problem, setting=setting, remedy="give a file")
    return SweepTexts(
        _read_once(text_from_paths(inputs)),
        _read_once(text_from_paths(validation)) if validation else None,
        load_base_model(start_from) if start_from else None,
    )


def _read_once(text: TextInput) -> TextInput:
    """Return a text input that keeps the corpus it has read."""
    corpora: dict[TextSettings, Corpus] = {}

    def read(settings: TextSettings, callbacks: ReadCallbacks) -> Corpus:
        if settings not in corpora:
            corpora[settings] = text.read(settings, callbacks)
        return corpora[settings]

    return TextInput(read, text.names)
