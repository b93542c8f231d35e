"""Dropout masks, drawn from the seed and the step alone, so that a resumed run repeats them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.model.parameters import Architecture

Array = NDArray[Any]


def draw_masks(
    architecture: Architecture,
    lanes: tuple[int, int],
    seq_length: int,
    rate: float,
    *,
    seed: int,
    step: int,
    dtype: Any,
) -> list[Array] | None:
    """A mask of shape (T, B, H) for each layer's output, or None where the rate is zero.

    lanes: first lane and the one after the last of the lanes that the masks are for.
    Entries are 0 with probability `rate` and 1/(1-rate) otherwise, so that means are kept
    (Srivastava et al., 2014; between layers only, as in Zaremba et al., 2014).
    """
    if rate == 0:
        return None
    s = architecture.settings
    shape = (seq_length, lanes[1] - lanes[0], s.hidden_size)
    masks = []
    for layer in range(s.num_layers):
        rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, layer, lanes[0], step]))
        kept = rng.random(shape, dtype=np.float32) >= rate
        masks.append(kept * np.dtype(dtype).type(1 / (1 - rate)))
    return masks
