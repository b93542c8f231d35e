"""Figures of a model on held-out text: calibration, confusions, loss by kind and by context."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.context_loss import LENGTHS, ContextLoss, loss_by_context
from nextchar.apps.html.charts import Array
from nextchar.apps.predictions import Predictions, spread_positions
from nextchar.formatting.visible_text import code_name
from nextchar.model.file import Model
from nextchar.text.vocabulary import Codes

BINS = 10
POSITIONS = 1024  # at most, for the loss by context
_WORK = 7e10  # multiply-adds that the loss by context may cost
KINDS = ("letters", "digits", "spaces", "line breaks", "punctuation", "CJK", "other")
_CJK = ((0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))


@dataclass(frozen=True)
class Calibration:
    """Accuracy of the first guess by its probability.

    confidence, accuracy: (bins,) means; count: (bins,) guesses. Empty bins are omitted.
    error: mean distance of the two, weighted by count (expected calibration error).
    """

    confidence: Array
    accuracy: Array
    count: Array
    error: float


def calibration(predictions: Predictions) -> Calibration:
    """Return the calibration of the first guess, in bins of equal width (Guo et al., 2017)."""
    bins = np.minimum((predictions.confidence * BINS).astype(np.int64), BINS - 1)
    right = (predictions.guess == predictions.codes).astype(np.float64)
    count = np.bincount(bins, minlength=BINS).astype(np.float64)
    filled = count > 0
    sums = (np.bincount(bins, weights, BINS)[filled] for weights in (predictions.confidence, right))
    confidence, accuracy = (each / count[filled] for each in sums)
    error = float((count[filled] * abs(confidence - accuracy)).sum() / len(right))
    return Calibration(confidence, accuracy, count[filled], error)


@dataclass(frozen=True)
class Confusion:
    """A character and a wrong first guess.

    count: how often; share: of the occurrences of the character.
    """

    character: str
    guess: str
    count: int
    share: float


def confusions(model: Model, predictions: Predictions, most: int = 15) -> list[Confusion]:
    """Return the most frequent pairs of a character and a wrong first guess."""
    vocabulary = model.vocabulary
    V = len(vocabulary)
    codes = predictions.codes.astype(np.int64)
    wrong = predictions.guess != codes
    pairs, counts = np.unique(codes[wrong] * V + predictions.guess[wrong], return_counts=True)
    order = np.lexsort((pairs, -counts))[:most]
    occurrences = np.bincount(codes, minlength=V)
    actual, guess = pairs[order] // V, pairs[order] % V
    return [
        Confusion(code_name(vocabulary, a), code_name(vocabulary, g), n, n / int(occurrences[a]))
        for a, g, n in zip(actual.tolist(), guess.tolist(), counts[order].tolist(), strict=True)
    ]


@dataclass(frozen=True)
class KindLoss:
    """Mean nats per character of one kind of character.

    baseline: of 6-grams. share: of the text's characters.
    """

    kind: str
    loss: float
    baseline: float | None
    share: float


def loss_by_kind(model: Model, predictions: Predictions, baseline: Array | None) -> list[KindLoss]:
    """Return the loss of each kind of character in a text. baseline: (N,) nats of 6-grams."""
    names = [code_name(model.vocabulary, code) for code in range(len(model.vocabulary))]
    kinds = np.array([KINDS.index(kind_of(each)) for each in names])
    kind_numbers = kinds[predictions.codes.astype(np.int64)]
    losses = []
    for number, kind in enumerate(KINDS):
        chosen = kind_numbers == number
        if chosen.any():
            other = None if baseline is None else float(baseline[chosen].mean())
            loss = float(-predictions.log_p[chosen].mean())
            losses.append(KindLoss(kind, loss, other, float(chosen.mean())))
    return losses


def kind_of(character: str) -> str:
    """Return the kind of a character, one of `KINDS`; a longer name is of the kind other."""
    if character in {"\n", "\r", "\u2028", "\u2029"}:
        return "line breaks"
    if len(character) != 1:
        return "other"
    point, category = ord(character), unicodedata.category(character)
    if category == "Zs" or character == "\t":
        return "spaces"
    if any(low <= point <= high for low, high in _CJK) and category[0] == "L":
        return "CJK"
    names = {"L": "letters", "M": "letters", "N": "digits", "P": "punctuation", "S": "punctuation"}
    return names.get(category[0], "other")


def context_loss(
    reader: BatchPredictor, model: Model, codes: Codes, predictions: Predictions
) -> ContextLoss:
    """Return the loss by length of context, at positions that a bounded work allows.

    The full loss is that of `predictions`, with the state carried on from the text's beginning.
    """
    lengths = [length for length in LENGTHS if length <= (len(codes) - 1) // 2]
    steps = sum(lengths) * model.architecture.matrix_size
    wanted = int(min(POSITIONS, max(_WORK // max(steps, 1), POSITIONS // 8)))
    positions = spread_positions(len(codes), wanted, max(*lengths, 1))
    full_loss = float(-predictions.log_p[positions - 1].mean())
    return loss_by_context(reader, codes, positions, full_loss)
