"""Pairs of bfloat16: rounding rows of A, packing B, and the sum over rows.

A uint32 holds two neighbours along the inner dimension, the first in its lower half. An odd last
one is paired with zero. Sums are float32; what is lost is the operands' last 16 bits.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nextchar.kernels.gemm.gemm import DEPTH, STREAMS, call, place_of
from nextchar.kernels.gemm.microkernel import ROWS, VECTORS, BFloat, prefetch
from nextchar.kernels.isa import HOST
from nextchar.kernels.jit import kernel

LENGTH = HOST.vector_bytes // 4
_u32 = np.uint32


@intrinsic
def _load_bits(context, address):
    """The bits of the float32 at an address."""

    def generate(codegen, builder, signature, args):
        return builder.load(builder.inttoptr(args[0], ir.IntType(32).as_pointer()))

    return types.uint32(types.intp), generate


def _store(bits):
    """What stores an integer of so many bits at an address."""

    @intrinsic
    def store(context, address, value):
        def generate(codegen, builder, signature, args):
            kind = ir.IntType(bits)
            value = builder.trunc(args[1], kind) if args[1].type != kind else args[1]
            builder.store(value, builder.inttoptr(args[0], kind.as_pointer())).align = bits // 8
            return codegen.get_dummy_value()

        return types.void(types.intp, value), generate

    return store


_store_half, _store_pair = _store(16), _store(32)


@intrinsic
def _bits_of(context, x):
    def generate(codegen, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@kernel()
def _rounded(bits):
    """The upper half of a float32, rounded to nearest, ties to even; NaN stays NaN."""
    is_nan = _u32(bits & _u32(0x7FFFFFFF)) > _u32(0x7F800000)
    odd = _u32(_u32(bits >> _u32(16)) & _u32(1))  # Numba's own results are 64 bits wide
    rounded = _u32(_u32(bits + _u32(0x7FFF) + odd) >> _u32(16))
    return _u32(_u32(bits >> _u32(16)) | _u32(0x40)) if is_nan else rounded


@kernel()
def _pair(low, high):
    return _u32(_rounded(low) | _u32(_rounded(high) << _u32(16)))


def _rounded_vector(builder, address):
    """LENGTH float32 at an address as integers of 16 bits, by the CPU's own conversion."""
    floats, halves = ir.VectorType(ir.FloatType(), LENGTH), ir.VectorType(BFloat(), LENGTH)
    source = builder.load(builder.inttoptr(address, floats.as_pointer()), align=4)
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(halves, [floats]),
        "llvm.x86.avx512bf16.cvtneps2bf16.512",
    )
    return builder.bitcast(builder.call(function, [source]), ir.VectorType(ir.IntType(16), LENGTH))


@intrinsic
def _round_natively(context, source, to):
    def generate(codegen, builder, signature, args):
        rounded = _rounded_vector(builder, args[0])
        to = builder.inttoptr(args[1], rounded.type.as_pointer())
        builder.store(rounded, to).align = 2
        return codegen.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def _pair_natively(context, low, high, to):
    def generate(codegen, builder, signature, args):
        pairs = ir.VectorType(ir.IntType(32), LENGTH)
        low, high = (builder.zext(_rounded_vector(builder, each), pairs) for each in args[:2])
        both = builder.or_(low, builder.shl(high, ir.Constant(pairs, [16] * LENGTH)))
        builder.store(both, builder.inttoptr(args[2], pairs.as_pointer())).align = 4
        return codegen.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@kernel()
def _round_by_bits(source, to):
    for j in range(LENGTH):
        _store_half(to + 2 * j, np.uint16(_rounded(_load_bits(source + 4 * j))))


@kernel()
def _pair_by_bits(low, high, to):
    for j in range(LENGTH):
        _store_pair(to + 4 * j, _pair(_load_bits(low + 4 * j), _load_bits(high + 4 * j)))


# LENGTH numbers at an address, or two rows of them, rounded; no numbers below 1e-38 natively
_round_vector = _round_natively if HOST.has_bfloat16 else _round_by_bits
_pair_vectors = _pair_natively if HOST.has_bfloat16 else _pair_by_bits


