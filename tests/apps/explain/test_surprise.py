"""The most surprising characters: those of the whole text, each with the passage around it."""

from __future__ import annotations

import numpy as np
import pytest

from apps.explain.planted import SAYINGS, random_sayings, untrained
from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.explain import surprise
from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.apps.explain.explanation import explain_string
from nextchar.apps.explain.surprise import APART, TopSurprises, around, passage
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward

MODEL = untrained(SAYINGS)
TEXT = random_sayings()


def expected_worst(bits: np.ndarray, count: int) -> list[int]:
    """The most surprising positions, each `APART` from those before it."""
    chosen: list[int] = []
    for place in np.argsort(-np.nan_to_num(bits), kind="stable").tolist():
        if all(abs(place - other) >= APART for other in chosen):
            chosen.append(place)
    return chosen[:count]


@pytest.mark.parametrize("lanes", [1, 4])
def test_the_worst_places_are_those_of_the_whole_text(lanes: int) -> None:
    codes = MODEL.vocabulary.encode(TEXT)
    bits = explain_string(MODEL, TEXT, ExplainSettings(lanes=lanes)).surprise
    with BatchPredictor(MODEL.parameters) as reader:
        worst = TopSurprises(10)
        reader.watch(codes, worst, lanes=lanes)
        found = worst.places()
        assert [each.place for each in found] == expected_worst(bits, 10)
        assert [each.bits for each in found] == [bits[each.place] for each in found]
        for each in found:  # the passage around it is read again from the stored state
            seen = around(reader, codes, each)
            assert seen.start <= each.place - min(surprise.BEFORE, each.place)
            here = slice(seen.start, seen.start + len(seen.codes))
            # lanes and passages are warmed up on 512 characters
            np.testing.assert_allclose(seen.bits, bits[here], rtol=1e-6)
            np.testing.assert_array_equal(seen.codes, codes[here])


def test_a_small_heap_is_enough_for_a_text_full_of_surprises() -> None:
    # every second line is surprising: far more positions than are kept
    text = ("fire " * 12 + "\n" + "”(,.“)”.,(“" * 3 + "\n") * 40
    codes = MODEL.vocabulary.encode(text)
    bits = explain_string(MODEL, text).surprise
    with BatchPredictor(MODEL.parameters) as reader:
        worst = TopSurprises(3)
        reader.watch(codes, worst)
    found = worst.places()
    assert found[0].place == int(np.nanargmax(bits))
    assert len(found) == 3


def test_the_guesses_are_the_most_probable_characters() -> None:
    codes = MODEL.vocabulary.encode(SAYINGS)
    with BatchPredictor(MODEL.parameters) as reader:
        seen = passage(reader, codes, 50, 90)
    logits, _, _ = forward(MODEL.parameters, codes[:, None], MODEL.parameters.zero_state(1))
    p = np.exp(log_softmax(logits[49:89, 0]))
    assert seen.guesses.shape == seen.chances.shape == (40, surprise.GUESSES)
    np.testing.assert_array_equal(seen.guesses[:, 0], p.argmax(axis=1))
    np.testing.assert_allclose(seen.chances[:, 0], p.max(axis=1), rtol=1e-9)
    assert (np.diff(seen.chances, axis=1) <= 0).all()
    assert np.isfinite(seen.bits).all()
