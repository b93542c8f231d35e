"""The model file: everything needed to use a model, in one file. Never a pickle."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.errors import ModelFileError, SettingsError, in_one_line
from nextchar.model import container
from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.records import boundary_of
from nextchar.text.vocabulary import Vocabulary, points_of

SUFFIX = ".safetensors"
BEST, LAST = f"best{SUFFIX}", f"last{SUFFIX}"  # the models of a run directory
START = f"start{SUFFIX}"  # the model that a fine-tuned run started from


@dataclass(frozen=True)
class Model:
    """A network with the vocabulary and the text settings that it was trained with.

    training: summary of the training run, for readers (`nextchar info`).
    """

    parameters: Parameters
    vocabulary: Vocabulary
    text: TextSettings = field(default_factory=TextSettings)
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def architecture(self) -> Architecture:
        """Shape of the network."""
        return self.parameters.architecture

    @property
    def end_code(self) -> int | None:
        """Code of the boundary between records; None if the model was not trained on records."""
        boundary = boundary_of(self.text)
        if boundary is None:
            return None
        if self.vocabulary.is_bytes:
            return ord(boundary)
        return int(self.vocabulary.codes_of_points(points_of(boundary))[0])


def save_model(path: str | PathLike[str], model: Model) -> None:
    """Write a model file atomically. Raises ModelFileError if it cannot be written."""
    document = {
        "network": dataclasses.asdict(model.architecture.settings),
        "vocabulary": model.vocabulary.to_json(),
        "text": dataclasses.asdict(model.text),
        "training": dict(model.training),
    }
    container.write(Path(path), "model", model.parameters.views, document)


def load_model(path: str | PathLike[str]) -> Model:
    """Load the model of a file, or the best one of a run directory.

    Raises ModelFileError for a file that is missing, damaged or not a model of nextchar.
    """
    path = _model_path(Path(path))
    tensors, document = container.read(path, "model")
    try:
        vocabulary = Vocabulary.from_json(document["vocabulary"])
        network = NetworkSettings(**document["network"])
        if network.num_layers > len(tensors):  # checked before shapes are computed layer by layer
            raise ValueError(f"it claims {network.num_layers} layers")
        architecture = Architecture(network, len(vocabulary))
        text = TextSettings(**document["text"])
        training = dict(document["training"])
        if boundary_of(text) and not vocabulary.is_bytes and boundary_of(text) not in vocabulary:
            raise ValueError("its vocabulary lacks the boundary of its records")
    except (KeyError, TypeError, ValueError, SettingsError, ModelFileError) as error:
        problem = f"is damaged: its description is incomplete ({in_one_line(error)})"
        raise ModelFileError(problem, path=path) from error
    if {name: tensor.shape for name, tensor in tensors.items()} != dict(architecture.shapes):
        raise ModelFileError("is damaged: its tensors do not match its description", path=path)
    dtypes = {tensor.dtype for tensor in tensors.values()}
    if len(dtypes) != 1 or not dtypes <= {np.dtype(np.float32), np.dtype(np.float64)}:
        raise ModelFileError("is damaged: its tensors are neither float32 nor float64", path=path)
    parameters = Parameters(architecture, dtype=dtypes.pop())
    for name, tensor in tensors.items():
        parameters[name][:] = tensor
    if not np.isfinite(parameters.flat).all():
        problem = "is damaged: its weights are not finite, as after training that diverged"
        raise ModelFileError(problem, path=path, remedy="train the model again")
    return Model(parameters, vocabulary, text, training)


def _model_path(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in (BEST, LAST):
        if (path / name).is_file():
            return path / name
    problem = f"is a folder without a model (no {BEST})"
    raise ModelFileError(problem, path=path, remedy="train one first")
