"""The gradient's norm in the records: before and after clipping, as the settings clip."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from nextchar.settings.config import Settings, TrainingSettings
from nextchar.training.optim.gradient_norms import count_norm, take_norms
from nextchar.training.optim.optimizers import clip
from nextchar.training.saving.checkpoint import Progress

NORMS = (0.5, 2.0, 4.0, 1.0)
SHAPE = np.array([0.6, -0.8], np.float32)  # of norm 1


def settings(**given: Any) -> TrainingSettings:
    return Settings.make("medium", **given).training


def told(training: TrainingSettings) -> dict[str, float | None]:
    progress = Progress()
    for norm in NORMS:
        count_norm(progress, norm, norm * SHAPE, training)
    made = take_norms(progress)
    assert progress == Progress()  # the sums begin anew
    return made


def test_clipping_by_norm_is_told() -> None:
    assert told(settings(clip=1.0)) == pytest.approx(
        {
            "gradient_norm": 7.5 / 4,
            "gradient_norm_max": 4.0,
            "gradient_norm_clipped": (0.5 + 1 + 1 + 1) / 4,
            "clipped_share": 0.5,
        }
    )


def test_without_clipping_nothing_is_cut() -> None:
    made = told(settings(clip=0.0))
    assert made["gradient_norm_clipped"] == made["gradient_norm"] == 7.5 / 4
    assert made["clipped_share"] == 0


def test_clipping_by_value_is_told_too() -> None:
    made = told(settings(clip=1.5, clip_by="value"))
    assert made["gradient_norm"] == 7.5 / 4
    # of norm 2 the numbers are 1.2 and -1.6, of norm 4 they are 2.4 and -3.2
    left = (0.5 + math.hypot(1.2, 1.5) + math.hypot(1.5, 1.5) + 1) / 4
    assert made["gradient_norm_clipped"] == pytest.approx(left, rel=1e-6)
    assert made["clipped_share"] == 0.5


def test_it_is_the_norm_of_what_is_clipped() -> None:
    gradient = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    progress = Progress()
    norm = float(np.linalg.norm(gradient))
    count_norm(progress, norm, gradient, settings(clip=0.7, clip_by="value"))
    clip(gradient, 0.7, "value")
    made = take_norms(progress)
    assert made["gradient_norm_clipped"] == pytest.approx(np.linalg.norm(gradient), rel=1e-6)


def test_a_record_of_no_counted_step_knows_nothing() -> None:
    assert set(take_norms(Progress()).values()) == {None}
