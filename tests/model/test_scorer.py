"""The one scorer, compared with a loop over characters."""

from __future__ import annotations

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nextchar.errors import TextError
from nextchar.model.initialise import initialise
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture, Parameters
from nextchar.model.scorer import Score, log_likelihoods, score
from nextchar.settings.config import NetworkSettings

V = 11
MANY = 9_000  # characters: enough for four lanes


@pytest.fixture(params=["rnn", "lstm", "gru"])
def parameters(request):
    network = NetworkSettings(
        cell=request.param, hidden_size=8, num_layers=2, initialisation="uniform"
    )
    drawn = initialise(Architecture(network, V), 3, np.float64)
    drawn.flat *= 2  # large enough for predictions that differ by character
    return drawn


@pytest.fixture
def codes(rng):
    return rng.integers(V, size=MANY).astype(np.uint8)


def naive_score(parameters, codes):
    """Score one character at a time, carrying the state, with an exact sum."""
    state, surprises, correct = parameters.zero_state(1), [], 0
    for code, following in itertools.pairwise(codes):
        logits, state, _ = forward(parameters, np.array([[code]]), state)
        e = np.exp(logits[0, 0] - logits.max())
        surprises.append(-math.log(e[following] / e.sum()))
        correct += int(e.argmax() == following)
    return Score(len(codes) - 1, math.fsum(surprises), correct)


@pytest.mark.parametrize("length", [2, 3, 2048, 2049, 2050, 4500])
def test_one_lane_is_the_loop_over_characters(parameters, codes, length):
    found, naive = score(parameters, codes[:length]), naive_score(parameters, codes[:length])
    assert found.nats == pytest.approx(naive.nats, rel=1e-12)
    assert (found.characters, found.correct) == (length - 1, naive.correct)


@pytest.mark.parametrize("lanes", [2, 3, 4, 64])
def test_more_lanes_agree_closely(parameters, codes, lanes):
    one, more = score(parameters, codes), score(parameters, codes, lanes=lanes)
    # these small random networks do not depend on a character 512 back
    assert more.nats == pytest.approx(one.nats, rel=1e-9)
    assert (more.characters, more.correct) == (one.characters, one.correct)


@pytest.mark.parametrize("length", [4097, 6143, 6144, 6145, 8999, 9000])
def test_every_character_but_the_first_counts_once_in_any_lanes(codes, length):
    """The network predicts frequencies only: the surprisal of a character is constant."""
    parameters = Parameters(Architecture(NetworkSettings(hidden_size=1), V), dtype=np.float64)
    surprise = np.linspace(1, 3, V)
    surprise += math.log(np.exp(-surprise).sum())
    parameters["b_out"][:] = -surprise
    for lanes in (1, 2, 3, 64):
        found = score(parameters, codes[:length], lanes=lanes)
        # thousands of roundings of 1e-16
        assert found.nats == pytest.approx(surprise[codes[1:length]].sum(), rel=1e-12)
        assert found.correct == (codes[1:length] == 0).sum()


def test_a_short_text_is_scored_in_one_lane_exactly(parameters, codes):
    assert score(parameters, codes[:3000], lanes=64) == score(parameters, codes[:3000])


def test_threads_give_the_same_bits(parameters, codes):
    with ThreadPoolExecutor(2) as pool:
        on_threads = score(parameters, codes, lanes=4, run=pool.map)
    assert on_threads == score(parameters, codes, lanes=4)


@pytest.mark.parametrize("length", [0, 1])
def test_a_text_without_a_pair_is_a_text_error(parameters, codes, length):
    with pytest.raises(TextError, match=f"nothing to score: the text has {length} known char"):
        score(parameters, codes[:length])


def test_log_likelihoods_are_carried_from_chunk_to_chunk(parameters, codes):
    pairs = codes[:60].reshape(20, 3), codes[1:61].reshape(20, 3)
    ((whole, right, _, _),) = log_likelihoods(parameters, [pairs])
    cuts = [(pairs[0][part], pairs[1][part]) for part in (slice(7), slice(7, 20))]
    parts = list(log_likelihoods(parameters, cuts))
    # products of other heights may be summed in another order
    np.testing.assert_allclose(np.concatenate([p.log_p for p in parts]), whole, rtol=1e-12)
    np.testing.assert_array_equal(np.concatenate([p.right for p in parts]), right)
    assert whole.dtype == np.float64
    # the state before a chunk is enough to continue from there
    ((again, *_),) = log_likelihoods(parameters, cuts[1:], state=parts[1].state)
    np.testing.assert_array_equal(again, parts[1].log_p)


@pytest.mark.parametrize("lanes", [1, 4])
def test_watch_receives_each_character_once_and_they_add_up(parameters, codes, lanes):
    seen, chunks = np.full(MANY, np.nan), []

    def watch(chunk):
        chunks.append(chunk)
        places = chunk.places[chunk.own]
        assert np.isnan(seen[places]).all()
        seen[places] = chunk.read.log_p[chunk.own]

    result = score(parameters, codes, lanes=lanes, watch=watch)
    assert np.isnan(seen[0])  # read and not scored
    assert -seen[1:].sum() == pytest.approx(result.nats, rel=1e-12)
    assert [lane for chunk in chunks[:1] for lane in chunk.lanes] == list(range(lanes))


def test_parameters_that_are_nan_score_nan(parameters, codes):
    parameters.flat[:] = np.nan
    assert math.isnan(score(parameters, codes[:50]).nats_per_char)


def test_the_figures_follow_from_the_nats():
    found = Score(characters=200, nats=100.0, correct=50)
    assert found.nats_per_char == 0.5
    assert found.bits_per_char == pytest.approx(0.5 / math.log(2), rel=1e-15)
    assert found.perplexity == pytest.approx(math.exp(0.5), rel=1e-15)
    assert found.accuracy == 0.25


def test_a_hopeless_model_has_a_finite_perplexity():
    assert math.isfinite(Score(1, 1e5, 0).perplexity)
