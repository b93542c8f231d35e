"""A random permutation of any length that takes no memory.

A keyed permutation of 0 … size-1, computed element by element: a Feistel network over the next
power of four, iterated until the result is below `size` (Black & Rogaway, "Ciphers with arbitrary
finite domains", 2002). Resuming in an order of 10⁹ windows needs only an index.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ROUNDS = 6
_U64 = np.uint64


def shuffled(indices: NDArray[np.int64], size: int, key: int) -> NDArray[np.int64]:
    """Return the images of indices under the permutation of `size` elements chosen by `key`.

    indices: any shape, each in [0, size).
    """
    half = max((size - 1).bit_length() + 1, 2) // 2  # bits of each half
    values = np.array(indices, dtype=_U64)
    outside = np.ones(values.shape, dtype=bool)
    while outside.any():
        values[outside] = _feistel(values[outside], half, key)
        outside = values >= size
    return values.astype(np.int64)


def _feistel(values: NDArray[np.uint64], half: int, key: int) -> NDArray[np.uint64]:
    mask = _U64((1 << half) - 1)
    left, right = values >> _U64(half), values & mask
    for n in range(_ROUNDS):
        left, right = right, left ^ (_mixed(right, key * _ROUNDS + n) & mask)
    return (left << _U64(half)) | right


def _mixed(values: NDArray[np.uint64], key: int) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele, Lea & Flood, 2014) over value and key."""
    z = values + _U64((key * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
    z = (z ^ (z >> _U64(30))) * _U64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _U64(27))) * _U64(0x94D049BB133111EB)
    return z ^ (z >> _U64(31))
