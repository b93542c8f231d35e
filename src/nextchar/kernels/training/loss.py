"""Softmax and cross-entropy; the readable twin is model/loss.py."""

from __future__ import annotations

import numpy as np

from nextchar.kernels.jit import kernel
from nextchar.kernels.training.activations import exp

LANES = 16  # running maxima of a row, side by side so that they are one vector


@kernel(reassociate=True)
def cross_entropy(z, targets, V, scale, maxima):
    """Return the summed loss in nats; logits z (N, ≥ V) become their gradient times `scale`.

    maxima: (LANES,), workspace.
    """
    loss = 0.0
    for n in range(z.shape[0]):
        row = z[n, :V]
        largest = _row_maximum(row, maxima)  # subtracted first: no exponential overflows
        chosen = row[targets[n]] - largest  # loss = log(sum of exponentials) - chosen
        total = z.dtype.type(0)
        for j in range(V):  # exponentials in place of the logits
            e = exp(row[j] - largest)
            row[j] = e
            total += e
        loss += np.log(np.float64(total)) - np.float64(chosen)
        # gradient: the probabilities minus the one-hot target
        factor = z.dtype.type(scale) / total
        for j in range(V):
            row[j] *= factor
        row[targets[n]] -= z.dtype.type(scale)
    return loss


@kernel()
def _row_maximum(row, maxima):
    """Return the largest number of a row."""
    # LANES maxima at once, a vector of them, over the whole vectors of the row
    for j in range(LANES):
        maxima[j] = row[0]
    whole = row.size // LANES * LANES
    for start in range(0, whole, LANES):
        for j in range(LANES):
            value = row[start + j]
            maxima[j] = value if value > maxima[j] else maxima[j]
    # then the largest of them and of the rest
    largest = maxima[0]
    for j in range(LANES):
        largest = max(largest, maxima[j])
    for j in range(whole, row.size):
        largest = max(largest, row[j])
    return largest
