"""The prediction of a model at every position of a text.

The scorer (`model.scorer`) sums the same figures; here each one is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.kernels.engine import SCORING_LANES
from nextchar.model.scorer import Chunk
from nextchar.text.vocabulary import Codes


@dataclass(frozen=True)
class Predictions:
    """Predictions of all characters of a text but the first, which has no context.

    codes: (N,) the characters. log_p: (N,) float64, the log-probability of each, in nats.
    guess: (N,) the most probable character; confidence: (N,) its probability.
    """

    codes: Codes
    log_p: NDArray[np.float64]
    guess: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @property
    def loss(self) -> float:
        """Mean nats per character."""
        return float(-self.log_p.mean())

    @property
    def accuracy(self) -> float:
        """Share of the characters that are the most probable ones."""
        return float((self.guess == self.codes).mean())


def read(reader: BatchPredictor, codes: Codes, lanes: int = SCORING_LANES) -> Predictions:
    """Return the predictions in a text of codes (N,), N ≥ 2. lanes: as in `Engine.score`."""
    pairs = len(codes) - 1
    result = Predictions(codes[1:], np.empty(pairs), np.empty(pairs, np.int64), np.empty(pairs))

    def keep(chunk: Chunk) -> None:
        at = chunk.places[chunk.own] - 1
        every = chunk.read.every[chunk.own]
        result.log_p[at] = chunk.read.log_p[chunk.own]
        result.guess[at] = guess = every.argmax(axis=-1)
        result.confidence[at] = np.exp(every[np.arange(len(at)), guess].astype(np.float64))

    reader.watch(codes, keep, lanes=lanes)
    return result


def spread_positions(total: int, most: int, before: int) -> NDArray[np.int64]:
    """Return at most `most` positions spread evenly over a text of `total` characters.

    Each has at least `before` characters before it.
    """
    count = max(min(most, total - before), 0)
    return before + (np.arange(count) * (total - before) // max(count, 1)).astype(np.int64)
