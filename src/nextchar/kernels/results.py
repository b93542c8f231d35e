"""Results of the engine's methods."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

Array = NDArray[Any]


class Gradient(NamedTuple):
    """Gradient of a mean loss, and its Euclidean norm."""

    flat: Array  # laid out as the parameters; the engine's own array, valid until its next step
    norm: float


class StepResult(NamedTuple):
    """Result of a training step."""

    loss: float  # mean, in nats per character
    state: Array  # (L, STATES, B, H), after the batch
    gradient: Gradient


class EngineBytes(NamedTuple):
    """Bytes of an engine."""

    weights: int  # of arrays as large as the network
    lanes: int  # of arrays as large as a batch
