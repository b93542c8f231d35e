"""What a model expects at every place of a text.

The scorer (`model.scorer`) sums the same figures; here each is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.kernels.engine import SCORING_LANES
from nextchar.model.scorer import Chunk
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """What a model made of a text's characters, the first one left out, which is only read.

    codes: (N,) the characters. log_p: (N,) float64, the log-probability that each was given, nats.
    guess: (N,) the most probable one, confidence: (N,) its probability.
    """

    codes: Codes
    log_p: NDArray[np.float64]
    guess: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @property
    def loss(self) -> float:
        """Mean nats per character."""
        return float(-self.log_p.mean())


def read(reader: BatchPredictor, codes: Codes, lanes: int = SCORING_LANES) -> Predictions:
    """What is expected in a text of (N,) codes, N ≥ 2. lanes: as `Engine.score` takes them."""
    pairs = len(codes) - 1
    made = Predictions(codes[1:], np.empty(pairs), np.empty(pairs, np.int64), np.empty(pairs))

    def keep(chunk: Chunk) -> None:
        at = chunk.places[chunk.own] - 1
        every = chunk.read.every[chunk.own]
        made.log_p[at] = chunk.read.log_p[chunk.own]
        made.guess[at] = guess = every.argmax(axis=-1)
        made.confidence[at] = np.exp(every[np.arange(len(at)), guess].astype(np.float64))

    reader.watch(codes, keep, lanes=lanes)
    return made


def places_of(total: int, wanted: int, before: int) -> NDArray[np.int64]:
    """Places spread evenly over a text of `total` characters, at most `wanted`.

    Each has `before` characters before it.
    """
    count = max(min(wanted, total - before), 0)
    return before + (np.arange(count) * (total - before) // max(count, 1)).astype(np.int64)
