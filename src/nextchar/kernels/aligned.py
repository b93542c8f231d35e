"""Arrays that begin at a cache line.

A vector that straddles two cache lines loads at half speed, and NumPy's own arrays begin 16 bytes
after the start of a line.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 64  # bytes of a cache line; no vector is longer


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return zeros whose first element is at the beginning of a cache line."""
    shape = (shape,) if isinstance(shape, int) else shape
    size = prod(shape) * np.dtype(dtype).itemsize
    if size == 0:
        return np.zeros(shape, dtype)
    memory = np.zeros(size + LINE, np.uint8)
    start = -memory.ctypes.data % LINE
    aligned: NDArray[Any] = memory[start : start + size].view(dtype).reshape(shape)
    return aligned
