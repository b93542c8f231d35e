"""The text of a sweep, read once by each process for all its trials."""

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
class Texts:
    """What is trained and validated on, and the model that trials start from, if any."""

    text: TextInput
    validation: TextInput | None = None
    base: BaseModel | None = None

    def sha256(self, settings: TextSettings) -> str:
        """Identifies what is read."""
        parts = [self.text, self.validation]
        return "+".join(part.read(settings, ReadCallbacks()).sha256 for part in parts if part)

    def loss_of(self, model: Model, settings: Settings) -> float:
        """The loss of a model on as much of the validation part as `eval_characters` says.

        A trial that ends by time scores fewer where its time is short, and a slow network the
        fewest: these losses are comparable.
        """
        from nextchar.kernels.engine import Engine

        corpus = self.text.read(settings.text, ReadCallbacks())
        other = self.validation.read(settings.text, ReadCallbacks()) if self.validation else None
        prepared = prepare(
            corpus, settings, other, self.base.model.vocabulary if self.base else None
        )
        codes = prepared.validation[: settings.training.eval_characters]
        threads, dtype = settings.training.threads or 1, model.parameters.dtype
        with Engine(model.architecture, threads=threads, dtype=dtype) as engine:
            return engine.score(model.parameters, codes).nats_per_char


def texts_of(inputs: Sequence[str], validation: Sequence[str], start_from: str | None) -> Texts:
    """The texts of some paths and data sets, and the model of a path."""
    if "-" in (*inputs, *validation):
        raise SettingsError("a sweep reads the text many times: give a file, not standard input")
    return Texts(
        _read_once(text_from_paths(inputs)),
        _read_once(text_from_paths(validation)) if validation else None,
        load_base_model(start_from) if start_from else None,
    )


def _read_once(material: TextInput) -> TextInput:
    kept: dict[TextSettings, Corpus] = {}

    def read(settings: TextSettings, listener: ReadCallbacks) -> Corpus:
        if settings not in kept:
            kept[settings] = material.read(settings, listener)
        return kept[settings]

    return TextInput(read, material.names)
