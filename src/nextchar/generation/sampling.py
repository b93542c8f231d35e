"""Logits → the next character. Pure functions over rows of logits, in float64.

Rules apply in this order: temperature, top_k, top_p (as in Hugging Face's transformers).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.generation.settings import GenerationSettings
from nextchar.model.loss import log_softmax

Array = NDArray[Any]


def probabilities(logits: Array, settings: GenerationSettings) -> Array:
    """The probabilities that characters are drawn with.

    logits: (N, V), -inf for what must not be drawn; not changed.
    Returns (N, V) float64 rows that sum to 1 up to rounding.
    """
    logits = logits.astype(np.float64)
    if settings.temperature == 0:
        return _greedy(logits)
    logits = with_temperature(logits, settings.temperature)
    if 0 < settings.top_k < logits.shape[1]:
        logits = keep_top_k(logits, settings.top_k)
    if settings.top_p < 1:
        logits = keep_top_p(logits, settings.top_p)
    return np.asarray(np.exp(log_softmax(logits)))


def with_temperature(logits: Array, temperature: float) -> Array:
    """Logits divided by a positive temperature, the largest moved to 0 so that none overflows."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # -1 / 1e-320 is -inf, which is what is meant
        return np.asarray(shifted / temperature)


def keep_top_k(logits: Array, k: int) -> Array:
    """Only the k largest logits of each row, and what equals the smallest of them."""
    threshold = np.partition(logits, -k, axis=1)[:, -k, None]
    return np.where(logits >= threshold, logits, -np.inf)


def keep_top_p(logits: Array, p: float) -> Array:
    """Only the fewest largest logits of each row whose probabilities sum to p or more.

    Nucleus sampling (Holtzman et al., 2020); at least one is kept.
    """
    order = np.argsort(-logits, axis=1, kind="stable")
    ordered = np.exp(log_softmax(np.take_along_axis(logits, order, axis=1)))
    before = np.cumsum(ordered, axis=1) - ordered  # what more probable characters have together
    dropped = np.empty(logits.shape, dtype=bool)
    np.put_along_axis(dropped, order, before >= p, axis=1)
    return np.where(dropped, -np.inf, logits)


def draw(probabilities: Array, uniforms: Array) -> NDArray[np.intp]:
    """One code for each row, by inverting the cumulative distribution.

    probabilities: (N, V), non-negative; they need not sum to exactly 1.
    uniforms: (N,) in [0, 1).
    A code of probability zero is never drawn, whatever the rounding.
    """
    cumulative = np.cumsum(probabilities, axis=1)
    targets = uniforms * cumulative[:, -1]
    codes = (cumulative <= targets[:, None]).sum(axis=1)
    last = probabilities.shape[1] - 1 - np.argmax(probabilities[:, ::-1] > 0, axis=1)
    return np.asarray(np.minimum(codes, last))


def _greedy(logits: Array) -> Array:
    rows = np.zeros_like(logits)
    rows[np.arange(len(logits)), logits.argmax(axis=1)] = 1
    return rows
