"""Rounding to bfloat16, and packing of pairs.

    float32   s eeeeeeee mmmmmmmmmmmmmmmmmmmmmmm        bfloat16 is its upper half, rounded
    uint32    [ element 2k+1 of the inner dimension | element 2k ]   the first in the lower half

A pair holds two neighbours along the inner dimension, since the CPU's instruction multiplies two
pairs and adds both products to a float32. An odd last element is paired with zero. Sums are
float32; the loss is that of the last 16 bits of the operands.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nextchar.kernels.gemm.microkernel import MR, BFloat
from nextchar.kernels.gemm.packing import STREAMS, panel_position
from nextchar.kernels.isa import HOST
from nextchar.kernels.jit import kernel

LENGTH = HOST.vector_bytes // 4  # float32, or pairs, in a vector
_u32 = np.uint32


@intrinsic
def _load_bits(context, address):
    """Bits of the float32 at an address."""

    def generate(codegen, builder, signature, args):
        return builder.load(builder.inttoptr(args[0], ir.IntType(32).as_pointer()))

    return types.uint32(types.intp), generate


def _store(bits):
    """Return an intrinsic that stores an integer of a width in bits at an address."""

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
    """Bits of a float32."""

    def generate(codegen, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@kernel()
def _rounded(bits):
    """Return the upper half of a float32, rounded to nearest, ties to even; NaN stays NaN."""
    is_nan = _u32(bits & _u32(0x7FFFFFFF)) > _u32(0x7F800000)
    # adding just below half a unit, and one more where the result would be odd, carries into
    # the upper half exactly when it must be rounded up
    odd = _u32(_u32(bits >> _u32(16)) & _u32(1))  # Numba's own results are 64 bits wide
    rounded = _u32(_u32(bits + _u32(0x7FFF) + odd) >> _u32(16))
    # the carry could turn a NaN into infinity or zero: keep its upper half and make it quiet
    return _u32(_u32(bits >> _u32(16)) | _u32(0x40)) if is_nan else rounded


@kernel()
def _pair(low, high):
    """Return the pair of two float32, given by their bits."""
    return _u32(_rounded(low) | _u32(_rounded(high) << _u32(16)))


def _rounded_vector(builder, address):
    """Convert LENGTH float32 at an address to integers of 16 bits, by the CPU's instruction."""
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
    """Round LENGTH float32 at an address to bfloat16 at another."""

    def generate(codegen, builder, signature, args):
        rounded = _rounded_vector(builder, args[0])
        to = builder.inttoptr(args[1], rounded.type.as_pointer())
        builder.store(rounded, to).align = 2
        return codegen.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic
def _pair_natively(context, low, high, to):
    """Pair LENGTH float32 at one address with as many at another."""

    def generate(codegen, builder, signature, args):
        pairs = ir.VectorType(ir.IntType(32), LENGTH)
        low, high = (builder.zext(_rounded_vector(builder, each), pairs) for each in args[:2])
        both = builder.or_(low, builder.shl(high, ir.Constant(pairs, [16] * LENGTH)))
        builder.store(both, builder.inttoptr(args[2], pairs.as_pointer())).align = 4
        return codegen.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


@kernel()
def _round_by_bits(source, to):
    """`_round_natively` for CPUs without the instruction."""
    for j in range(LENGTH):
        _store_half(to + 2 * j, np.uint16(_rounded(_load_bits(source + 4 * j))))


@kernel()
def _pair_by_bits(low, high, to):
    """`_pair_natively` for CPUs without the instruction."""
    for j in range(LENGTH):
        _store_pair(to + 4 * j, _pair(_load_bits(low + 4 * j), _load_bits(high + 4 * j)))


# the native forms flush numbers below 1e-38 to zero
_round_vector = _round_natively if HOST.has_bfloat16 else _round_by_bits
_pair_vectors = _pair_natively if HOST.has_bfloat16 else _pair_by_bits


@kernel()
def round_rows(a, a_row, M, K, out):
    """Write rows of A (M × K, float32, at an address) as pairs, ⌈K/2⌉ of them in a row of `out`."""
    width = (K + 1) // 2 * 2
    halves = out.view(np.uint16)  # pairs are halves in order: a loop over them becomes vectors
    for m in range(M):
        row = halves[m * width : (m + 1) * width]  # K halves, and a zero if K is odd
        start = a + m * a_row * 4
        # whole vectors by the instruction, the rest one by one: nothing behind the row is read
        whole = K // LENGTH * LENGTH
        for k in range(0, whole, LENGTH):
            _round_vector(start + 4 * k, row.ctypes.data + 2 * k)
        for k in range(whole, K):
            row[k] = np.uint16(_rounded(_load_bits(start + 4 * k)))
        if K % 2:
            row[K] = 0


