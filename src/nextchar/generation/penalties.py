"""Biases, penalties and bans on the logits of single characters.

Pure functions over rows of logits (N, V) in float64, which are not changed; -inf bans a character,
and stays -inf. Penalties take the text of each row so far: N arrays of codes, of any lengths.
`sampling.probabilities` defines their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Codes = NDArray[Any]

MAX_PENALTY = 1e100  # a larger one (or its inverse) changes nothing, but overflows


def with_bias(logits: Array, bias: Array) -> Array:
    """Return logits plus a bias (V,), in which -inf bans a character."""
    return np.asarray(logits + bias)


def with_repetition_penalty(logits: Array, recent: Sequence[Codes], penalty: float) -> Array:
    """Multiply negative logits of recent codes by a positive penalty, and divide others by it.

    A code is penalised once, however often it occurs (CTRL, Keskar et al., 2019).
    """
    penalty = min(max(penalty, 1 / MAX_PENALTY), MAX_PENALTY)
    result = logits.copy()
    for row, codes in zip(result, recent, strict=True):
        scores = row[codes]
        row[codes] = np.where(scores < 0, scores * penalty, scores / penalty)
    return result


def with_presence_and_frequency(
    logits: Array, recent: Sequence[Codes], presence: float, frequency: float
) -> Array:
    """Subtract from logits of recent codes: presence once, frequency for each occurrence."""
    V = logits.shape[1]
    counts = np.stack([np.bincount(codes, minlength=V) for codes in recent])  # (N, V)
    return np.asarray(logits - presence * (counts > 0) - frequency * counts)


def without_repeated_ngrams(logits: Array, histories: Sequence[Codes], n: int) -> Array:
    """Ban codes that would repeat a sequence of n codes in the history.

    n: at least 1, with which no code occurs twice.
    """
    result = logits.copy()
    for row, history in zip(result, histories, strict=True):
        lasts = np.arange(n - 1, len(history))  # positions at which a sequence of n codes ends
        for back in range(1, n):
            if len(lasts) == 0:
                break
            lasts = lasts[history[lasts - back] == history[-back]]
        row[history[lasts]] = -np.inf
    return result
