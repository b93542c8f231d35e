"""Arrays that begin where vectors and cache lines do.

A vector that straddles two cache lines is loaded at half speed, and NumPy's own arrays begin
16 bytes behind a line.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 64  # bytes of a cache line; no vector is longer


def aligned_zeros(shape: int | tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Zeros whose first element stands at the beginning of a cache line."""
    shape = (shape,) if isinstance(shape, int) else shape
    size = prod(shape) * np.dtype(dtype).itemsize
    if size == 0:
        return np.zeros(shape, dtype)
    room = np.zeros(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    aligned: NDArray[Any] = room[start : start + size].view(dtype).reshape(shape)
    return aligned
