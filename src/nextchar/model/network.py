"""The network: codes → [embedding] → L recurrent layers → output projection → logits.

Backpropagation covers all time steps of a batch and stops at the first: the incoming state is a
constant (truncated backpropagation through time). All arrays are time-first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.model.loss import cross_entropy
from nextchar.model.parameters import Array, Parameters


class NetworkCache(NamedTuple):
    """Input of `backward`."""

    codes: NDArray[Any]  # (T, B)
    inputs: list[Array | None]  # of each layer, (T, B, E or H); None for one-hot
    cells: list[Any]  # of each layer
    masks: list[Array] | None
    top: Array  # (T, B, H), input of the output projection


def forward(
    parameters: Parameters, codes: NDArray[Any], state: Array, masks: list[Array] | None = None
) -> tuple[Array, Array, NetworkCache]:
    """Return the logits of the next character after each of the given ones.

    codes: (T, B) integers below V.
    state: (L, STATES, B, H); not changed.
    masks: dropout masks, one of shape (T, B, H) for each layer's output.
    Returns logits (T, B, V), the state after step T, and the cache for `backward`.
    """
    cell = parameters.architecture.cell
    x = parameters["embedding"][codes] if "embedding" in parameters.views else None
    new_state = np.empty_like(state)
    inputs: list[Array | None] = []
    caches = []
    for n, layer in enumerate(parameters.layers):
        inputs.append(x)
        a = layer["W_ih"][codes] if x is None else x @ layer["W_ih"]  # (T, B, GATES·H)
        a += layer["b"]
        h, new_state[n], cache = cell.forward(layer, a, state[n])
        caches.append(cache)
        x = h * masks[n] if masks else h  # (T, B, H)
    assert x is not None
    logits = x @ _output_matrix(parameters)  # (T, B, V)
    logits += parameters["b_out"]
    return logits, new_state, NetworkCache(codes, inputs, caches, masks, x)


def backward(
    parameters: Parameters, dlogits: Array, cache: NetworkCache, gradient: Parameters
) -> None:
    """Write the gradient of every parameter into `gradient`.

    dlogits: (T, B, V), gradient of the loss with respect to the logits.
    """
    cell = parameters.architecture.cell
    dx = dlogits @ _output_matrix(parameters).T  # (T, B, H)
    dW_out = _rows(cache.top).T @ _rows(dlogits)
    gradient["b_out"][:] = _rows(dlogits).sum(axis=0)
    for n in reversed(range(len(parameters.layers))):
        layer, dlayer = parameters.layers[n], gradient.layers[n]
        if cache.masks:
            dx *= cache.masks[n]
        da, recurrent = cell.backward(layer, dx, cache.cells[n])
        for name, value in recurrent.items():
            dlayer[name][:] = value
        dlayer["b"][:] = _rows(da).sum(axis=0)
        x = cache.inputs[n]
        if x is None:
            _sum_by_code(cache.codes, da, out=dlayer["W_ih"])
        else:
            np.matmul(_rows(x).T, _rows(da), out=dlayer["W_ih"])
            dx = da @ layer["W_ih"].T
    if "embedding" in gradient.views:
        _sum_by_code(cache.codes, dx, out=gradient["embedding"])
    if parameters.architecture.settings.tied:
        gradient["embedding"][:] += dW_out.T
    else:
        gradient["W_out"][:] = dW_out


def loss_and_gradient(
    parameters: Parameters,
    codes: NDArray[Any],
    targets: NDArray[Any],
    state: Array,
    gradient: Parameters,
    *,
    scale: float,
    masks: list[Array] | None = None,
) -> tuple[float, Array]:
    """Return the summed loss of a batch in nats and the state after it; write the gradient.

    gradient: overwritten. scale: factor of the gradient of the sum; 1/(T·B) gives that of the mean.
    """
    logits, new_state, cache = forward(parameters, codes, state, masks)
    loss, dlogits = cross_entropy(_rows(logits), targets.reshape(-1))
    dlogits *= scale
    backward(parameters, dlogits.reshape(logits.shape), cache, gradient)
    return loss, new_state


def _output_matrix(parameters: Parameters) -> Array:
    """(H, V): the output weights, or the transposed embedding if they are tied."""
    if parameters.architecture.settings.tied:
        return parameters["embedding"].T
    return parameters["W_out"]


def _rows(array: Array) -> Array:
    """(T, B, X) → (T·B, X), a view."""
    return array.reshape(-1, array.shape[-1])


def _sum_by_code(codes: NDArray[Any], values: Array, out: Array) -> None:
    """Sum the values of equal codes: the transpose of a row look-up.

    codes: (T, B); values: (T, B, X); out: (V, X), overwritten.
    Sorted by code, the sums are one pass in a fixed order; `np.add.at` is ten times slower.
    """
    flat = codes.reshape(-1)
    order = np.argsort(flat, kind="stable")
    present, starts = np.unique(flat[order], return_index=True)
    out[:] = 0
    out[present] = np.add.reduceat(_rows(values)[order], starts, axis=0)
