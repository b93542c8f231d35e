"""Comparison of nextchar with recorded results of PyTorch; does not import PyTorch.

A network's record has the arrays inputs, targets (T, B); state, new_state (L, STATES, B, H); loss,
the mean over T·B; and w.NAME, d.NAME, value and gradient of every parameter. A walk's record has
gradients that depend on the parameters: g = p - towards[step], the slope of half the square of the
distance, so that an error in one step shows in all that follow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.model.network import loss_and_gradient
from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings, TrainingSettings
from nextchar.training.optim.optimizers import clip, make_slots, update

Array = NDArray[Any]
Record = Mapping[str, Array]

ROWS, COLUMNS = 2, 3  # of the walk's one matrix; its one bias has COLUMNS entries
LEARNING_RATE, MOMENTUM = 0.05, 0.9
CLIPS = {"unclipped": (0.0, "norm"), "value": (0.5, "value"), "norm": (1.0, "norm")}


def assert_close(name: str, found: Array, expected: Array, tolerance: float) -> None:
    """Assert that two arrays differ by at most `tolerance`, relative to the expected norm."""
    assert found.shape == expected.shape, name
    distance, length = np.linalg.norm(found - expected), np.linalg.norm(expected)
    assert distance <= tolerance * length, f"{name}: off by {distance / length:.1e} of its length"


def assert_network_agrees(settings: NetworkSettings, record: Record, tolerance: float) -> None:
    """Assert that loss, state and every gradient agree with the record."""
    V = len(record["w.b_out"])
    parameters = Parameters(Architecture(settings, V), dtype=record["w.b_out"].dtype)
    gradient = Parameters(parameters.architecture, dtype=parameters.dtype)
    assert {f"w.{name}" for name in parameters.views} == {n for n in record if n[:2] == "w."}
    for name, view in parameters.views.items():
        view[:] = record[f"w.{name}"]
    size = record["inputs"].size
    loss, state = loss_and_gradient(
        parameters,
        record["inputs"],
        record["targets"],
        record["state"],
        gradient,
        scale=1 / size,
    )
    assert_close("loss", np.array(loss / size), record["loss"], tolerance)
    assert_close("state", state, record["new_state"], tolerance)
    for name, view in gradient.views.items():
        assert_close(name, view, record[f"d.{name}"], tolerance)


def walk(optimizer: str, weight_decay: float, clipping: str, start: Array, towards: Array) -> Array:
    """Parameters after each step of our optimizer, (steps, n)."""
    settings = TrainingSettings(optimizer=optimizer, weight_decay=weight_decay, momentum=MOMENTUM)
    p, steps = start.copy(), []
    slots = make_slots(optimizer, p)
    for step, target in enumerate(towards, 1):
        g = p - target
        clip(g, *CLIPS[clipping])
        update(
            p,
            g,
            slots,
            learning_rate=LEARNING_RATE,
            step=step,
            settings=settings,
            matrix_size=ROWS * COLUMNS,
        )
        steps.append(p.copy())
    return np.array(steps)
