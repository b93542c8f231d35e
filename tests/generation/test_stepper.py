"""Reading character by character, and restoring earlier states."""

from __future__ import annotations

import numpy as np
import pytest

from nextchar.generation.stepper import Stepper
from nextchar.model.file import Model
from nextchar.model.network import forward


def expected(model: Model, codes: list[int]) -> list[float]:
    inputs = np.array(codes)[:, None]
    logits = forward(model.parameters, inputs, model.parameters.zero_state(1))[0]
    row: list[float] = logits[-1][0].tolist()
    return row


def test_each_text_continues_with_its_own_code(small_model: Model) -> None:
    with Stepper(small_model, lanes=3) as stepper:
        stepper.read(np.array([1, 2]))
        stepper.restore([stepper.snapshots()[0]] * 3)
        stepper.step(np.array([3, 4, 5]))
        for row, code in zip(stepper.logits, (3, 4, 5), strict=True):
            assert row == pytest.approx(expected(small_model, [1, 2, code]), abs=1e-5)  # float32


def test_a_text_is_restored_from_a_snapshot(small_model: Model) -> None:
    with Stepper(small_model) as stepper:
        stepper.read(np.array([1]))
        before, there = stepper.logits.tolist(), stepper.snapshots()
        stepper.step(np.array([7]))
        assert stepper.logits.tolist() != before
        stepper.restore(there)
        assert stepper.logits.tolist() == before


def test_before_any_character_the_logits_are_the_biases(small_model: Model) -> None:
    with Stepper(small_model) as stepper:
        assert stepper.logits[0] == pytest.approx(small_model.parameters["b_out"])
