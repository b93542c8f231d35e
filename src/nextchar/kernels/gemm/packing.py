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

from numba import types
from numba.extending import overload

from nextchar.kernels.gemm.bfloat16 import round_rows
from nextchar.kernels.gemm.gemm import CHUNK, DEPTH, STREAMS, call, place_of
from nextchar.kernels.gemm.microkernel import ROWS, VECTORS, length_of, prefetch
from nextchar.kernels.isa import HOST
from nextchar.kernels.jit import kernel


def gemm(a, a_row, B, c, c_row, M, K, N, add, tools):
    """C (M × N) (+)= A (M × K) · B, for kernels to call.

    a, c: addresses; a_row, c_row: distances in elements. B: packed; of uint32, it holds pairs of
    bfloat16, to which A is rounded on its way where the CPU multiplies them, else they are
    widened. Then A's rows must be readable, and finite, up to an even K. N: whole vectors.
    """
    raise NotImplementedError


@overload(gemm, jit_options={"error_model": "numpy", "fastmath": {"contract"}})
def _multiply(a, a_row, B, c, c_row, M, K, N, add, tools):
    if B.dtype == types.uint32 and HOST.has_bfloat16:

        def in_pairs(a, a_row, B, c, c_row, M, K, N, add, tools):
            pairs, b = (K + 1) // 2, B.ctypes.data
            for start in range(0, M, CHUNK):
                rows = min(CHUNK, M - start)
                round_rows(a + start * a_row * 4, a_row, rows, K, tools.scratch)
                to = c + start * c_row * 4
                from_ = tools.scratch.ctypes.data
                call(tools.by_tiles, from_, pairs, 1, b, to, c_row, rows, pairs, N, add)

        return in_pairs
    widened = B.dtype == types.uint32

    def as_it_is(a, a_row, B, c, c_row, M, K, N, add, tools):
        size, b = B.itemsize, B.ctypes.data
        steps = (K + 1) // 2 if widened else K
        for start in range(0, M, CHUNK):
            rows = min(CHUNK, M - start)
            source, to = a + start * a_row * size, c + start * c_row * size
            call(tools.by_tiles, source, a_row, 1, b, to, c_row, rows, steps, N, add)

    return as_it_is


@kernel()
def product(a, a_row, B, c, c_row, M, K, N, add, tools):
    """`gemm`, for Python to call."""
    gemm(a, a_row, B, c, c_row, M, K, N, add, tools)


@kernel()
def pack(out, source, gates, width, padded):
    """Pack a matrix (K × gates·width) as B, each gate padded to `padded` columns."""
    K = source.shape[0]
    length = length_of(out)
    each = padded // length  # vectors of a gate
    vectors = gates * each
    for k in range(K):  # a row of the source is read in one go, whatever its panels
        for v in range(vectors):
            start, row = place_of(v, vectors, K, length)
            at = start + k * row
            gate, first = v // each, v % each * length
            column = gate * width + first
            if first + length <= width:
                for j in range(length):  # a loop of known length is one vector
                    out[at + j] = source[k, column + j]
            else:
                for j in range(length):
                    out[at + j] = source[k, column + j] if first + j < width else 0


@kernel()
def pack_transposed(out, source, gates, width, padded, columns):
    """Pack the transpose of a matrix (rows × gates·width) as B, (gates·padded × columns).

    columns: rows of the source, rounded up to whole vectors.
    """
    rows, K = source.shape[0], gates * padded
    length = length_of(out)
    part = min(STREAMS, length)
    vectors = columns // length
    for i in range(0, columns, part):
        v, inside = i // length, i % length
        start, row = place_of(v, vectors, K, length)
        for gate in range(gates):
            for k in range(padded):
                at, column = start + inside + (gate * padded + k) * row, gate * width + k
                if k < width and i + part <= rows:
                    for j in range(part):
                        out[at + j] = source[i + j, column]
                else:
                    for j in range(part):
                        out[at + j] = source[i + j, column] if k < width and i + j < rows else 0


@kernel()
def gemm_tn(a, M, b, N, c, rows, packed_a, packed_b, tools):
    """C (M × N) = Aᵀ B, summed over `rows` rows.

    a: (rows, ≥ M) and b: (rows, N), contiguous in rows; c: (M, N), contiguous; N: whole vectors.
    packed_a, packed_b: room for DEPTH × (M + ROWS) numbers and for DEPTH × VECTORS vectors.
    """
    size = c.itemsize
    length = length_of(c)
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
                block, panel = packed_a.ctypes.data + m * depth * size, packed_b.ctypes.data
                width, add = vectors * length, first > 0
                call(tools.by_tiles, block, 1, ROWS, panel, corner, N, count, depth, width, add)


@kernel()
def _pack_columns(out, a, M, first, depth):
    """Columns of A in blocks of ROWS: a block holds its ROWS numbers of each row in turn."""
    for m in range(0, M, ROWS):
        count = min(ROWS, M - m)
        for k in range(depth):
            into, row = out[m * depth + k * ROWS :], a[first + k, m:]
            if count == ROWS:  # a loop of known length is one vector
                for r in range(ROWS):
                    into[r] = row[r]
            else:
                for r in range(count):
                    into[r] = row[r]


@kernel()
def _pack_panel(out, b, column, width, first, depth):
    for k in range(depth):
        row, source = out[k * width : (k + 1) * width], b[first + k, column : column + width]
        for j in range(width):
            row[j] = source[j]
