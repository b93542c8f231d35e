"""The gradient's norm in the records: before and after clipping, as the settings clip."""

from __future__ import annotations

from typing import Any

import pytest

from nextchar.config import Settings, TrainingSettings
from nextchar.training.checkpoint import Progress
from nextchar.training.norms import count_norm, take_norms

NORMS = (0.5, 2.0, 4.0, 1.0)


def settings(**given: Any) -> TrainingSettings:
    return Settings.make("medium", **given).training


def told(training: TrainingSettings) -> dict[str, float | None]:
    progress = Progress()
    for norm in NORMS:
        count_norm(progress, norm, training)
    made = take_norms(progress, training)
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


def test_what_clipping_by_value_leaves_is_not_known() -> None:
    made = told(settings(clip_by="value"))
    assert made["gradient_norm"] == 7.5 / 4
    assert made["gradient_norm_clipped"] is made["clipped_share"] is None


def test_a_record_of_no_counted_step_knows_nothing() -> None:
    assert set(take_norms(Progress(), settings()).values()) == {None}
