"""Initial weights and codes, the same for all contenders.

Codes are distributed as characters of a text, some frequent and most rare (Zipf).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.rows import Row
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings
from nextchar.text.batches import Batches, StreamBatches

Array = NDArray[Any]

STEPS = 32  # batches before the text repeats
LEARNING_RATE = 0.002
CLIP = 1.0
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


def parameters(row: Row) -> Parameters:
    """Return the initial weights, float32."""
    settings = NetworkSettings(
        cell=row.cell, hidden_size=row.hidden_size, num_layers=row.num_layers
    )
    return initialise(Architecture(settings, row.vocabulary_size), seed=1)


def weights(row: Row) -> dict[str, Array]:
    """Return the same by name, in the layout of nextchar: `layerN.W_ih` is (inputs, gates·H)."""
    return {name: view.copy() for name, view in parameters(row).views.items()}


def codes(row: Row, length: int) -> Array:
    """Return a text of a number of characters, as codes."""
    share = 1 / np.arange(1, row.vocabulary_size + 1)
    rng = np.random.default_rng(2)
    return rng.choice(row.vocabulary_size, length, p=share / share.sum()).astype(np.uint16)


def batches(row: Row) -> Batches:
    """Return batches of parallel lanes that carry the state over, all of them full."""
    text = codes(row, row.batch_size * row.seq_length * STEPS + 1)
    return StreamBatches(text, row.batch_size, row.seq_length)


def stacked(row: Row) -> tuple[Array, Array]:
    """Return inputs and targets of all batches, (STEPS, T, B) each, int64."""
    made = batches(row)
    each = [made.at(step) for step in range(STEPS)]
    return (
        np.stack([batch.inputs for batch in each]).astype(np.int64),
        np.stack([batch.targets for batch in each]).astype(np.int64),
    )


def check_codes(row: Row) -> Array:
    """Return a short text that generating contenders score, to show that models are equal."""
    return codes(row, 21)


def mean_loss(logits: Array, targets: Array) -> float:
    """Return mean nats per character; logits (N, V)."""
    logits = logits.astype(np.float64)
    largest = logits.max(axis=1)
    norm = largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1))
    return float((norm - logits[np.arange(len(targets)), targets]).mean())
