"""Rules that say of single characters that they are liked more, less or not at all.

Pure functions over rows of logits (N, V) in float64, which they do not change; -inf is what must
not be drawn, and stays so. Those that look back are given what each row has written: N arrays of
codes, of any lengths. `sampling.probabilities` has their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Codes = NDArray[Any]

MOST_PENALTY = 1e100  # beyond it (and its inverse) nothing changes but that numbers overflow


def with_bias(logits: Array, bias: Array) -> Array:
    """Logits plus bias (V,), of which -inf bans a character."""
    return np.asarray(logits + bias)


def with_repetition_penalty(logits: Array, recent: Sequence[Codes], penalty: float) -> Array:
    """Negative logits of the recent codes times a positive penalty, the others divided by it.

    However often a code is there, it is penalised once (CTRL, Keskar et al., 2019).
    """
    penalty = min(max(penalty, 1 / MOST_PENALTY), MOST_PENALTY)
    made = logits.copy()
    for row, codes in zip(made, recent, strict=True):
        scores = row[codes]
        row[codes] = np.where(scores < 0, scores * penalty, scores / penalty)
    return made


def with_presence_and_frequency(
    logits: Array, recent: Sequence[Codes], presence: float, frequency: float
) -> Array:
    """Logits less presence for what is among the recent codes, less frequency for each time."""
    V = logits.shape[1]
    counts = np.stack([np.bincount(codes, minlength=V) for codes in recent])  # (N, V)
    return np.asarray(logits - presence * (counts > 0) - frequency * counts)


def without_repeated_ngrams(logits: Array, histories: Sequence[Codes], n: int) -> Array:
    """Nothing that would make the last n codes the same as n in a row of the history.

    n: at least 1, with which no code comes twice.
    """
    made = logits.copy()
    for row, history in zip(made, histories, strict=True):
        lasts = np.arange(n - 1, len(history))  # where each n codes in a row have their last one
        for back in range(1, n):
            if len(lasts) == 0:
                break
            lasts = lasts[history[lasts - back] == history[-back]]
        row[history[lasts]] = -np.inf
    return made
