"""Pairs of bfloat16: rounding rows of A, packing B, and the sum over rows.

A uint32 holds two neighbours along the inner dimension, the first in its lower half. An odd last
one is paired with zero. Sums are float32; what is lost is the operands' last 16 bits.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from nextchar.kernels.compiled import kernel
from nextchar.kernels.isa import HOST
from nextchar.kernels.tile import ROWS, VECTORS, prefetch, tile

LENGTH = HOST.vector_bytes // 4
DEPTH = 256  # rows summed at once: half as many pairs
_u32 = np.uint32


@intrinsic
def _load_bits(context, address):
    """The bits of the float32 at an address."""

    def generate(codegen, builder, signature, args):
        return builder.load(builder.inttoptr(args[0], ir.IntType(32).as_pointer()))

    return types.uint32(types.intp), generate


@intrinsic
def _bits_of(context, x):
    def generate(codegen, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@kernel()
def _rounded(bits):
    """The upper half of a float32, rounded to nearest, ties to even; NaN stays NaN."""
    is_nan = (bits & _u32(0x7FFFFFFF)) > _u32(0x7F800000)
    rounded = (bits + _u32(0x7FFF) + ((bits >> _u32(16)) & _u32(1))) >> _u32(16)
    return ((bits >> _u32(16)) | _u32(0x40)) if is_nan else rounded


@kernel()
def _pair(low, high):
    return _rounded(low) | (_rounded(high) << _u32(16))


@kernel()
def round_rows(a, a_row, M, K, out):
    """Rows of A (M × K, float32, at an address) as pairs, ⌈K/2⌉ of them in a row of `out`."""
    width = (K + 1) // 2 * 2
    halves = out.view(np.uint16)  # one after the other: a loop that becomes vectors
    for m in range(M):
        row = halves[m * width : (m + 1) * width]
        start = a + m * a_row * 4
        for k in range(K):
            row[k] = np.uint16(_rounded(_load_bits(start + 4 * k)))
        if K % 2:
            row[K] = 0


@kernel()
def pack_pairs(out, source, gates, width, padded):
    """As `product.pack`, in pairs along the rows."""
    K = source.shape[0]
    pairs = (K + 1) // 2
    vectors = gates * padded // LENGTH
    for v in range(vectors):
        panel = v // VECTORS * VECTORS
        row = min(VECTORS, vectors - panel) * LENGTH
        start = panel * LENGTH * pairs + (v - panel) * LENGTH
        gate, first = divmod(v * LENGTH, padded)
        count = max(0, min(LENGTH, width - first))
        column = gate * width + first
        for k in range(pairs):
            for j in range(LENGTH):
                low = high = _u32(0)
                if j < count:
                    low = _bits_of(source[2 * k, column + j])
                    if 2 * k + 1 < K:
                        high = _bits_of(source[2 * k + 1, column + j])
                out[start + k * row + j] = _pair(low, high)


@kernel()
def pack_pairs_transposed(out, source, gates, width, padded, columns):
    """As `product.pack_transposed`, in pairs along the rows; `padded` is even."""
    pairs = gates * padded // 2
    vectors = columns // LENGTH
    for v in range(vectors):
        panel = v // VECTORS * VECTORS
        row = min(VECTORS, vectors - panel) * LENGTH
        start = panel * LENGTH * pairs + (v - panel) * LENGTH
        count = min(LENGTH, source.shape[0] - v * LENGTH)
        for gate in range(gates):
            for k in range(padded // 2):
                at = start + (gate * padded // 2 + k) * row
                for j in range(LENGTH):
                    low = high = _u32(0)
                    if j < count and 2 * k < width:
                        low = _bits_of(source[v * LENGTH + j, gate * width + 2 * k])
                        if 2 * k + 1 < width:
                            high = _bits_of(source[v * LENGTH + j, gate * width + 2 * k + 1])
                    out[at + j] = _pair(low, high)


@kernel()
def outer_pairs(a, M, b, N, c, rows, packed_a, packed_b):
    """As `product.outer`, its operands rounded to pairs of bfloat16 while they are packed."""
    for first in range(0, rows, DEPTH):
        depth = min(DEPTH, rows - first)
        pairs = (depth + 1) // 2
        _pack_columns(packed_a, a, M, first, depth)
        for v in range(0, N // LENGTH, VECTORS):
            vectors = min(VECTORS, N // LENGTH - v)
            _pack_panel(packed_b, b, v * LENGTH, vectors * LENGTH, first, depth)
            for m in range(0, M, ROWS):
                count = min(ROWS, M - m)
                corner = c.ctypes.data + (m * N + v * LENGTH) * 4
                for r in range(count):
                    for line in range(vectors):
                        prefetch(corner + (r * N + line * LENGTH) * 4)
                tile(
                    count,
                    vectors,
                    _u32(0),
                    packed_a.ctypes.data + m * pairs * 4,
                    1,
                    ROWS,
                    packed_b.ctypes.data,
                    corner,
                    N,
                    pairs,
                    first > 0,
                )


@kernel()
def _pack_columns(out, a, M, first, depth):
    pairs = (depth + 1) // 2
    for m in range(0, M, ROWS):
        count = min(ROWS, M - m)
        for k in range(pairs):
            at, here = m * pairs + k * ROWS, first + 2 * k
            for r in range(count):
                high = _bits_of(a[here + 1, m + r]) if 2 * k + 1 < depth else _u32(0)
                out[at + r] = _pair(_bits_of(a[here, m + r]), high)


@kernel()
def _pack_panel(out, b, column, width, first, depth):
    for k in range(depth // 2):
        row = out[k * width : (k + 1) * width]
        low = b[first + 2 * k, column : column + width]
        high = b[first + 2 * k + 1, column : column + width]
        for j in range(width):
            row[j] = _pair(_bits_of(low[j]), _bits_of(high[j]))
    if depth % 2:
        k = depth // 2
        for j in range(width):
            out[k * width + j] = _rounded(_bits_of(b[first + depth - 1, column + j]))
