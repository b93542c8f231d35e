"""The vanilla RNN (Elman, 1990).

    h_t = tanh(a_t + h_{t-1} W_hh)            a_t = x_t W_ih + b

Memory of a sequence: T·B·H for a (which becomes h's gradient) and (T+1)·B·H for h.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

GATES = 1
STATES = 1

Array = NDArray[Any]
Weights = Mapping[str, Array]
Cache = Array  # (T+1, B, H), h before the first and after each step


def shapes(inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Name → shape of a layer's parameters."""
    return {"W_ih": (inputs, hidden), "W_hh": (hidden, hidden), "b": (hidden,)}


def init(weights: Weights) -> None:
    """Set the biases to zero."""
    weights["b"][:] = 0


def forward(weights: Weights, a: Array, state: Array) -> tuple[Array, Array, Cache]:
    """Run a layer over a sequence.

    a: (T, B, H), the input's share of the pre-activations; not changed.
    state: (1, B, H), h before the first step; not changed.
    Returns h of shape (T, B, H), the state after step T, and the cache for `backward`.
    """
    T, B, H = a.shape
    h = np.empty((T + 1, B, H), a.dtype)
    h[0] = state[0]
    for t in range(T):
        np.matmul(h[t], weights["W_hh"], out=h[t + 1])
        h[t + 1] += a[t]
        np.tanh(h[t + 1], out=h[t + 1])
    return h[1:], h[T:].copy(), h


def backward(weights: Weights, dh: Array, cache: Cache) -> tuple[Array, dict[str, Array]]:
    """Gradients of a layer.

    dh: (T, B, H), gradient of the loss with respect to each h from above; not changed.
    Returns da of shape (T, B, H) and the gradient of W_hh.
    """
    h = cache
    T, B, H = dh.shape
    W_hh_T = np.ascontiguousarray(weights["W_hh"].T)
    da = 1 - h[1:] ** 2  # (T, B, H), the slope of tanh
    carried = np.zeros((B, H), dh.dtype)  # gradient of h_t from step t+1
    for t in reversed(range(T)):
        carried += dh[t]
        da[t] *= carried
        np.matmul(da[t], W_hh_T, out=carried)
    dW_hh = h[:-1].reshape(T * B, H).T @ da.reshape(T * B, H)
    return da, {"W_hh": dW_hh}
