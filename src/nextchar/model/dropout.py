"""Dropout masks, computed from the seed and the step alone, so that a resumed run repeats them.

Each entry is a hash of its index, so that any part of a mask can be computed separately.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.model.parameters import Architecture, Array

Hashes = NDArray[np.uint32]


def draw_masks(
    architecture: Architecture,
    seq_length: int,
    lanes: int,
    rate: float,
    *,
    seed: int,
    step: int,
    dtype: Any,
) -> list[Array] | None:
    """Return a mask of shape (T, B, H) for each layer's output, or None if the rate is zero.

    Entries are 0 with probability `rate` and 1/(1-rate) otherwise, which keeps the mean
    (Srivastava et al., 2014; between layers only, as in Zaremba et al., 2014).
    """
    if rate == 0:
        return None
    s = architecture.settings
    shape = (seq_length, lanes, s.hidden_size)
    numbers = np.arange(np.prod(shape), dtype=np.uint32).reshape(shape)
    factor = np.dtype(dtype).type(1 / (1 - rate))
    return [
        (_hash(numbers, low, high) >= threshold_of(rate)) * factor
        for low, high in keys_of(s.num_layers, seed, step)
    ]


def keys_of(layers: int, seed: int, step: int) -> Hashes:
    """Return two hash keys for each layer, (L, 2)."""
    keys = np.random.SeedSequence([seed, step]).generate_state(2 * layers, np.uint32)
    return keys.astype(np.uint32).reshape(layers, 2)


def threshold_of(rate: float) -> np.uint32:
    """Return the smallest hash of an entry that is kept."""
    return np.uint32(round(rate * (2**32 - 1)))


def _hash(x: Hashes, low: np.uint32, high: np.uint32) -> Hashes:
    """Two rounds of the finalizer of MurmurHash3 (Appleby), with a key before each round."""
    return _mixed(_mixed(x ^ low) + high)


def _mixed(x: Hashes) -> Hashes:
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = (x ^ (x >> np.uint32(shift))) * np.uint32(factor)
    return x ^ (x >> np.uint32(16))
