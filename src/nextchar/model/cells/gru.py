"""The GRU with the reset gate after the recurrent product, as in cuDNN and PyTorch.

    [r z n_x] = a_t                           a_t = x_t W_ih + b, blocks of H columns
    [r_h z_h n_h] = h_{t-1} W_hh
    r = sigmoid(r_x + r_h);  z = sigmoid(z_x + z_h)
    n = tanh(n_x + r (n_h + b_hn))
    h_t = (1 - z) n + z h_{t-1}

Cho et al. (2014) put the reset gate before the product; this variant needs one product per step
and a separate bias inside the bracket, b_hn.
Memory of a sequence: 3·T·B·H for the gates, T·B·H for n_h + b_hn, (T+1)·B·H for h.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

GATES = 3
STATES = 1

Array = NDArray[Any]
Weights = Mapping[str, Array]


class GRUCache(NamedTuple):
    """Input of `backward`: activated gates, the bracket that r multiplies, and h."""

    gates: Array  # (T, B, 3H)
    bracket: Array  # (T, B, H), n_h + b_hn
    h: Array  # (T+1, B, H)


def shapes(inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Name → shape of a layer's parameters."""
    return {
        "W_ih": (inputs, 3 * hidden),
        "W_hh": (hidden, 3 * hidden),
        "b": (3 * hidden,),
        "b_hn": (hidden,),
    }


def init(weights: Weights) -> None:
    """Set the biases to zero."""
    weights["b"][:] = 0
    weights["b_hn"][:] = 0


def forward(weights: Weights, a: Array, state: Array) -> tuple[Array, Array, GRUCache]:
    """Run a layer over a sequence.

    a: (T, B, 3H), the input's share of the pre-activations; overwritten with the gates.
    state: (1, B, H), h before the first step; not changed.
    Returns h of shape (T, B, H), the state after step T, and the cache for `backward`.
    """
    T, B, _ = a.shape
    H = state.shape[2]
    h = np.empty((T + 1, B, H), a.dtype)
    bracket = np.empty((T, B, H), a.dtype)
    h[0] = state[0]
    product = np.empty((B, 3 * H), a.dtype)
    half = a.dtype.type(0.5)
    for t in range(T):
        np.matmul(h[t], weights["W_hh"], out=product)
        rz, n = a[t][:, : 2 * H], a[t][:, 2 * H :]
        rz += product[:, : 2 * H]
        rz *= half  # sigmoid(x) = (tanh(x/2) + 1) / 2
        np.tanh(rz, out=rz)
        rz *= half
        rz += half
        r, z = rz[:, :H], rz[:, H:]
        np.add(product[:, 2 * H :], weights["b_hn"], out=bracket[t])
        n += r * bracket[t]
        np.tanh(n, out=n)
        np.subtract(h[t], n, out=h[t + 1])
        h[t + 1] *= z
        h[t + 1] += n
    return h[1:], h[T:].copy(), GRUCache(a, bracket, h)


def backward(weights: Weights, dh: Array, cache: GRUCache) -> tuple[Array, dict[str, Array]]:
    """Gradients of a layer.

    dh: (T, B, H), gradient of the loss with respect to each h from above; not changed.
    Returns da of shape (T, B, 3H) and the gradients of W_hh and b_hn.
    """
    gates, bracket, h = cache
    T, B, H = dh.shape
    W_hh_T = np.ascontiguousarray(weights["W_hh"].T)
    da = np.empty_like(gates)
    dproduct = np.empty_like(gates)  # da with the n block scaled by r: the gradient of h W_hh
    carried = np.zeros((B, H), dh.dtype)  # gradient of h_t from step t+1
    for t in reversed(range(T)):
        r, z, n = (gates[t][:, k * H : (k + 1) * H] for k in range(3))
        dr, dz, dn = (da[t][:, k * H : (k + 1) * H] for k in range(3))
        dh_t = dh[t] + carried
        np.multiply(dh_t * (1 - z), 1 - n * n, out=dn)
        np.multiply(dh_t * (h[t] - n), z * (1 - z), out=dz)
        np.multiply(dn * bracket[t], r * (1 - r), out=dr)
        dproduct[t] = da[t]
        dproduct[t][:, 2 * H :] *= r
        np.matmul(dproduct[t], W_hh_T, out=carried)
        carried += dh_t * z
    flat = dproduct.reshape(T * B, 3 * H)
    dW_hh = h[:-1].reshape(T * B, H).T @ flat
    return da, {"W_hh": dW_hh, "b_hn": flat[:, 2 * H :].sum(axis=0)}
