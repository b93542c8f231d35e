"""Workspace: the memory of one thread for a training step, scoring or decoding, allocated once.

Every array has H padded to whole vectors (P), its padding zero. T and B are those of the largest
batch; a smaller one uses the beginning of the same memory.

Where a memory is (T·B·G·P), a row is one character of one lane, time first:
row t·B + lane = [gate 0: H numbers, zeros | gate 1: H numbers, zeros | …].
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.aligned import aligned_zeros
from nextchar.kernels.gemm.gemm import KC, GemmContext, gemm_context, scratch_size
from nextchar.kernels.gemm.microkernel import MR, NR_VECTORS
from nextchar.kernels.isa import vector_length
from nextchar.kernels.layout import GRU, LSTM, Layout
from nextchar.kernels.training.loss import LANES

Array = NDArray[Any]


class Workspace(NamedTuple):
    """Arrays of one thread, and the context of its products."""

    codes: Array  # (T·B), of the thread's lanes
    targets: Array  # (T·B)
    a: Array  # (L, T·B·G·P): pre-activations, then gates, then their gradients
    h: Array  # (L, (T+1)·B·P): states before and after each step
    c: Array  # (L, (T+1)·B·P)
    saved: Array  # (L, T·B·x·P): tanh(c) of the LSTM, x = 1; h W_hh of the GRU, x = 3
    dropped: Array  # (L, T·B·P): h after dropout, where there is any
    x: Array  # (T·B·EP): embedded codes
    dx: Array  # (T·B·EP): their gradient
    d: Array  # (2, T·B·P): gradients of a layer's output and of the one below, in turn
    dc: Array  # (B·P): gradient of c
    logits: Array  # (T·B·VP), then their gradients
    maxima: Array  # (LANES): running maxima of `cross_entropy`
    # (H or E, widest): a gradient of weights, still with padding
    dW: Array  # noqa: N815 - mathematics keeps its letters
    packed_a: Array  # operands of `gemm_tn`, packed
    packed_b: Array
    context: GemmContext


class WorkspaceSize(NamedTuple):
    """Parameters of a workspace."""

    T: int  # steps
    B: int  # lanes
    pairs: bool = False  # products of bfloat16
    backward: bool = True  # with gradients
    dropout: bool = False  # with the outputs after dropout


def allocate_workspace(layout: Layout, size: WorkspaceSize, dtype: Any) -> Workspace:
    """Allocate a workspace, all zero."""
    arrays = {
        name: aligned_zeros(*each) for name, each in _shapes(layout, size, np.dtype(dtype)).items()
    }
    context = gemm_context(np.uint32 if size.pairs else dtype, _largest_row(layout))
    return Workspace(**arrays, context=context)


def workspace_bytes(layout: Layout, size: WorkspaceSize, dtype: Any) -> int:
    """Return the bytes that `allocate_workspace` allocates."""
    shapes = _shapes(layout, size, np.dtype(dtype)).values()
    # the scratch belongs to the context of products, not to the arrays
    scratch = scratch_size(np.uint32, _largest_row(layout)) * 4 if size.pairs else 0
    return sum(prod(shape) * kind.itemsize for shape, kind in shapes) + scratch


def _shapes(
    layout: Layout, size: WorkspaceSize, dtype: np.dtype[Any]
) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and type of each array of a workspace."""
    T, B, pairs, backward, dropout = size
    L, G, P, N = layout.L, layout.G, layout.P, T * B
    tallest = max(layout.H, layout.E)  # rows of the largest gradient of weights
    packed = np.dtype(np.uint32) if pairs else dtype  # a pair is one uint32
    saved = {LSTM: 1, GRU: 3}.get(layout.cell, 0)  # widths of P kept for the backward pass
    codes = np.dtype(np.int64)
    # a factor of False leaves an array empty where it is not needed
    return {
        "codes": ((N,), codes),
        "targets": ((N * backward,), codes),
        "a": ((L, N * G * P), dtype),
        "h": ((L, (T + 1) * B * P), dtype),
        "c": ((L, (T + 1) * B * P * (layout.cell == LSTM)), dtype),
        "saved": ((L, N * saved * P), dtype),
        "dropped": ((L, N * P * dropout), dtype),
        "x": ((N * layout.EP,), dtype),
        "dx": ((N * layout.EP * backward,), dtype),
        "d": ((2, N * P * backward), dtype),
        "dc": ((B * P * backward,), dtype),
        "logits": ((N * layout.VP,), dtype),
        "maxima": ((LANES,), dtype),
        "dW": ((tallest * max(G * P, layout.VP) * backward,), dtype),
        "packed_a": ((KC * (tallest + MR) * backward,), packed),
        "packed_b": ((KC * NR_VECTORS * vector_length(dtype) * backward,), packed),
    }


def _largest_row(layout: Layout) -> int:
    """Return the largest inner size of a product."""
    return max(layout.G * layout.P, layout.VP, layout.EP, layout.P)
