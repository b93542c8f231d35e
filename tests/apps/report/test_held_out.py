"""Calibration, confusions, loss by kind and by context, from numbers checked by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from conftest import PROSE
from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.context_loss import CONVERGED, LENGTHS
from nextchar.apps.predictions import Predictions, read
from nextchar.apps.report.held_out import (
    Confusion,
    calibration,
    confusions,
    context_loss,
    kind_of,
    loss_by_kind,
)
from nextchar.model.file import Model


def predictions(model: Model, text: str, guess: str, sure: list[float]) -> Predictions:
    codes, guessed = model.vocabulary.encode(text), model.vocabulary.encode(guess)
    return Predictions(codes, -np.arange(len(text), dtype=float), guessed.astype(np.int64),
                       np.array(sure))  # fmt: skip


def test_calibration_compares_probability_with_accuracy(small_model: Model) -> None:
    made = predictions(small_model, "abca", "abbb", [0.61, 0.69, 0.65, 1.0])
    found = calibration(made)
    assert found.count.tolist() == [3, 1]
    assert found.confidence.tolist() == pytest.approx([0.65, 1.0])
    assert found.accuracy.tolist() == pytest.approx([2 / 3, 0.0])
    assert found.error == pytest.approx((3 * (2 / 3 - 0.65) + 1) / 4)


def test_confusions_are_counted_without_the_right_guesses(small_model: Model) -> None:
    made = predictions(small_model, "aab a", "bbbba", [0.5] * 5)
    assert confusions(small_model, made) == [
        Confusion("a", "b", 2, pytest.approx(2 / 3)),  # type: ignore[arg-type]
        Confusion(" ", "b", 1, 1.0),
    ]
    assert len(confusions(small_model, made, most=1)) == 1


@pytest.mark.parametrize(
    ("characters", "kind"),
    [
        ("aÉßλ", "letters"), ("0９٣", "digits"), (" \t\u00a0", "spaces"), ("\n\r", "line breaks"),
        (",.!—$+", "punctuation"), ("字あアㄱ한", "CJK"), ("\x07\u200b", "other"),
    ],
)  # fmt: skip
def test_every_character_is_of_one_kind(characters: str, kind: str) -> None:
    assert {kind_of(character) for character in characters} == {kind}
    assert kind_of("\\xc8") == "other"


def test_the_loss_of_kinds_weighted_by_their_shares_is_the_loss(small_model: Model) -> None:
    made = predictions(small_model, "a b,\nab", "aaaaaaa", [0.5] * 7)
    kinds = loss_by_kind(small_model, made, np.full(7, 2.0))
    assert [each.kind for each in kinds] == ["letters", "spaces", "line breaks", "punctuation"]
    assert sum(each.share for each in kinds) == pytest.approx(1)
    assert sum(each.share * each.loss for each in kinds) == pytest.approx(made.loss)
    assert {each.baseline for each in kinds} == {2.0}


def test_context_is_measured_at_the_same_positions_with_the_state_reset(small_model: Model) -> None:
    codes = small_model.vocabulary.encode(PROSE * 20)
    with BatchPredictor(small_model.parameters) as reader:
        made = read(reader, codes)
        found = context_loss(reader, small_model, codes, made)
        positions = np.array([512 + n * (len(codes) - 512) // 1024 for n in range(1024)])
        nats = -reader.expect_after(codes, positions, 4)[np.arange(1024), codes[positions]]
    assert found.lengths == LENGTHS[: len(found.lengths)]
    away = abs(found.loss - found.full_loss)
    assert (len(found.lengths) == len(LENGTHS)) or away[-2:].max() < CONVERGED
    assert all(max(pair) >= CONVERGED for pair in pairwise(away[:-1]))
    assert found.positions == 1024
    assert found.loss[3] == pytest.approx(nats.mean())
    assert found.error[3] == pytest.approx(nats.std() / 32)
    assert found.full_loss == pytest.approx(-made.log_p[positions - 1].mean())


def test_a_short_text_has_little_context(small_model: Model) -> None:
    codes = small_model.vocabulary.encode("it was the best")
    with BatchPredictor(small_model.parameters) as reader:
        found = context_loss(reader, small_model, codes, read(reader, codes))
    assert found.lengths == (0, 1, 2, 4)
    assert np.isfinite(found.loss).all()
