"""The stepper: reading in pieces is reading at once."""

from __future__ import annotations

import numpy as np
import pytest

from nextchar.config import NetworkSettings
from nextchar.generation import stepper as module
from nextchar.generation.stepper import Stepper
from nextchar.model.initialise import initialise
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture, Parameters

V = 7


@pytest.fixture(params=["rnn", "lstm", "gru"])
def parameters(request: pytest.FixtureRequest) -> Parameters:
    """An untrained network of two layers in float64, biases included."""
    network = NetworkSettings(cell=request.param, hidden_size=9, num_layers=2, embedding_size=4)
    made = initialise(Architecture(network, V), 3, np.float64)
    made.flat[:] += 0.1 * np.random.default_rng(1).standard_normal(made.flat.shape)
    return made


def logits_after(parameters: Parameters, codes: np.ndarray) -> np.ndarray:
    """By one pass over everything."""
    return forward(parameters, codes[:, None], parameters.zero_state(1))[0][-1]


def test_before_anything_was_read_the_biases_speak(parameters: Parameters) -> None:
    stepper = Stepper(parameters)
    assert stepper.logits.tolist() == [parameters["b_out"].tolist()]
    stepper.read(np.array([], dtype=np.uint8))
    assert stepper.logits.tolist() == [parameters["b_out"].tolist()]


# float64 products of other shapes are summed in another order: 1e-12 is far above that
CLOSE = {"rtol": 0, "atol": 1e-12}


def test_reading_is_a_forward_pass(parameters: Parameters, rng: np.random.Generator) -> None:
    codes = rng.integers(0, V, 50)
    stepper = Stepper(parameters)
    stepper.read(codes)
    np.testing.assert_allclose(stepper.logits, logits_after(parameters, codes), **CLOSE)


def test_reading_in_pieces_is_reading_at_once(
    parameters: Parameters, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = rng.integers(0, V, 50)
    monkeypatch.setattr(module, "_PIECE", 8)
    stepper = Stepper(parameters)
    stepper.read(codes[:21])
    stepper.read(codes[21:])
    np.testing.assert_allclose(stepper.logits, logits_after(parameters, codes), **CLOSE)


def test_a_prompt_longer_than_a_piece_is_read_whole(
    parameters: Parameters, rng: np.random.Generator
) -> None:
    codes = rng.integers(0, V, 2 * module._PIECE + 1)
    stepper = Stepper(parameters)
    stepper.read(codes)
    np.testing.assert_allclose(stepper.logits, logits_after(parameters, codes), **CLOSE)


def test_stepping_is_reading_one_by_one(parameters: Parameters, rng: np.random.Generator) -> None:
    codes = rng.integers(0, V, 20)
    stepper = Stepper(parameters)
    for code in codes:
        stepper.step(np.array([code]))
    np.testing.assert_allclose(stepper.logits, logits_after(parameters, codes), **CLOSE)


def test_lanes_go_on_from_the_same_state_each_on_its_own(
    parameters: Parameters, rng: np.random.Generator
) -> None:
    prompt, ends = rng.integers(0, V, 10), rng.integers(0, V, (5, 3))
    stepper = Stepper(parameters)
    stepper.read(prompt)
    stepper.split(3)
    assert stepper.logits.shape == (3, V)
    for codes in ends:
        stepper.step(codes)
    for lane in range(3):
        expected = logits_after(parameters, np.concatenate([prompt, ends[:, lane]]))[0]
        np.testing.assert_allclose(stepper.logits[lane], expected, **CLOSE)


def test_all_lanes_read_a_text(parameters: Parameters, rng: np.random.Generator) -> None:
    codes = rng.integers(0, V, 12)
    stepper = Stepper(parameters)
    stepper.split(2)
    stepper.read(codes)
    expected = np.repeat(logits_after(parameters, codes), 2, axis=0)
    np.testing.assert_allclose(stepper.logits, expected, **CLOSE)


def test_a_stepper_changes_nothing_of_the_model(parameters: Parameters) -> None:
    before = parameters.flat.copy()
    stepper = Stepper(parameters)
    stepper.logits[:] = -np.inf
    stepper.read(np.array([1, 2]))
    stepper.logits[:] = -np.inf
    stepper.step(np.array([1]))
    assert parameters.flat.tobytes() == before.tobytes()
