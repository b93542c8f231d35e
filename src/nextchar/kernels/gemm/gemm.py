"""Matrix products of any size, by tiles: GEMM, and GEMM with the first operand transposed.

    gemm       C (+)= A · B, B packed:        for MC rows of A:  macro-kernel
    gemm_tn    C = Aᵀ · B, a sum over many    for KC rows of A and B:
               rows (a gradient of weights)       pack them;  macro-kernel, added to C
    macro-kernel                              for panel of B:  for block of MR rows of A:  tile

          N, in panels                     MC rows of A (or KC packed rows) stay in the L2 cache,
          ┌──┬──┬──┬─┐                     a panel of B in the L1 cache, a tile of C in registers
        K │  │B │  │ │
          ├──┼──┼──┼─┤
     MC ┌─┤  │  │  │ │ MR rows of a tile
      A │ ├──┼──┼──┼─┤ = C
        └─┴──┴──┴──┴─┘

The macro-kernel is compiled once and called by address: linked into every kernel that multiplies,
its tiles would be compiled again for each of them.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from nextchar.kernels.aligned import aligned_zeros
from nextchar.kernels.gemm.bfloat16 import pack_micropanels_bf16, pack_panel_bf16, round_rows
from nextchar.kernels.gemm.microkernel import MR, NR_VECTORS, prefetch, tile, vector_length_of
from nextchar.kernels.gemm.packing import pack_micropanels, pack_panel
from nextchar.kernels.isa import HOST
from nextchar.kernels.jit import c_function, kernel, kernel_by_type

MC = 256  # rows of A that pass each panel of B in turn: they stay in the L2 cache
KC = 256  # rows summed at once in `gemm_tn`: two packed blocks stay in the L2 cache


class GemmContext(NamedTuple):
    """Compiled code and scratch memory of products."""

    macrokernel: int  # address of the compiled `macrokernel` for the type of B
    scratch: NDArray[Any]  # uint32, MC × ⌈K/2⌉ pairs where A is rounded to bfloat16; else empty


def gemm_context(packed: Any, K: int = 0) -> GemmContext:
    """Return the context for matrices packed as a type; K: largest inner size of pairs."""
    return GemmContext(
        _address(np.dtype(packed).name), aligned_zeros(scratch_size(packed, K), "u4")
    )


def scratch_size(packed: Any, K: int) -> int:
    """Return the size of a context's scratch."""
    return MC * ((K + 1) // 2) if np.dtype(packed) == np.uint32 else 0


@cache
def _address(packed: str) -> int:
    # the type of the number chooses the tile when the macro-kernel is compiled
    number = {"float32": np.float32, "float64": np.float64, "uint32": np.uint32}[packed]
    return c_function(
        lambda a, a_row, a_step, b, c, c_row, M, K, N, add: macrokernel(
            number(0), a, a_row, a_step, b, c, c_row, M, K, N, add != 0
        ),
        types.void(*[types.intp] * 10),
    )


@intrinsic
def call_macrokernel(context, address, a, a_row, a_step, b, c, c_row, M, K, N, add):
    """Call the compiled `macrokernel` at an address."""

    def generate(codegen, builder, signature, args):
        i64 = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [i64] * 10)
        function = builder.inttoptr(args[0], kind.as_pointer())
        builder.call(function, [*args[1:-1], builder.zext(args[-1], i64)])
        return codegen.get_dummy_value()

    return types.void(*[types.intp] * 10, types.boolean), generate


