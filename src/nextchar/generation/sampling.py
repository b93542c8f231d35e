"""Sampling of the next character: pure functions over rows of logits, in float64.

Rules apply in the order of Hugging Face's transformers, each to the result of those before it:

    logit_bias               added to the logits; -inf bans
    repetition_penalty       over the last repeat_last_n codes, including the prompt
    presence_penalty, frequency_penalty    over the same codes
    no_repeat_ngram_size     over all codes, including the prompt
    min_length, pattern      ban codes that are not `allowed` here
    temperature              0 takes the largest logit, and no rule below applies
    top_k, top_p, min_p, typical_p

Rules up to no_repeat_ngram_size are in `penalties`, the others here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.generation import penalties
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.model.loss import log_softmax

Array = NDArray[Any]
Codes = NDArray[Any]


def probabilities(
    logits: Array,
    settings: GenerationSettings,
    histories: Sequence[Codes] | None = None,
    bias: Array | None = None,
    allowed: NDArray[np.bool_] | None = None,
) -> Array:
    """Return the probabilities with which characters are drawn.

    logits: (N, V), -inf for banned characters; not changed.
    histories: all codes of each row so far, including the prompt; None without penalties.
    bias: (V,) added to every row, -inf for characters that are never drawn.
    allowed: (N, V), False for characters that a pattern or min_length bans.
    Returns (N, V) float64 rows that sum to 1 up to rounding, or to 0 where all codes are banned.
    """
    logits = logits.astype(np.float64)
    if bias is not None:
        logits = penalties.with_bias(logits, bias)
    if histories is not None:
        logits = apply_penalties(logits, settings, histories)
    if allowed is not None:
        logits = np.where(allowed, logits, -np.inf)
    all_banned = np.isneginf(logits).all(axis=1, keepdims=True)
    logits = np.where(all_banned, 0, logits)  # -inf less the largest logit, -inf, would be NaN
    return np.where(all_banned, 0, _probabilities(logits, settings))


def sample(probabilities: Array, uniforms: Array) -> NDArray[np.intp]:
    """Draw one code for each row by inverting the cumulative distribution; -1 where all are zero.

    probabilities: (N, V), non-negative; they need not sum to exactly 1.
    uniforms: (N,) in [0, 1).
    A code of probability zero is never drawn, whatever the rounding.
    """
    cumulative = np.cumsum(probabilities, axis=1)
    targets = uniforms * cumulative[:, -1]
    codes = (cumulative <= targets[:, None]).sum(axis=1)
    last = probabilities.shape[1] - 1 - np.argmax(probabilities[:, ::-1] > 0, axis=1)
    return np.where(cumulative[:, -1] == 0, -1, np.minimum(codes, last))


def recent_codes(history: Codes, repeat_last_n: int) -> Codes:
    """Return the last codes, to which penalties apply; -1 is all, 0 none."""
    return history if repeat_last_n < 0 else history[max(len(history) - repeat_last_n, 0) :]


def with_temperature(logits: Array, temperature: float) -> Array:
    """Divide logits by a positive temperature, with the largest moved to 0 against overflow."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # -1 / 1e-320 is -inf, as intended
        return np.asarray(shifted / temperature)


def keep_top_k(logits: Array, k: int) -> Array:
    """Keep the k largest logits of each row, and those equal to the smallest of them."""
    threshold = np.partition(logits, -k, axis=1)[:, -k, None]
    return np.where(logits >= threshold, logits, -np.inf)


def keep_top_p(logits: Array, p: float) -> Array:
    """Keep the fewest largest logits of each row whose probabilities sum to p or more.

    Nucleus sampling (Holtzman et al., 2020); at least one is kept.
    """
    return _keep_first(logits, np.argsort(-logits, axis=1, kind="stable"), p)


def keep_min_p(logits: Array, p: float) -> Array:
    """Keep codes at least p times as probable as the most probable one (Nguyen et al., 2024)."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.where(shares >= p, logits, -np.inf)


def keep_typical_p(logits: Array, p: float) -> Array:
    """Keep the codes with the surprisal closest to the entropy, up to total probability p.

    Locally typical sampling (Meister et al., 2022). Of two equally close codes the lower comes
    first; at least one is kept.
    """
    surprisal = -log_softmax(logits)
    # a code of probability 0 adds nothing to the entropy, though its surprisal is infinite
    terms = np.exp(-surprisal) * np.where(np.isposinf(surprisal), 0, surprisal)
    distance = np.abs(surprisal - terms.sum(axis=1, keepdims=True))
    return _keep_first(logits, np.argsort(distance, axis=1, kind="stable"), p)


def apply_penalties(
    logits: Array, settings: GenerationSettings, histories: Sequence[Codes]
) -> Array:
    """Return logits after the rules over recent codes; histories as in `probabilities`."""
    windows = [recent_codes(history, settings.repeat_last_n) for history in histories]
    presence, frequency = settings.presence_penalty, settings.frequency_penalty
    if settings.repetition_penalty != 1:
        logits = penalties.with_repetition_penalty(logits, windows, settings.repetition_penalty)
    if presence or frequency:
        logits = penalties.with_presence_and_frequency(logits, windows, presence, frequency)
    if settings.no_repeat_ngram_size:
        logits = penalties.without_repeated_ngrams(logits, histories, settings.no_repeat_ngram_size)
    return logits


def _probabilities(logits: Array, settings: GenerationSettings) -> Array:
    """Apply the rules from temperature on, and return probabilities."""
    if settings.temperature == 0:
        return _greedy(logits)
    logits = with_temperature(logits, settings.temperature)
    if 0 < settings.top_k < logits.shape[1]:
        logits = keep_top_k(logits, settings.top_k)
    if settings.top_p < 1:
        logits = keep_top_p(logits, settings.top_p)
    if settings.min_p > 0:
        logits = keep_min_p(logits, settings.min_p)
    if settings.typical_p < 1:
        logits = keep_typical_p(logits, settings.typical_p)
    return np.asarray(np.exp(log_softmax(logits)))


def _greedy(logits: Array) -> Array:
    rows = np.zeros_like(logits)
    rows[np.arange(len(logits)), logits.argmax(axis=1)] = 1
    return rows


def _keep_first(logits: Array, order: NDArray[np.intp], p: float) -> Array:
    """Keep the first codes of an order (N, V) up to total probability p; at least one."""
    ordered = np.exp(log_softmax(np.take_along_axis(logits, order, axis=1)))
    before = np.cumsum(ordered, axis=1) - ordered  # total probability of the codes before each
    dropped = np.empty(logits.shape, dtype=bool)
    np.put_along_axis(dropped, order, before >= p, axis=1)
    return np.where(dropped, -np.inf, logits)
