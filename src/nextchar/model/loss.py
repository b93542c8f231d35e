"""Softmax and cross-entropy, stable for logits of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def log_softmax(logits: Array) -> Array:
    """Return the natural logarithms of the probabilities, over the last axis.

    The largest logit is subtracted first, so that no exponential overflows and their sum is at
    least one. NaN stays NaN.
    """
    shifted: Array = logits - logits.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def cross_entropy(logits: Array, targets: NDArray[Any]) -> tuple[float, Array]:
    """Return the summed cross-entropy in nats, and its gradient with respect to the logits.

    logits: (N, V); overwritten with the gradient, probabilities minus one-hot targets.
    targets: (N,) codes below V.
    """
    rows = np.arange(len(targets))
    logits -= logits.max(axis=-1, keepdims=True)
    chosen = logits[rows, targets].astype(np.float64)
    np.exp(logits, out=logits)
    total = logits.sum(axis=-1, keepdims=True)
    loss = float((np.log(total[:, 0], dtype=np.float64) - chosen).sum())
    logits /= total
    logits[rows, targets] -= 1
    return loss, logits
