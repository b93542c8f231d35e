"""Loss at the same positions of a text, by how many characters before them are read.

The state is reset before the context, so that the curve shows how far back a model remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.text.vocabulary import Codes

LENGTHS = (0, *(2**n for n in range(10)))  # characters of context: 0, 1, 2, 4 … 512
CONVERGED = 0.0005  # nats; two losses in a row this close to the full loss end the curve


@dataclass(frozen=True)
class ContextLoss:
    """Loss by length of context.

    lengths: characters read, up to where more of them change nothing. positions: how many were
    averaged. loss: (lengths,) mean nats; error: (lengths,) its standard error.
    full_loss: mean nats at the same positions with all context.
    """

    lengths: tuple[int, ...]
    positions: int
    loss: NDArray[np.float64]
    error: NDArray[np.float64]
    full_loss: float


def loss_by_context(
    reader: BatchPredictor,
    codes: Codes,
    positions: NDArray[Any],
    full_loss: float,
    lengths: Sequence[int] = LENGTHS,
) -> ContextLoss:
    """Return the loss at positions (B,) of a text after ever longer contexts.

    Lengths that reach beyond the text's beginning are left out.
    """
    loss, error = list[float](), list[float]()
    possible = tuple(length for length in lengths if length <= positions.min())
    for length in possible:
        nats = nats_at(reader, codes, positions, length)
        loss.append(float(nats.mean()))
        error.append(float(nats.std() / np.sqrt(len(positions))))
        if len(loss) > 1 and max(abs(each - full_loss) for each in loss[-2:]) < CONVERGED:
            break
    tried = possible[: len(loss)]
    return ContextLoss(tried, len(positions), np.array(loss), np.array(error), full_loss)


def nats_at(
    reader: BatchPredictor, codes: Codes, positions: NDArray[Any], length: int
) -> NDArray[np.float64]:
    """Return the loss in nats at each position (B,), after the `length` characters before it."""
    log_p = reader.expect_after(codes, positions, length)
    targets = np.arange(len(positions)), codes[positions].astype(np.int64)
    return np.asarray(-log_p[targets].astype(np.float64))
