"""Calibration, confusions, kinds and context, by numbers that can be counted by hand."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from conftest import PROSE
from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.context_loss import CONVERGED, LENGTHS, ContextLoss
from nextchar.apps.predictions import Predictions, read
from nextchar.apps.report.figures import (
    against_baselines,
    by_context,
    by_kind,
    calibrated,
    confused,
)
from nextchar.apps.report.held_out import (
    Calibration,
    Confusion,
    KindLoss,
    calibration,
    confusions,
    context_loss,
    kind_of,
    loss_by_kind,
)
from nextchar.apps.report.model_analysis import Analysis
from nextchar.apps.report.temperature_samples import Memorisation
from nextchar.model.file import Model


def predictions(model: Model, text: str, guess: str, sure: list[float]) -> Predictions:
    codes, guessed = model.vocabulary.encode(text), model.vocabulary.encode(guess)
    return Predictions(codes, -np.arange(len(text), dtype=float), guessed.astype(np.int64),
                       np.array(sure))  # fmt: skip


def test_calibration_compares_what_was_said_with_what_came(small_model: Model) -> None:
    made = predictions(small_model, "abca", "abbb", [0.61, 0.69, 0.65, 1.0])
    found = calibration(made)
    assert found.count.tolist() == [3, 1]
    assert found.confidence.tolist() == pytest.approx([0.65, 1.0])
    assert found.accuracy.tolist() == pytest.approx([2 / 3, 0.0])
    assert found.error == pytest.approx((3 * (2 / 3 - 0.65) + 1) / 4)


def test_confusions_are_counted_and_the_right_guesses_are_none(small_model: Model) -> None:
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
    assert kind_of("0xC8") == "other"


def test_the_loss_of_kinds_weighted_by_their_shares_is_the_loss(small_model: Model) -> None:
    made = predictions(small_model, "a b,\nab", "aaaaaaa", [0.5] * 7)
    kinds = loss_by_kind(small_model, made, np.full(7, 2.0))
    assert [each.kind for each in kinds] == ["letters", "spaces", "line breaks", "punctuation"]
    assert sum(each.share for each in kinds) == pytest.approx(1)
    assert sum(each.share * each.loss for each in kinds) == pytest.approx(made.loss)
    assert {each.baseline for each in kinds} == {2.0}


def test_context_is_measured_at_the_same_places_with_the_state_reset(small_model: Model) -> None:
    codes = small_model.vocabulary.encode(PROSE * 20)
    with BatchPredictor(small_model.parameters) as reader:
        made = read(reader, codes)
        found = context_loss(reader, small_model, codes, made)
        places = np.array([512 + n * (len(codes) - 512) // 1024 for n in range(1024)])
        nats = -reader.expect_after(codes, places, 4)[np.arange(1024), codes[places]]
    assert found.lengths == LENGTHS[: len(found.lengths)]
    away = abs(found.loss - found.full_loss)
    assert (len(found.lengths) == len(LENGTHS)) or away[-2:].max() < CONVERGED
    assert all(max(pair) >= CONVERGED for pair in pairwise(away[:-1]))  # or it had ended there
    assert found.positions == 1024
    assert found.loss[3] == pytest.approx(nats.mean())
    assert found.error[3] == pytest.approx(nats.std() / 32)
    assert found.full_loss == pytest.approx(-made.log_p[places - 1].mean())


def test_a_short_text_has_little_context(small_model: Model) -> None:
    codes = small_model.vocabulary.encode("it was the best")
    with BatchPredictor(small_model.parameters) as reader:
        found = context_loss(reader, small_model, codes, read(reader, codes))
    assert found.lengths == (0, 1, 2, 4)
    assert np.isfinite(found.loss).all()


# what is drawn


def test_all_context_is_at_the_same_place_for_every_run() -> None:
    short, long = (
        ContextLoss(lengths, 9, np.full(len(lengths), 2.0), np.zeros(len(lengths)), 1.0)
        for lengths in ((0, 1, 2), (0, 1, 2, 4, 8))
    )
    runs = [(n, "ab"[n], analysis(1.0, context=each)) for n, each in enumerate((short, long))]
    figure = by_context(runs)
    assert figure is not None
    assert figure.x.labels == ("0", "1", "2", "4", "8", "all")
    assert [line.x.tolist() for line in figure.lines] == [[0, 1, 2, 5], [0, 1, 2, 3, 4, 5]]
    assert [line.y[-1] for line in figure.lines] == [1.0, 1.0]


def analysis(loss: float, **rest: object) -> Analysis:
    return Analysis(scored=99, loss=loss, baselines={"uniform": 3.0, "6-gram": 1.0}, **rest)  # type: ignore[arg-type]


def test_runs_on_the_same_characters_stand_beside_the_same_baselines() -> None:
    other = Analysis(scored=50, loss=2.0, baselines={"uniform": 4.0})
    runs = [(0, "a", analysis(1.5)), (1, "b", other), (2, "c", analysis(1.25)),
            (3, "d", Analysis())]  # fmt: skip
    one, two = against_baselines(runs)
    assert one.y.labels == ("uniform", "6-gram", "a", "c")
    assert one.bars[0].values.tolist() == [3, 1, 1.5, 1.25]
    assert one.bars[0].series == [None, None, 0, 2]
    assert one.x.other == ("bits", 1 / math.log(2))
    assert (two.y.labels, two.name) == (("uniform", "b"), "baselines-2")


def test_kinds_calibration_and_confusions_are_drawn_from_their_numbers() -> None:
    kinds = [KindLoss("letters", 2.0, 1.5, 0.75), KindLoss("spaces", 1.0, 0.5, 0.25)]
    half = np.array([0.5])
    made = analysis(1.0, kinds=kinds, calibration=Calibration(half, half, np.array([4.0]), 0.0))
    figure = by_kind([(0, "a", made)])
    assert figure is not None
    assert figure.y.labels == ("letters (75%)", "spaces (25%)")
    assert [(bars.name, bars.values.tolist()) for bars in figure.bars] == [
        ("6-gram", [1.5, 0.5]), ("a", [2, 1]),
    ]  # fmt: skip
    figure = calibrated([(0, "a", made)])
    assert figure is not None
    line = figure.lines[1]
    assert (line.x.tolist(), line.y.tolist()) == ([0.5], [0.5])
    assert line.low is not None
    assert line.low.tolist() == pytest.approx([0.5 - 1.96 * 0.25])
    figure = confused(0, "a", [Confusion(" ", "\n", 7, 0.5)])
    assert figure is not None
    assert figure.y.labels == ("␣ taken for ↵",)
    assert figure.bars[0].texts == ("7 (50%)",)
    assert by_kind([(0, "a", Analysis())]) is calibrated([]) is confused(0, "a", []) is None


@pytest.mark.parametrize(
    ("generated", "held_out", "memorises"),
    [([0.9, 0.3], [0.9, 0.1], True), ([0.9, 0.12], [0.1, 0.1], False), ([1.0, 1.0], [], False)],
)
def test_memorising_is_to_copy_more_long_passages_than_held_out_text(
    generated: list[float], held_out: list[float], memorises: bool
) -> None:
    assert Memorisation((10, 20), 100, generated, held_out, "x", 1).memorises is memorises
