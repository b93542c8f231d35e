"""The memory that one thread works in, laid out once.

Every array has H padded to whole vectors (P), its padding zero. T and B are those of the largest
batch; a smaller one uses the beginning of the same memory.

    codes, targets  (T·B)            of the thread's lanes
    a               (L, T·B·G·P)     pre-activations, then gates, then their gradients
    h, c            (L, (T+1)·B·P)   states before and after each step
    extra           (L, T·B·x·P)     tanh(c) of the LSTM, x = 1; h W_hh of the GRU, x = 3
    dropped         (L, T·B·P)       h after dropout, where there is any
    x, dx           (T·B·EP)         embedded codes and their gradient
    d               (2, T·B·P)       gradients of a layer's output and of the one below
    dc              (B·P)            gradient of c
    logits          (T·B·VP)         then their gradients
    sums            (H or E, widest) a gradient of weights before its padding is left out
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.aligned import aligned_zeros
from nextchar.kernels.gemm.gemm import DEPTH, GemmContext, gemm_context
from nextchar.kernels.gemm.microkernel import ROWS, VECTORS
from nextchar.kernels.isa import vector_length
from nextchar.kernels.layout import GRU, LSTM, Layout
from nextchar.kernels.training.lookup import LANES

Array = NDArray[Any]


class Workspace(NamedTuple):
    """See above; maxima: of `cross_entropy`; packed_a, packed_b: of `outer`; tools: of products."""

    codes: Array
    targets: Array
    a: Array
    h: Array
    c: Array
    extra: Array
    dropped: Array
    x: Array
    dx: Array
    d: Array
    dc: Array
    logits: Array
    maxima: Array
    sums: Array
    packed_a: Array
    packed_b: Array
    tools: GemmContext


def allocate_workspace(
    shape: Layout,
    T: int,
    B: int,
    dtype: Any,
    *,
    pairs: bool = False,
    backward: bool = True,
    dropout: bool = False,
) -> Workspace:
    """Room for T steps of B lanes. backward: for gradients too; dropout: for dropped outputs."""
    L, G, P, N = shape.L, shape.G, shape.P, T * B
    widest, tallest = max(G * P, shape.VP), max(shape.H, shape.E)
    packed = np.uint32 if pairs else dtype
    blocks = {LSTM: 1, GRU: 3}.get(shape.cell, 0)

    def zeros(*size: int, kind: Any = dtype, wanted: bool = True) -> Array:
        return aligned_zeros(size if wanted else (*size[:-1], 0), kind)

    return Workspace(
        codes=zeros(N, kind=np.int64),
        targets=zeros(N, kind=np.int64, wanted=backward),
        a=zeros(L, N * G * P),
        h=zeros(L, (T + 1) * B * P),
        c=zeros(L, (T + 1) * B * P, wanted=shape.cell == LSTM),
        extra=zeros(L, N * blocks * P),
        dropped=zeros(L, N * P, wanted=dropout),
        x=zeros(N * shape.EP),
        dx=zeros(N * shape.EP, wanted=backward),
        d=zeros(2, N * P, wanted=backward),
        dc=zeros(B * P, wanted=backward),
        logits=zeros(N * shape.VP),
        maxima=zeros(LANES),
        sums=zeros(tallest * widest, wanted=backward),
        packed_a=zeros(DEPTH * (tallest + ROWS), kind=packed, wanted=backward),
        packed_b=zeros(DEPTH * VECTORS * vector_length(dtype), kind=packed, wanted=backward),
        tools=gemm_context(packed, max(widest, shape.EP, P)),
    )
