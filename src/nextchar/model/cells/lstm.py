"""The LSTM with a forget gate, without peepholes (Gers, Schmidhuber & Cummins, 2000).

    [i f g o] = a_t + h_{t-1} W_hh            a_t = x_t W_ih + b, blocks of H columns
    i, f, o ← sigmoid;  g ← tanh
    c_t = f c_{t-1} + i g
    h_t = o tanh(c_t)

Memory of a sequence: 4·T·B·H for the gates, about 3·T·B·H for h, c and tanh(c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

GATES = 4
STATES = 2

Array = NDArray[Any]
Weights = Mapping[str, Array]


class LSTMCache(NamedTuple):
    """Input of `backward`: activated gates and states."""

    gates: Array  # (T, B, 4H)
    h: Array  # (T+1, B, H)
    c: Array  # (T+1, B, H)
    tanh_c: Array  # (T, B, H)


def shapes(inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Name → shape of a layer's parameters."""
    return {"W_ih": (inputs, 4 * hidden), "W_hh": (hidden, 4 * hidden), "b": (4 * hidden,)}


def init(weights: Weights) -> None:
    """Set the biases to zero, the forget gate's to one, so that memory lasts initially."""
    hidden = len(weights["W_hh"])
    weights["b"][:] = 0
    weights["b"][hidden : 2 * hidden] = 1


def forward(weights: Weights, a: Array, state: Array) -> tuple[Array, Array, LSTMCache]:
    """Run a layer over a sequence.

    a: (T, B, 4H), the input's share of the pre-activations; overwritten with the gates.
    state: (2, B, H), h and c before the first step; not changed.
    Returns h of shape (T, B, H), the state after step T, and the cache for `backward`.
    """
    T, B, _ = a.shape
    H = state.shape[2]
    h = np.empty((T + 1, B, H), a.dtype)
    c = np.empty((T + 1, B, H), a.dtype)
    tanh_c = np.empty((T, B, H), a.dtype)
    h[0], c[0] = state
    product = np.empty((B, 4 * H), a.dtype)
    # sigmoid(x) = (tanh(x/2) + 1) / 2: one tanh serves all four gates and never overflows
    scale = np.repeat(np.array([0.5, 0.5, 1, 0.5], a.dtype), H)
    shift = np.repeat(np.array([0.5, 0.5, 0, 0.5], a.dtype), H)
    for t in range(T):
        gates = a[t]
        np.matmul(h[t], weights["W_hh"], out=product)
        gates += product
        gates *= scale
        np.tanh(gates, out=gates)
        gates *= scale
        gates += shift
        i, f, g, o = (gates[:, k * H : (k + 1) * H] for k in range(4))  # each (B, H)
        np.multiply(f, c[t], out=c[t + 1])
        c[t + 1] += i * g
        np.tanh(c[t + 1], out=tanh_c[t])
        np.multiply(o, tanh_c[t], out=h[t + 1])
    return h[1:], np.stack([h[T], c[T]]), LSTMCache(a, h, c, tanh_c)


def backward(weights: Weights, dh: Array, cache: LSTMCache) -> tuple[Array, dict[str, Array]]:
    """Gradients of a layer.

    dh: (T, B, H), gradient of the loss with respect to each h from above; not changed.
    Returns da of shape (T, B, 4H) and the gradient of W_hh.
    """
    gates, h, c, tanh_c = cache
    T, B, H = dh.shape
    W_hh_T = np.ascontiguousarray(weights["W_hh"].T)
    da = np.empty_like(gates)
    dh_carried = np.zeros((B, H), dh.dtype)  # gradients of h_t and c_t from step t+1
    dc_carried = np.zeros((B, H), dh.dtype)
    for t in reversed(range(T)):
        i, f, g, o = (gates[t][:, k * H : (k + 1) * H] for k in range(4))
        di, df, dg, do = (da[t][:, k * H : (k + 1) * H] for k in range(4))
        dh_t = dh[t] + dh_carried
        dc_t = dc_carried + dh_t * o * (1 - tanh_c[t] ** 2)
        np.multiply(dc_t * g, i * (1 - i), out=di)
        np.multiply(dc_t * c[t], f * (1 - f), out=df)
        np.multiply(dc_t * i, 1 - g * g, out=dg)
        np.multiply(dh_t * tanh_c[t], o * (1 - o), out=do)
        np.multiply(dc_t, f, out=dc_carried)
        np.matmul(da[t], W_hh_T, out=dh_carried)
    dW_hh = h[:-1].reshape(T * B, H).T @ da.reshape(T * B, 4 * H)
    return da, {"W_hh": dW_hh}
