"""Predictions at every position are those of the scorer and of the plain network."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import PROSE
from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.predictions import read, spread_positions
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture
from nextchar.model.scorer import score
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary


def untrained(vocabulary: Vocabulary, cell: str = "lstm", scale: float = 3.0) -> Model:
    network = NetworkSettings(hidden_size=8, num_layers=2, cell=cell)
    parameters = initialise(Architecture(network, len(vocabulary)), 1, np.float64)
    parameters.flat[:] *= scale  # so that the context matters
    return Model(parameters, vocabulary, TextSettings())


MODEL = untrained(Vocabulary.of_text(PROSE))
CODES = MODEL.vocabulary.encode(PROSE * 40)


def expected(codes: np.ndarray, model: Model = MODEL) -> np.ndarray:
    """Log-probabilities (T, V) after each code of a text, by the plain network."""
    state = model.parameters.zero_state(1)
    return log_softmax(forward(model.parameters, codes[:, None], state)[0])[:, 0]


@pytest.mark.parametrize("lanes", [1, 3])
def test_the_mean_is_the_score(lanes: int) -> None:
    with BatchPredictor(MODEL.parameters) as reader:
        made = read(reader, CODES, lanes)
    scored = score(MODEL.parameters, CODES, lanes=lanes)
    assert made.loss == pytest.approx(scored.nats_per_char, rel=1e-12)
    assert int((made.guess == made.codes).sum()) == scored.correct


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_position_has_the_prediction_of_the_plain_network(cell: str) -> None:
    model = untrained(MODEL.vocabulary, cell, 1.5)  # at 3 an RNN is chaotic
    codes = CODES[:300]
    with BatchPredictor(model.parameters) as reader:
        made = read(reader, codes)
    log_p = expected(codes[:-1], model)
    np.testing.assert_array_equal(made.guess, log_p.argmax(axis=1))
    np.testing.assert_allclose(made.confidence, np.exp(log_p.max(axis=1)), rtol=1e-9)
    np.testing.assert_allclose(made.log_p, log_p[np.arange(299), codes[1:]], rtol=1e-9)


def test_a_short_text_has_few_positions() -> None:
    assert spread_positions(5, 100, 3).tolist() == [3, 4]
    assert spread_positions(3, 100, 3).tolist() == []
