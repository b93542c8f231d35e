"""Neurons: a planted unit is found with its true score; noise does not beat chance."""

from __future__ import annotations

import numpy as np
import pytest

from apps.explain.planted import quote_model, quoted_text, untrained
from nextchar.apps.explain.features import inside_quotes
from nextchar.apps.explain.neurons import (
    MOST_ACTIVATIONS,
    Unit,
    activations_of,
    correlations,
    find_neurons,
    observed_characters,
)
from nextchar.model.network import forward


@pytest.fixture(scope="module")
def text() -> str:
    return quoted_text(np.random.default_rng(7))


@pytest.mark.parametrize(("unit", "sign"), [(4, 1), (9, -1)])
def test_a_unit_that_is_the_quote_is_found_first_with_a_score_of_one(
    text: str, unit: int, sign: int
) -> None:
    model = quote_model(text, unit, sign)
    found = find_neurons(model.parameters, model.vocabulary.encode(text), text)
    best = found.matches[0]
    assert str(found.units[best.unit]) == f"layer 1, unit {unit}"
    assert found.features[best.feature].name == "inside quotes"
    assert best.score == pytest.approx(1, abs=1e-4)
    assert best.first == pytest.approx(sign, abs=1e-4)
    assert found.best[0].unit == best.unit
    # directly, by its activation
    quotes = inside_quotes(text)
    np.testing.assert_allclose(found.activations[:, unit], sign * (2 * quotes - 1), atol=1e-4)


def test_a_unit_with_another_feature_in_the_second_half_scores_badly(text: str) -> None:
    model = quote_model(text, 4)
    codes = model.vocabulary.encode(text)
    # quotes are swapped in the second half: the pair chosen on the first half is wrong there
    half = len(text) // 2
    swapped = text[:half] + text[half:].translate(str.maketrans("“”", "”“"))
    honest = find_neurons(model.parameters, codes, text)
    fooled = find_neurons(model.parameters, model.vocabulary.encode(swapped), text)
    name = [each.name for each in honest.features].index("inside quotes")
    score = {each.feature: each.score for each in fooled.best}[name]
    assert honest.matches[0].score > 0.99
    assert score < -0.5


def test_units_of_noise_do_not_beat_chance(text: str, rng: np.random.Generator) -> None:
    model = untrained(text, "rnn", hidden_size=64, num_layers=1)
    noise = rng.integers(len(model.vocabulary), size=len(text)).astype(np.uint8)
    found = find_neurons(model.parameters, noise, text)  # unrelated to the text
    beating = [each for each in found.best if each.score > found.chance[each.feature]]
    # one feature in twenty would by chance
    assert len(beating) <= 2
    assert all(0 < level < 0.5 for level in found.chance.values())


def test_a_rare_feature_is_listed_and_not_scored(text: str) -> None:
    model = untrained(text)
    found = find_neurons(model.parameters, model.vocabulary.encode(text), text)
    assert {"digit", "in a web address", "in a tag"} <= set(found.rare)
    assert not {each.name for each in found.features} & set(found.rare)


def test_a_text_too_short_for_anything_has_no_neurons() -> None:
    model = untrained("ab ")
    found = find_neurons(model.parameters, model.vocabulary.encode("ab ab"), "ab ab")
    assert found.best == found.matches == found.features == []
    assert found.chance == {}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_activations_are_the_states_of_the_network_step_by_step(cell: str, text: str) -> None:
    model = untrained(text, cell)
    codes = model.vocabulary.encode(text)[:700]  # more than one chunk
    units, activations = activations_of(model.parameters, codes)
    state = model.parameters.zero_state(1)
    for t, code in enumerate(codes):
        _, state, _ = forward(model.parameters, np.array([[code]]), state)
        parts = [(layer, part) for layer in state[:, :, 0] for part in range(len(layer))]
        expected = np.concatenate(
            [np.tanh(layer[part]) if part else layer[part] for layer, part in parts]
        )
        np.testing.assert_allclose(activations[t], expected, rtol=1e-5, atol=1e-6)  # float32
    assert units[:2] == [Unit(1, 0, "h"), Unit(1, 1, "h")]
    assert len(units) == activations.shape[1] == 2 * 8 * (2 if cell == "lstm" else 1)


def test_correlations_are_pearsons_and_nothing_with_a_constant(rng: np.random.Generator) -> None:
    A, F = rng.normal(size=(300, 5)), rng.random((300, 3)).round()
    A[:, 4] = 0.3
    expected = np.corrcoef(A[:, :4].T, F.T)[:4, 4:]
    np.testing.assert_allclose(correlations(A, F)[:4], expected, atol=1e-6)  # float32
    assert (correlations(A, F)[4] == 0).all()


def test_a_large_network_is_watched_over_a_shorter_text() -> None:
    small, large = untrained("ab"), untrained("ab", hidden_size=300)
    assert observed_characters(small.parameters) == 40_000
    units, _ = activations_of(large.parameters, large.vocabulary.encode("ab"))
    assert observed_characters(large.parameters) == MOST_ACTIVATIONS // len(units) < 40_000
