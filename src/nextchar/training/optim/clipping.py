"""Gradient clipping, by value or by global norm (Pascanu, Mikolov & Bengio, 2013).

The readable form; training clips within the compiled update (kernels/training/optimizers.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@np.errstate(over="ignore", invalid="ignore")  # the trainer looks at the norm that comes out
def clip(gradient: Array, threshold: float, by: str) -> float:
    """Clip a flat gradient in place; its global norm before that.

    threshold: 0 leaves the gradient as it is.
    by: `"value"` holds each entry in ±threshold; `"norm"` scales the whole so that its Euclidean
    norm is at most the threshold (with PyTorch's 1e-6 in the denominator).
    """
    norm = float(np.sqrt(np.dot(gradient, gradient), dtype=np.float64))
    if threshold == 0:
        return norm
    if by == "value":
        np.clip(gradient, -threshold, threshold, out=gradient)
    elif norm > threshold:
        gradient *= min(threshold / (norm + 1e-6), 1.0)
    return norm
