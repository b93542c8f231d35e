"""Results of the engine's methods."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

Array = NDArray[Any]


class Gradient(NamedTuple):
    """Gradient of a mean loss, and its Euclidean norm.

    flat: laid out as the parameters; the engine's own array, valid until its next step.
    """

    flat: Array
    norm: float


class StepResult(NamedTuple):
    """Result of a training step.

    loss: mean, in nats per character. state: (L, STATES, B, H), after the batch.
    """

    loss: float
    state: Array
    gradient: Gradient


class EngineBytes(NamedTuple):
    """Bytes of an engine: arrays as large as the network, and arrays as large as a batch."""

    weights: int
    lanes: int
