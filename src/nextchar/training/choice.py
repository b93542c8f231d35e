"""What the preset `auto` chooses: a network and a training that follow from the text and the time.

    work      operations that the run affords
    weights   sqrt(work / (6 · PER_WEIGHT)): each of them is then trained on PER_WEIGHT characters
    passes    how often the text is read; where that is often, dropout rises and weights are fewer

The constants were found on the validation part of tiny Shakespeare; docs/recipes.md has the runs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nextchar.config import NetworkSettings
from nextchar.model.parameters import Architecture
from nextchar.training.speed import operations

PER_WEIGHT = 25  # characters trained on for each weight
NOMINAL_WORK = 27e12  # of a run that ends by steps, epochs or nothing: 3 min at 150 GFlop/s
SIZES = (64, 96, 128, 160, 192, 256, 320, 384, 448, 512, 640, 768, 1024)  # whole vectors and tiles
DEEP = 192  # from here on a second layer is worth more than a wider one


@dataclass(frozen=True)
class Known:
    """What is known before training.

    characters, distinct: of the training part. work: operations that the time affords, None where
    the run ends otherwise. seconds: that time.
    """

    characters: int
    distinct: int
    work: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Choice:
    """Settings that were not given, and why they are what they are, in three lines."""

    settings: Mapping[str, Any]
    reasons: tuple[str, str, str]
