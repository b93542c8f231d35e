"""Symbols of an interactive text, and its edits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nextchar.formatting.units import to_bits

NOT_SCORED = float("nan")


@dataclass(frozen=True)
class Symbol:
    """A character, or byte, of a text. logprob: the model's own; NaN where not scored."""

    code: int
    logprob: float


@dataclass(frozen=True)
class Alternative:
    """A possible next code. probability: to be drawn. own: the model's own, before all rules."""

    code: int
    probability: float
    own: float


@dataclass(frozen=True)
class Edit:
    """A change at the end of a text: some symbols removed, then some added."""

    removed: tuple[Symbol, ...]
    added: tuple[Symbol, ...]


def mean_bits(symbols: Sequence[Symbol]) -> float:
    """Return the mean surprisal of the scored symbols in bits; NaN if there are none."""
    scored = [each.logprob for each in symbols if not math.isnan(each.logprob)]
    return -to_bits(float(np.mean(scored))) if scored else math.nan