@kernel()
def pack_bf16(out, source, gates, width, padded):
    """`packing.pack`, in pairs of rows."""
    K = source.shape[0]
    pairs, vectors_per_gate = (K + 1) // 2, padded // LENGTH
    vectors = gates * vectors_per_gate
    for k in range(pairs):
        # of an odd K the last row is paired with itself, masked to zero
        low, high = 2 * k, min(2 * k + 1, K - 1)
        mask = _u32(0xFFFFFFFF) if 2 * k + 1 < K else _u32(0)
        for v in range(vectors):
            start, row = panel_position(v, vectors, pairs, LENGTH)
            at = start + k * row
            gate, first = v // vectors_per_gate, v % vectors_per_gate * LENGTH
            column = gate * width + first
            if first + LENGTH <= width and 2 * k + 1 < K:  # whole vectors of both rows
                # two loads, one store: row low in the lower halves, row high in the upper ones
                row_bytes, base = source.shape[1] * 4, source.ctypes.data + column * 4
                to = out.ctypes.data + at * 4
                _pair_vectors(base + low * row_bytes, base + high * row_bytes, to)
                continue
            for j in range(LENGTH):  # the end of a gate, or the last row alone
                out[at + j] = _u32(0)
                if first + j < width:
                    one, two = source[low, column + j], source[high, column + j]
                    out[at + j] = _pair(_bits_of(one), _u32(_bits_of(two) & mask))


@kernel()
def pack_transposed_bf16(out, source, gates, width, padded, columns):
    """`packing.pack_transposed`, in pairs of rows of the result; `padded` is even."""
    rows, pairs, part = source.shape[0], gates * padded // 2, min(STREAMS, LENGTH)
    vectors = columns // LENGTH
    for i in range(0, columns, part):
        v, inside = i // LENGTH, i % LENGTH
        start, row = panel_position(v, vectors, pairs, LENGTH)
        count = max(0, min(part, rows - i))  # rows of the source in this block
        for gate in range(gates):
            for k in range(0, padded, 2):  # neighbours in a row of the source are one pair
                at = start + inside + (gate * padded + k) // 2 * row
                column = gate * width + k
                if k + 1 < width and count == STREAMS:  # a loop of known length is one vector
                    for j in range(STREAMS):
                        one, two = source[i + j, column], source[i + j, column + 1]
                        out[at + j] = _pair(_bits_of(one), _bits_of(two))
                    continue
                for j in range(part):  # padding of the gate, or rows that the source lacks
                    low = high = _u32(0)
                    if j < count and k < width:
                        low = _bits_of(source[i + j, column])
                        if k + 1 < width:
                            high = _bits_of(source[i + j, column + 1])
                    out[at + j] = _pair(low, high)


@kernel()
def pack_micropanels_bf16(out, a, M, first, depth):
    """`packing.pack_micropanels`, in pairs of rows."""
    pairs = (depth + 1) // 2
    for m in range(0, M, MR):
        count = min(MR, M - m)
        for k in range(pairs):
            at, row = m * pairs + k * MR, first + 2 * k  # pair k: rows 2k and 2k + 1
            for r in range(count):
                high = _bits_of(a[row + 1, m + r]) if 2 * k + 1 < depth else _u32(0)
                out[at + r] = _pair(_bits_of(a[row, m + r]), high)


@kernel()
def pack_panel_bf16(out, b, column, width, first, depth):
    """`packing.pack_panel`, in pairs of rows."""
    row_bytes, base = b.shape[1] * 4, b.ctypes.data + column * 4
    for k in range(depth // 2):  # whole pairs of rows, a vector at a time
        low = base + (first + 2 * k) * row_bytes
        for j in range(0, width, LENGTH):
            to = out.ctypes.data + (k * width + j) * 4
            _pair_vectors(low + 4 * j, low + row_bytes + 4 * j, to)
    if depth % 2:  # the last row with zeros in the upper halves
        k = depth // 2
        for j in range(width):
            out[k * width + j] = _rounded(_bits_of(b[first + depth - 1, column + j]))
