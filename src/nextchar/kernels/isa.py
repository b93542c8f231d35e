"""Instruction set that the kernels are compiled for, and the tile sizes that suit it.

It is the one that Numba generates code for: the host's, or that of NUMBA_CPU_NAME and
NUMBA_CPU_FEATURES.

    set        vector     registers   tile (rows × vectors)
    AVX-512    64 bytes   32          8 × 3: 24 sums, 3 of B, the broadcast comes from memory
    AVX2       32 bytes   16          6 × 2: 12 sums, 2 of B, 1 broadcast
    NEON       16 bytes   32          8 × 3
    SSE2       16 bytes   16          4 × 2: 8 sums, 2 of B, a broadcast and a product
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core.registry import cpu_target


class ISA(NamedTuple):
    """Vector width and tile sizes of an instruction set."""

    name: str
    vector_bytes: int
    tile_rows: int  # MR of the micro-kernel
    tile_vectors: int  # NR_VECTORS
    has_bfloat16: bool = False  # products of bfloat16 pairs, summed in float32


def _detect() -> ISA:
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    enabled = set(features.split(","))
    if "+avx512f" in enabled:
        return ISA("avx512", 64, 8, 3, has_bfloat16="+avx512bf16" in enabled)
    if {"+avx2", "+fma"} <= enabled:
        return ISA("avx2", 32, 6, 2)
    if triple.startswith(("aarch64", "arm64")):
        return ISA("neon", 16, 8, 3)
    return ISA("sse2", 16, 4, 2)


HOST = _detect()


def vector_length(dtype: Any) -> int:
    """Return the number of elements of a float type in a vector."""
    return HOST.vector_bytes // int(np.dtype(dtype).itemsize)


def padded(size: int, dtype: Any) -> int:
    """Return a size rounded up to whole vectors."""
    length = vector_length(dtype)
    return -(-size // length) * length