@intrinsic
def _size_of(context, number):
    """Bytes of a number's type."""

    def generate(codegen, builder, signature, args):
        return ir.IntType(64)(number.bitwidth // 8)

    return types.intp(number), generate


@kernel()
def macrokernel(number, a, a_row, a_step, b, c, c_row, M, K, N, add):
    """C (+)= A · B as `tile` computes it, for any M and whole vectors N.

    number: a number of the type of B. Addresses in bytes, distances in elements.
    """
    size = _size_of(number)
    length = HOST.vector_bytes // size
    blocks = (M + MR - 1) // MR
    # panels outside, rows inside: a panel stays in the L1 cache while all rows pass
    for v in range(0, N // length, NR_VECTORS):
        vectors = min(NR_VECTORS, N // length - v)
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


@kernel_by_type
def gemm(a, a_row, B, c, c_row, M, K, N, add, context):
    """C (M × N) (+)= A (M × K) · B.

    a, c: addresses; a_row, c_row: distances in elements. N: whole vectors. B: packed; of uint32,
    it holds pairs of bfloat16. A is then rounded to pairs where the CPU multiplies them, and the
    pairs are widened to float32 elsewhere; rows of A must be readable, and finite, up to an even K.
    """
    return gemm_bf16 if B.dtype == types.uint32 and HOST.has_bfloat16 else gemm_float


@kernel()
def gemm_float(a, a_row, B, c, c_row, M, K, N, add, context):
    """`gemm` of float rows as they are; B of the same type, or of pairs that are widened."""
    size, b = B.itemsize, B.ctypes.data  # a pair takes as many bytes as a float32
    steps = (K + 1) // 2 if _holds_pairs(B) else K
    for start in range(0, M, MC):  # MC rows stay in the L2 cache for all panels
        rows = min(MC, M - start)
        source, to = a + start * a_row * size, c + start * c_row * size
        call_macrokernel(
            context.macrokernel, source, a_row, 1, b, to, c_row, rows, steps, N, add
        )  # fmt: skip


@kernel()
def gemm_bf16(a, a_row, B, c, c_row, M, K, N, add, context):
    """`gemm` of float32 rows that are rounded to pairs, MC of them at a time."""
    pairs, b = (K + 1) // 2, B.ctypes.data
    for start in range(0, M, MC):
        rows = min(MC, M - start)
        # rounded once here, read by every panel of B
        round_rows(a + start * a_row * 4, a_row, rows, K, context.scratch)
        source, to = context.scratch.ctypes.data, c + start * c_row * 4
        call_macrokernel(
            context.macrokernel, source, pairs, 1, b, to, c_row, rows, pairs, N, add
        )  # fmt: skip


@intrinsic
def _holds_pairs(context, array):
    """True for an array of bfloat16 pairs: a constant when the kernel is compiled."""

    def generate(codegen, builder, signature, args):
        return ir.IntType(1)(array.dtype == types.uint32)

    return types.boolean(array), generate


@kernel()
def apply_gemm(a, a_row, B, c, c_row, M, K, N, add, context):
    """`gemm`, callable from Python."""
    gemm(a, a_row, B, c, c_row, M, K, N, add, context)


@kernel()
def gemm_tn(a, M, b, N, c, rows, packed_a, packed_b, context):
    """C (M × N) = Aᵀ B, a sum over `rows` rows; rounded to bfloat16 where packed_a is uint32.

    a: (rows, ≥ M) and b: (rows, N), contiguous in rows; c: (M, N), contiguous; N: whole vectors.
    packed_a, packed_b: scratch for KC × (M + MR) numbers and for KC × NR_VECTORS vectors.
    """
    size = c.itemsize  # of a pair of bfloat16 too
    length = vector_length_of(c)
    for first in range(0, rows, KC):
        depth = min(KC, rows - first)
        steps = (depth + 1) // 2 if _holds_pairs(packed_a) else depth
        # A of this block for all panels, B panel by panel: both are read from cache afterwards
        _pack_micropanels(packed_a, a, M, first, depth)
        for v in range(0, N // length, NR_VECTORS):
            vectors = min(NR_VECTORS, N // length - v)
            _pack_panel(packed_b, b, v * length, vectors * length, first, depth)
            for m in range(0, M, MR):
                count = min(MR, M - m)
                corner = c.ctypes.data + (m * N + v * length) * size  # of the tile in C
                for r in range(count):  # C is in memory, and needed when the sums are done
                    for line in range(vectors):
                        prefetch(corner + (r * N + line * length) * size)
                # A transposed by its distances: a column is 1 apart from the next, a row MR
                block, panel = packed_a.ctypes.data + m * steps * size, packed_b.ctypes.data
                width, add = vectors * length, first > 0  # the first KC rows overwrite C
                call_macrokernel(
                    context.macrokernel, block, 1, MR, panel, corner, N, count, steps, width, add
                )


@kernel_by_type
def _pack_micropanels(out, a, M, first, depth):
    return pack_micropanels_bf16 if out.dtype == types.uint32 else pack_micropanels


@kernel_by_type
def _pack_panel(out, b, column, width, first, depth):
    return pack_panel_bf16 if out.dtype == types.uint32 else pack_panel
