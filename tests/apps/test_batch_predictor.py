"""Predictions after any context are those of the plain network."""

from __future__ import annotations

import numpy as np
import pytest

from conftest import PROSE
from nextchar.apps.batch_predictor import LANES, BatchPredictor
from nextchar.apps.predictions import spread_positions
from nextchar.model.initialise import initialise
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings
from nextchar.text.vocabulary import Vocabulary

VOCABULARY = Vocabulary.of_text(PROSE)
CODES = VOCABULARY.encode(PROSE * 40)
NETWORK = NetworkSettings(hidden_size=8, num_layers=2, cell="lstm")
PARAMETERS = initialise(Architecture(NETWORK, len(VOCABULARY)), 1, np.float64)
PARAMETERS.flat[:] *= 3  # so that the context matters


@pytest.mark.parametrize("length", [0, 1, 7, 64])
def test_after_a_context_the_state_began_at_zero(length: int) -> None:
    places = np.array([64, 65, 200, len(CODES) - 1])
    with BatchPredictor(PARAMETERS) as reader:
        made = reader.expect_after(CODES, places, length)
    assert made.shape == (4, len(VOCABULARY))
    for log_p, place in zip(made, places, strict=True):
        wanted = log_softmax(PARAMETERS["b_out"])
        if length:
            read = CODES[place - length : place, None]
            wanted = log_softmax(forward(PARAMETERS, read, PARAMETERS.zero_state(1))[0])[-1, 0]
        np.testing.assert_allclose(log_p, wanted, rtol=1e-9)


def test_more_positions_than_lanes_are_read_in_turn() -> None:
    count = 3 * LANES + 5
    places = spread_positions(len(CODES), count, 3)
    assert len(places) == count
    assert (places.min(), places.max() < len(CODES)) == (3, True)
    some = [0, LANES, count - 1]
    with BatchPredictor(PARAMETERS) as reader:
        together = reader.expect_after(CODES, places, 3)
        alone = [reader.expect_after(CODES, places[n : n + 1], 3) for n in some]
    np.testing.assert_allclose(together[some], np.concatenate(alone))


def test_any_number_of_threads_gives_the_same() -> None:
    places = spread_positions(len(CODES), 7, 12)
    made = []
    for threads in (1, 2, 3):
        with BatchPredictor(PARAMETERS, threads=threads) as reader:
            made.append(reader.expect_after(CODES, places, 12))
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])
