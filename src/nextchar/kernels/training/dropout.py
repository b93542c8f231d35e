"""Dropout of a layer's output; the readable twin is model/dropout.py, bit for bit.

A unit is kept or dropped by a hash of its number, so no mask is stored, forward and backward
agree, and any thread may compute any lane:

    number = (t · lanes + lane) · H + unit        of the entry in a mask (T, lanes, H)
    keys   = two of each layer, from the seed and the training step
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.jit import kernel
from nextchar.model.dropout import keys_of, threshold_of

u32 = np.uint32


class Dropout(NamedTuple):
    """Dropped units of a training step."""

    keys: NDArray[Any]  # (L, 2) uint32, empty where nothing is dropped
    threshold: Any  # a unit whose hash is below it is dropped
    factor: float  # of the other units


NO_DROPOUT = Dropout(np.zeros((0, 2), u32), u32(0), 1.0)


def make_dropout(layers: int, rate: float, seed: int, step: int) -> Dropout:
    """Return the dropped units of a training step."""
    if rate == 0:
        return NO_DROPOUT
    # the units that are kept are scaled up: the mean stays
    return Dropout(keys_of(layers, seed, step), threshold_of(rate), 1 / (1 - rate))


@kernel()
def apply_dropout(source, out, n, dropout, H, first, lanes):
    """Write `source` with the dropped units of layer n zeroed and the others scaled to `out`.

    source, out: (T, B, P), may be the same array.
    first: number of the first of the B lanes among all `lanes` of the batch.
    """
    T, B, _ = source.shape
    factor = source.dtype.type(dropout.factor)  # otherwise the loop would run in float64
    low, high, threshold = dropout.keys[n, 0], dropout.keys[n, 1], u32(dropout.threshold)
    for t in range(T):
        for lane in range(B):
            # numbers of all lanes of the batch: the same units whichever machine has the lane
            row, into = source[t, lane], out[t, lane]
            number = u32((t * lanes + first + lane) * H)
            for j in range(H):
                kept = _hash(u32(number + u32(j)), low, high) >= threshold
                into[j] = row[j] * factor if kept else source.dtype.type(0)


@kernel()
def _hash(x, low, high):
    """Two rounds of the finalizer of MurmurHash3 (Appleby), with a key before each."""
    return _mixed(u32(_mixed(u32(x ^ low)) + high))


@kernel()
def _mixed(x):
    """One round: each bit of x comes to depend on all of them."""
    x = u32(u32(x ^ (x >> u32(16))) * u32(0x85EBCA6B))  # Numba's sums and products are 64 bits
    x = u32(u32(x ^ (x >> u32(13))) * u32(0xC2B2AE35))
    return u32(x ^ (x >> u32(16)))