@kernel()
def round_rows(a, a_row, M, K, out):
    """Rows of A (M × K, float32, at an address) as pairs, ⌈K/2⌉ of them in a row of `out`."""
    width = (K + 1) // 2 * 2
    halves = out.view(np.uint16)  # one after the other: a loop that becomes vectors
    for m in range(M):
        row = halves[m * width : (m + 1) * width]
        start = a + m * a_row * 4
        whole = K // LENGTH * LENGTH
        for k in range(0, whole, LENGTH):
            _round_vector(start + 4 * k, row.ctypes.data + 2 * k)
        for k in range(whole, K):
            row[k] = np.uint16(_rounded(_load_bits(start + 4 * k)))
        if K % 2:
            row[K] = 0


@kernel()
def pack_pairs(out, source, gates, width, padded):
    """As `product.pack`, in pairs along the rows."""
    K = source.shape[0]
    pairs, each = (K + 1) // 2, padded // LENGTH
    vectors = gates * each
    for k in range(pairs):
        low, high = 2 * k, min(2 * k + 1, K - 1)
        mask = _u32(0xFFFFFFFF) if 2 * k + 1 < K else _u32(0)
        for v in range(vectors):
            start, row = place_of(v, vectors, pairs, LENGTH)
            at = start + k * row
            gate, first = v // each, v % each * LENGTH
            column = gate * width + first
            if first + LENGTH <= width and 2 * k + 1 < K:
                row_bytes, base = source.shape[1] * 4, source.ctypes.data + column * 4
                to = out.ctypes.data + at * 4
                _pair_vectors(base + low * row_bytes, base + high * row_bytes, to)
                continue
            for j in range(LENGTH):
                out[at + j] = _u32(0)
                if first + j < width:
                    one, two = source[low, column + j], source[high, column + j]
                    out[at + j] = _pair(_bits_of(one), _u32(_bits_of(two) & mask))


@kernel()
def pack_pairs_transposed(out, source, gates, width, padded, columns):
    """As `product.pack_transposed`, in pairs along the rows; `padded` is even."""
    rows, pairs, part = source.shape[0], gates * padded // 2, min(STREAMS, LENGTH)
    vectors = columns // LENGTH
    for i in range(0, columns, part):
        v, inside = i // LENGTH, i % LENGTH
        start, row = place_of(v, vectors, pairs, LENGTH)
        count = max(0, min(part, rows - i))
        for gate in range(gates):
            for k in range(0, padded, 2):
                at = start + inside + (gate * padded + k) // 2 * row
                column = gate * width + k
                if k + 1 < width and count == STREAMS:
                    for j in range(STREAMS):
                        one, two = source[i + j, column], source[i + j, column + 1]
                        out[at + j] = _pair(_bits_of(one), _bits_of(two))
                    continue
                for j in range(part):
                    low = high = _u32(0)
                    if j < count and k < width:
                        low = _bits_of(source[i + j, column])
                        if k + 1 < width:
                            high = _bits_of(source[i + j, column + 1])
                    out[at + j] = _pair(low, high)


@kernel()
def outer_pairs(a, M, b, N, c, rows, packed_a, packed_b, tools):
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
                block, panel = packed_a.ctypes.data + m * pairs * 4, packed_b.ctypes.data
                width, add = vectors * LENGTH, first > 0
                call(tools.by_tiles, block, 1, ROWS, panel, corner, N, count, pairs, width, add)


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
    row_bytes, base = b.shape[1] * 4, b.ctypes.data + column * 4
    for k in range(depth // 2):
        low = base + (first + 2 * k) * row_bytes
        for j in range(0, width, LENGTH):
            to = out.ctypes.data + (k * width + j) * 4
            _pair_vectors(low + 4 * j, low + row_bytes + 4 * j, to)
    if depth % 2:
        k = depth // 2
        for j in range(width):
            out[k * width + j] = _rounded(_bits_of(b[first + depth - 1, column + j]))
