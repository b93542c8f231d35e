"""Charts of what models know, drawn from numbers that can be checked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.report.figures import (
    against_baselines,
    by_context,
    by_kind,
    calibrated,
    confused,
)
from nextchar.apps.report.held_out import Calibration, Confusion, KindLoss
from nextchar.apps.report.model_analysis import Analysis


def test_all_context_has_the_same_x_for_every_run() -> None:
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


def test_runs_on_the_same_characters_share_a_chart_with_their_baselines() -> None:
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
