"""Weights of a network, packed for products, forward and transposed.

Packed once per training step and read by all workers, since weights change once per step. All
matrices lie in one flat array; of type uint32, it holds pairs of bfloat16.

    layer 0:  W_ih    W_ihᵀ    W_hh    W_hhᵀ      no W_ih where the input is one-hot
    layer 1:  W_ih    W_ihᵀ    W_hh    W_hhᵀ      no transposes where only the forward pass is run
    …
    output:   W_out   W_outᵀ                      tied: the embedding, packed the other way round
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numba import types
from numpy.typing import NDArray

from nextchar.kernels.aligned import aligned_zeros
from nextchar.kernels.gemm.bfloat16 import pack_bf16, pack_transposed_bf16
from nextchar.kernels.gemm.packing import pack, pack_transposed
from nextchar.kernels.isa import padded
from nextchar.kernels.jit import kernel, kernel_by_type
from nextchar.kernels.layout import W_HH, W_IH, Layout

FORWARD, TRANSPOSED = 0, 1


class PackedWeights(NamedTuple):
    """Memory of every packed matrix, and where each begins; -1 for one that is not there."""

    matrices: NDArray[Any]
    layers: NDArray[Any]  # (L, 2, 2) int64: [layer, W_IH or W_HH, FORWARD or TRANSPOSED]
    output: NDArray[Any]  # (2,): (H × V), for the logits, and (V × H), for their gradient


def allocate_packed_weights(
    layout: Layout, dtype: Any, *, pairs: bool = False, backward: bool = True
) -> PackedWeights:
    """Allocate the packed weights of a network. backward: with the transposed matrices."""
    begins, end = [], 0
    for size in _sizes(layout, dtype, pairs, backward):
        begins.append(end if size else -1)
        end += size
    matrices = aligned_zeros(end, np.uint32 if pairs else dtype)
    where = np.array(begins, np.int64)  # (4 L + 2,): the output is last
    return PackedWeights(matrices, where[:-2].reshape(layout.L, 2, 2), where[-2:])


def packed_weights_bytes(
    layout: Layout, dtype: Any, *, pairs: bool = False, backward: bool = True
) -> int:
    """Return the bytes that `allocate_packed_weights` allocates."""
    itemsize = 4 if pairs else int(np.dtype(dtype).itemsize)
    return sum(_sizes(layout, dtype, pairs, backward)) * itemsize


def _sizes(layout: Layout, dtype: Any, pairs: bool, backward: bool) -> Iterator[int]:
    """Sizes of the packed matrices in the order of memory; 0 for one that is not there."""

    def size(rows: int, columns: int) -> int:
        return ((rows + 1) // 2 if pairs else rows) * columns  # a pair holds two rows

    width = layout.G * layout.P  # each gate is padded
    for n in range(layout.L):
        for which in (W_IH, W_HH):
            rows = weight_rows(layout, n, which)
            yield size(rows, width)  # (K × G·P)
            yield size(width, padded(rows, dtype)) if backward else 0  # (G·P × K)
    # P rows, not H: tied weights are packed transposed, their padding included
    yield size(layout.P, layout.VP)
    yield size(layout.VP, layout.P) if backward else 0


def weight_rows(layout: Any, n: Any, which: Any) -> Any:
    """Return the rows of a layer's W_ih or W_hh; 0 where the input is one-hot."""
    return layout.H if which == W_HH or n > 0 else layout.E


_weight_rows = kernel(inlined=True)(weight_rows)


@kernel()
def pack_weights(layout, parameters, packed, part, parts):
    """Pack the parameters as they are now: one of several parts of the work, for any thread."""
    L, G, H, P = layout.L, layout.G, layout.H, layout.P
    # a matrix is two tasks, forward and transposed; steps of 3 spread neighbouring ones over parts
    task = part
    for n in range(L):
        for which in range(2):
            K, begin = _weight_rows(layout, n, which), layout.layers[n, which]
            if K == 0:
                continue
            W = parameters[begin : begin + K * G * H].reshape(K, G * H)
            forward, transposed = packed.layers[n, which]  # offsets in `matrices`
            # (K × G·H), with padded gates, for a = x W
            if task % parts == 0:
                _pack(packed.matrices[forward:], W, G, H, P)
            # (G·P × K), for d = da Wᵀ, whose rows have the padding
            if (task + 1) % parts == 0 and transposed >= 0:
                columns = _padded_rows(layout, K)
                _pack_transposed(packed.matrices[transposed:], W, G, H, P, columns)
            task += 3
    _pack_output(layout, parameters, packed, task, parts)


@kernel(inlined=True)
def _pack_output(layout, parameters, packed, task, parts):
    """Pack the output matrix: W_out (H × V), or the embedding (V × H) where weights are tied."""
    H, P, V, VP = layout.H, layout.P, layout.V, layout.VP
    forward, transposed = packed.output
    if layout.W_out < 0:  # tied: the logits are products with the rows of the embedding
        W = parameters[layout.embedding : layout.embedding + V * H].reshape(V, H)
        if task % parts == 0:
            _pack_transposed(packed.matrices[forward:], W, 1, H, P, VP)  # (P × VP)
        if (task + 1) % parts == 0 and transposed >= 0:
            _pack(packed.matrices[transposed:], W, 1, H, P)  # (V × P)
        return
    W = parameters[layout.W_out : layout.W_out + H * V].reshape(H, V)
    if task % parts == 0:
        _pack(packed.matrices[forward:], W, 1, V, VP)  # (H × VP)
    if (task + 1) % parts == 0 and transposed >= 0:
        _pack_transposed(packed.matrices[transposed:], W, 1, V, VP, P)  # (VP × P)


@kernel(inlined=True)
def _padded_rows(layout, K):
    """Return K, which is H or E, rounded up to whole vectors."""
    return layout.P if layout.H == K else layout.EP


@kernel_by_type
def _pack(out, source, gates, width, padded):
    return pack_bf16 if out.dtype == types.uint32 else pack


@kernel_by_type
def _pack_transposed(out, source, gates, width, padded, columns):
    return pack_transposed_bf16 if out.dtype == types.uint32 else pack_transposed


@kernel(inlined=True)
def output_rows(layout):
    """Return the rows of the packed output matrix."""
    return layout.P if layout.W_out < 0 else layout.H


@kernel(inlined=True)
def output_transposed_rows(layout):
    """Return the rows of its packed transpose."""
    return layout.V if layout.W_out < 0 else layout.VP
