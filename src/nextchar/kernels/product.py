"""Matrix products by tiles, and the packing of the matrices they stream.

    packed B   columns are cut into panels of VECTORS vectors (the last may be narrower);
               a panel holds its rows one after the other, K × width numbers, and stays in cache
               while the rows of A pass by

    product    for panel of B:  for block of ROWS rows of A:  one tile
    outer      C += Aᵀ B summed over many rows: the rows are cut into blocks of DEPTH, for which
               B's panels and A's columns are packed, and tiles run over them

Columns of gates are padded to whole vectors gate by gate: with H = 100 and vectors of 16, gate g
begins at column 112 g. What the padding holds is zero, in B and so in C.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from nextchar.kernels.bfloat16 import round_rows
from nextchar.kernels.compiled import c_function, kernel
from nextchar.kernels.isa import HOST
from nextchar.kernels.memory import aligned_zeros
from nextchar.kernels.tile import ROWS, VECTORS, prefetch, tile

DEPTH = 256  # rows summed at once in `outer`: two packed blocks stay in the L2 cache
CHUNK = 256  # rows of A that pass each panel of B in turn: they stay in the L2 cache
_BYTES = HOST.vector_bytes


class Tools(NamedTuple):
    """What `multiply` works with.

    by_tiles: the address of the compiled `_by_tiles` of a type. Kernels call it through this
    address: linked into each of them, its tiles would be compiled again for every one.
    scratch: uint32, room for CHUNK × ⌈K/2⌉ pairs where products are of pairs.
    """

    by_tiles: int
    scratch: NDArray[Any]


def tools_for(packed: Any, inner: int = 0) -> Tools:
    """The tools for matrices packed as a type; inner: the largest K of products of pairs."""
    size = CHUNK * ((inner + 1) // 2) if np.dtype(packed) == np.uint32 else 0
    return Tools(_address(np.dtype(packed).name), aligned_zeros(size, np.uint32))


@cache
def _address(packed: str) -> int:
    number = {"float32": np.float32, "float64": np.float64, "uint32": np.uint32}[packed]

    def by_tiles(a, a_row, a_step, b, c, c_row, M, K, N, add):
        _by_tiles(number(0), a, a_row, a_step, b, c, c_row, M, K, N, add != 0)

    return c_function(by_tiles, types.void(*[types.intp] * 10))


def multiply(a, a_row, B, c, c_row, M, K, N, add, tools):
    """C (M × N) (+)= A (M × K) · B, for kernels to call.

    a, c: addresses; a_row, c_row: distances in elements. B: packed; of uint32, it holds pairs of
    bfloat16, to which A is rounded on its way where the CPU multiplies them, else they are
    widened. Then A's rows must be readable, and finite, up to an even K. N: whole vectors.
    """
    raise NotImplementedError


@overload(multiply, jit_options={"error_model": "numpy", "fastmath": {"contract"}})
def _multiply(a, a_row, B, c, c_row, M, K, N, add, tools):
    if B.dtype == types.uint32 and HOST.has_bfloat16:

        def in_pairs(a, a_row, B, c, c_row, M, K, N, add, tools):
            pairs, b = (K + 1) // 2, B.ctypes.data
            for start in range(0, M, CHUNK):
                rows = min(CHUNK, M - start)
                round_rows(a + start * a_row * 4, a_row, rows, K, tools.scratch)
                to = c + start * c_row * 4
                from_ = tools.scratch.ctypes.data
                _call(tools.by_tiles, from_, pairs, 1, b, to, c_row, rows, pairs, N, add)

        return in_pairs
    widened = B.dtype == types.uint32

    def as_it_is(a, a_row, B, c, c_row, M, K, N, add, tools):
        size, b = B.itemsize, B.ctypes.data
        steps = (K + 1) // 2 if widened else K
        for start in range(0, M, CHUNK):
            rows = min(CHUNK, M - start)
            source, to = a + start * a_row * size, c + start * c_row * size
            _call(tools.by_tiles, source, a_row, 1, b, to, c_row, rows, steps, N, add)

    return as_it_is


@intrinsic
def _call(context, address, a, a_row, a_step, b, c, c_row, M, K, N, add):
    """Call what stands at an address."""

    def generate(codegen, builder, signature, args):
        i64 = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [i64] * 10)
        function = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(function, [*args[1:-1], builder.zext(args[-1], i64)])
        return codegen.get_dummy_value()

    return types.void(*[types.intp] * 10, types.boolean), generate


@kernel()
def product(a, a_row, B, c, c_row, M, K, N, add, tools):
    """`multiply`, for Python to call."""
    multiply(a, a_row, B, c, c_row, M, K, N, add, tools)


@intrinsic
def _size_of(context, number):
    """Bytes of a number's type."""

    def generate(codegen, builder, signature, args):
        return ir.IntType(64)(number.bitwidth // 8)

    return types.intp(number), generate


@kernel()
def _by_tiles(number, a, a_row, a_step, b, c, c_row, M, K, N, add):
    size = _size_of(number)
    length = _BYTES // size
    blocks = (M + ROWS - 1) // ROWS
    for v in range(0, N // length, VECTORS):
        vectors = min(VECTORS, N // length - v)
        first = 0
        for block in range(blocks):  # blocks of nearly equal height: no thin last one
            end = (block + 1) * M // blocks
            tile(
                end - first,
                vectors,
                number,
                a + first * a_row * size,
                a_row,
                a_step,
                b + v * length * K * size,
                c + (first * c_row + v * length) * size,
                c_row,
                K,
                add,
            )
            first = end


@kernel()
def pack(out, source, gates, width, padded):
    """Pack a matrix (K × gates·width) as B, each gate padded to `padded` columns."""
    K = source.shape[0]
    length = _BYTES // out.itemsize
    vectors = gates * padded // length
    for v in range(vectors):
        panel = v // VECTORS * VECTORS
        row = min(VECTORS, vectors - panel) * length
        start = panel * length * K + (v - panel) * length
        gate, first = divmod(v * length, padded)
        count = max(0, min(length, width - first))
        column = gate * width + first
        if count == length:  # a loop of known length is one vector
            for k in range(K):
                for j in range(length):
                    out[start + k * row + j] = source[k, column + j]
        else:
            for k in range(K):
                for j in range(length):
                    out[start + k * row + j] = source[k, column + j] if j < count else 0


@kernel()
def pack_transposed(out, source, gates, width, padded, columns):
    """Pack the transpose of a matrix (I × gates·width) as B, (gates·padded × columns).

    columns: I rounded up to whole vectors.
    """
    K = gates * padded
    length = _BYTES // out.itemsize
    vectors = columns // length
    for v in range(vectors):
        panel = v // VECTORS * VECTORS
        row = min(VECTORS, vectors - panel) * length
        start = panel * length * K + (v - panel) * length
        count = min(length, source.shape[0] - v * length)
        for gate in range(gates):
            for k in range(padded):
                at, column = start + (gate * padded + k) * row, gate * width + k
                if k >= width:
                    for j in range(length):
                        out[at + j] = 0
                elif count == length:  # reads as many rows side by side, writes one vector
                    for j in range(length):
                        out[at + j] = source[v * length + j, column]
                else:
                    for j in range(length):
                        out[at + j] = source[v * length + j, column] if j < count else 0


@kernel()
def outer(a, M, b, N, c, rows, packed_a, packed_b):
    """C (M × N) = Aᵀ B, summed over `rows` rows.

    a: (rows, ≥ M) and b: (rows, N), contiguous in rows; c: (M, N), contiguous; N: whole vectors.
    packed_a, packed_b: room for DEPTH × (M + ROWS) numbers and for DEPTH × VECTORS vectors.
    """
    size = c.itemsize
    length = _BYTES // size
    for first in range(0, rows, DEPTH):
        depth = min(DEPTH, rows - first)
        _pack_columns(packed_a, a, M, first, depth)
        for v in range(0, N // length, VECTORS):
            vectors = min(VECTORS, N // length - v)
            _pack_panel(packed_b, b, v * length, vectors * length, first, depth)
            for m in range(0, M, ROWS):
                count = min(ROWS, M - m)
                corner = c.ctypes.data + (m * N + v * length) * size
                for r in range(count):  # C is far away, and wanted when the sums are done
                    for line in range(vectors):
                        prefetch(corner + (r * N + line * length) * size)
                tile(
                    count,
                    vectors,
                    c.dtype.type(0),
                    packed_a.ctypes.data + m * depth * size,
                    1,
                    ROWS,
                    packed_b.ctypes.data,
                    corner,
                    N,
                    depth,
                    first > 0,
                )


@kernel()
def _pack_columns(out, a, M, first, depth):
    """Columns of A in blocks of ROWS: a block holds its ROWS numbers of each row in turn."""
    for block in range((M + ROWS - 1) // ROWS):
        m = block * ROWS
        count = min(ROWS, M - m)
        for k in range(depth):
            at = m * depth + k * ROWS
            for r in range(count):
                out[at + r] = a[first + k, m + r]


@kernel()
def _pack_panel(out, b, column, width, first, depth):
    for k in range(depth):
        row, source = out[k * width : (k + 1) * width], b[first + k, column : column + width]
        for j in range(width):
            row[j] = source[j]
