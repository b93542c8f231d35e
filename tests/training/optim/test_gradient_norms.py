"""Gradient norms in the records, before and after clipping."""

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


def norms_of(training: TrainingSettings) -> dict[str, float | None]:
    progress = Progress()
    for norm in NORMS:
        count_norm(progress, norm, norm * SHAPE, training)
    norms = take_norms(progress)
    assert progress == Progress()  # the sums are reset
    return norms


def test_clipping_by_norm_is_counted() -> None:
    assert norms_of(settings(clip=1.0)) == pytest.approx(
        {
            "gradient_norm": 7.5 / 4,
            "gradient_norm_max": 4.0,
            "gradient_norm_clipped": (0.5 + 1 + 1 + 1) / 4,
            "clipped_share": 0.5,
        }
    )


def test_without_clipping_nothing_is_cut() -> None:
    norms = norms_of(settings(clip=0.0))
    assert norms["gradient_norm_clipped"] == norms["gradient_norm"] == 7.5 / 4
    assert norms["clipped_share"] == 0


def test_clipping_by_value_is_counted_too() -> None:
    norms = norms_of(settings(clip=1.5, clip_by="value"))
    assert norms["gradient_norm"] == 7.5 / 4
    # of norm 2 the numbers are 1.2 and -1.6, of norm 4 they are 2.4 and -3.2
    left = (0.5 + math.hypot(1.2, 1.5) + math.hypot(1.5, 1.5) + 1) / 4
    assert norms["gradient_norm_clipped"] == pytest.approx(left, rel=1e-6)
    assert norms["clipped_share"] == 0.5


def test_it_is_the_norm_of_what_is_clipped() -> None:
    gradient = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    progress = Progress()
    norm = float(np.linalg.norm(gradient))
    count_norm(progress, norm, gradient, settings(clip=0.7, clip_by="value"))
    clip(gradient, 0.7, "value")
    norms = take_norms(progress)
    assert norms["gradient_norm_clipped"] == pytest.approx(np.linalg.norm(gradient), rel=1e-6)


def test_a_record_of_no_counted_step_knows_nothing() -> None:
    assert set(take_norms(Progress()).values()) == {None}
