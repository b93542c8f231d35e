"""The weights of a network as products want them: packed, forward and transposed.

Packed once per training step and read by all workers, since weights change once per step. All
stand in one flat array; of uint32, it holds pairs of bfloat16.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import types
from numba.extending import overload
from numpy.typing import NDArray

from nextchar.kernels.aligned import aligned_zeros
from nextchar.kernels.gemm.bfloat16 import pack_pairs, pack_pairs_transposed
from nextchar.kernels.gemm.packing import pack, pack_transposed
from nextchar.kernels.isa import padded
from nextchar.kernels.jit import kernel
from nextchar.kernels.layout import W_HH, W_IH, Layout

FORWARD, TRANSPOSED = 0, 1


class PackedWeights(NamedTuple):
    """Room for every packed matrix.

    layers: (L, 2, 2) int64, where [layer, W_IH or W_HH, FORWARD or TRANSPOSED] begins in
    `matrices`; -1 for the W_ih of a one-hot input, and for what is transposed where that is not
    wanted. output: (2,), the same for (H × V), for the logits, and (V × H), for their gradient.
    """

    matrices: NDArray[Any]
    layers: NDArray[Any]
    output: NDArray[Any]


def allocate_packed_weights(
    shape: Layout, dtype: Any, *, pairs: bool = False, backward: bool = True
) -> PackedWeights:
    """Room for the packed weights of a shape. backward: whether transposed ones are wanted."""
    size = 0

    def place(rows: int, columns: int, *, wanted: bool = True) -> int:
        nonlocal size
        begin, room = size, (rows + 1) // 2 * columns if pairs else rows * columns
        size += room if wanted else 0
        return begin if wanted else -1

    layers = np.full((shape.L, 2, 2), -1, np.int64)
    width = shape.G * shape.P
    for n in range(shape.L):
        for which in (W_IH, W_HH):
            rows = packed_rows(shape, n, which)
            if rows:
                layers[n, which, FORWARD] = place(rows, width)
                there = place(width, padded(rows, dtype), wanted=backward)
                layers[n, which, TRANSPOSED] = there
    # P rows, not H: tied weights are packed transposed, their padding included
    output = [place(shape.P, shape.VP), place(shape.VP, shape.P, wanted=backward)]
    matrices = aligned_zeros(size, np.uint32 if pairs else dtype)
    return PackedWeights(matrices, layers, np.array(output, np.int64))


def packed_rows(shape: Any, n: Any, which: Any) -> Any:
    """Rows of a layer's W_IH or W_HH; 0 where the input is one-hot."""
    return shape.H if which == W_HH or n > 0 else shape.E


_rows_of = kernel(inlined=True)(packed_rows)


@kernel()
def pack_weights(shape, parameters, packed, part, parts):
    """Pack the parameters as they are now: one of several parts of the work, for any thread."""
    L, G, H, P = shape.L, shape.G, shape.H, shape.P
    task = part  # each matrix is two tasks; neighbouring ones go to different parts
    for n in range(L):
        for which in range(2):
            K, begin = _rows_of(shape, n, which), shape.layers[n, which]
            if K == 0:
                continue
            W = parameters[begin : begin + K * G * H].reshape(K, G * H)
            there, back = packed.layers[n, which]
            if task % parts == 0:
                _pack(packed.matrices[there:], W, G, H, P)
            if (task + 1) % parts == 0 and back >= 0:
                columns = _whole(shape, K)
                _pack_transposed(packed.matrices[back:], W, G, H, P, columns)
            task += 3
    _pack_output(shape, parameters, packed, task, parts)


@kernel(inlined=True)
def _pack_output(shape, parameters, packed, task, parts):
    H, P, V, VP = shape.H, shape.P, shape.V, shape.VP
    there, back = packed.output
    if shape.W_out < 0:  # the logits are products with the embedding's rows
        W = parameters[shape.embedding : shape.embedding + V * H].reshape(V, H)
        if task % parts == 0:
            _pack_transposed(packed.matrices[there:], W, 1, H, P, VP)
        if (task + 1) % parts == 0 and back >= 0:
            _pack(packed.matrices[back:], W, 1, H, P)
        return
    W = parameters[shape.W_out : shape.W_out + H * V].reshape(H, V)
    if task % parts == 0:
        _pack(packed.matrices[there:], W, 1, V, VP)
    if (task + 1) % parts == 0 and back >= 0:
        _pack_transposed(packed.matrices[back:], W, 1, V, VP, P)


@kernel(inlined=True)
def _whole(shape, K):
    """K rounded up to whole vectors; it is H or E."""
    return shape.P if shape.H == K else shape.EP


def _pack(out, source, gates, width, padded):
    raise NotImplementedError


def _pack_transposed(out, source, gates, width, padded, columns):
    raise NotImplementedError


@overload(_pack, inline="always")
def _pack_of(out, source, gates, width, padded):
    chosen = pack_pairs if out.dtype == types.uint32 else pack
    return lambda out, source, gates, width, padded: chosen(out, source, gates, width, padded)


@overload(_pack_transposed, inline="always")
def _pack_transposed_of(out, source, gates, width, padded, columns):
    chosen = pack_pairs_transposed if out.dtype == types.uint32 else pack_transposed

    def packed(out, source, gates, width, padded, columns):
        chosen(out, source, gates, width, padded, columns)

    return packed


@kernel(inlined=True)
def output_rows(shape):
    """Rows of the packed output matrix."""
    return shape.P if shape.W_out < 0 else shape.H


@kernel(inlined=True)
def output_transposed_rows(shape):
    """Rows of its packed transpose."""
    return shape.V if shape.W_out < 0 else shape.VP
