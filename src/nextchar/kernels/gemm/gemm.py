"""Products of any size by tiles, compiled once and called by address.

    for panel of B:  for block of ROWS rows of A:  one tile

Linked into every kernel that multiplies, the tiles would be compiled again for each of them.
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
from nextchar.kernels.gemm.microkernel import ROWS, VECTORS, tile
from nextchar.kernels.isa import HOST
from nextchar.kernels.jit import c_function, kernel

CHUNK = 256  # rows of A that pass each panel of B in turn: they stay in the L2 cache
DEPTH = 256  # rows summed at once in `outer`: two packed blocks stay in the L2 cache
STREAMS = 8  # rows read side by side: more of them, far apart, drive each other from the L1 cache


class GemmContext(NamedTuple):
    """What products work with.

    by_tiles: the address of the compiled `_by_tiles` of a type.
    scratch: uint32, room for CHUNK × ⌈K/2⌉ pairs where products are of pairs.
    """

    by_tiles: int
    scratch: NDArray[Any]


def gemm_context(packed: Any, inner: int = 0) -> GemmContext:
    """The tools for matrices packed as a type; inner: the largest K of products of pairs."""
    size = CHUNK * ((inner + 1) // 2) if np.dtype(packed) == np.uint32 else 0
    return GemmContext(_address(np.dtype(packed).name), aligned_zeros(size, np.uint32))


@cache
def _address(packed: str) -> int:
    number = {"float32": np.float32, "float64": np.float64, "uint32": np.uint32}[packed]

    def by_tiles(a, a_row, a_step, b, c, c_row, M, K, N, add):
        _by_tiles(number(0), a, a_row, a_step, b, c, c_row, M, K, N, add != 0)

    return c_function(by_tiles, types.void(*[types.intp] * 10))


@kernel(inlined=True)
def place_of(v, vectors, K, length):
    """Where vector v of a packed matrix of K rows begins, and how far apart its rows are."""
    panel = v // VECTORS * VECTORS
    row = min(VECTORS, vectors - panel) * length
    return panel * length * K + (v - panel) * length, row


@intrinsic
def call(context, address, a, a_row, a_step, b, c, c_row, M, K, N, add):
    """C (+)= A · B as `tile` has it, for any M and whole vectors N, by what is at an address."""

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
def _by_tiles(number, a, a_row, a_step, b, c, c_row, M, K, N, add):
    size = _size_of(number)
    length = HOST.vector_bytes // size
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
