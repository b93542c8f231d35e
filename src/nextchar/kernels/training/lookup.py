"""Passes over rows: looking up and summing by code, biases, softmax with cross-entropy."""

from __future__ import annotations

import numpy as np

from nextchar.kernels.jit import kernel
from nextchar.kernels.training.activations import exp

LANES = 16  # running maxima of a row, side by side so that they are one vector


@kernel()
def look_up(codes, W, b, a):
    """a[n, gate] = W[codes[n], gate] + b[gate]: one-hot input times matrix.

    codes: (N,); W: (V, G·H); b: (G·H,); a: (N, G, P).
    """
    N, G, _ = a.shape
    H = b.size // G
    for n in range(N):
        row = W[codes[n]]
        for gate in range(G):
            into, source, bias = a[n, gate], row[gate * H :], b[gate * H :]
            for j in range(H):
                into[j] = source[j] + bias[j]


@kernel()
def look_up_plain(codes, E, x):
    """x[n] = E[codes[n]]; x: (N, ≥ E), its padding left alone."""
    for n in range(codes.size):
        for j in range(E.shape[1]):
            x[n, j] = E[codes[n], j]


@kernel()
def fill_bias(a, b):
    """a[n, gate] = b[gate] for every n; a: (N, G, P), its padding set to zero."""
    N, G, P = a.shape
    H = b.size // G
    for n in range(N):
        for gate in range(G):
            for j in range(H):
                a[n, gate, j] = b[gate * H + j]
            for j in range(H, P):
                a[n, gate, j] = 0


@kernel()
def sum_by_code(codes, d, out):
    """out[code, gate·H + j] = sum of d[n, gate, j] over n with that code; d: (N, G, P)."""
    flat = out.reshape(-1)
    for i in range(flat.size):
        flat[i] = 0
    add_by_code(codes, d, out)


@kernel()
def add_by_code(codes, d, out):
    """The same, added to what `out` holds."""
    N, G, _ = d.shape
    H = out.shape[1] // G
    for n in range(N):
        row = out[codes[n]]
        for gate in range(G):
            into, source = row[gate * H : (gate + 1) * H], d[n, gate]
            for j in range(H):
                into[j] += source[j]


@kernel()
def sum_rows(d, out):
    """out[gate·H + j] = sum of d[n, gate, j] over n; d: (N, G, P)."""
    N, G, _ = d.shape
    H = out.size // G
    for j in range(out.size):
        out[j] = 0
    for n in range(N):
        for gate in range(G):
            into, source = out[gate * H : (gate + 1) * H], d[n, gate]
            for j in range(H):
                into[j] += source[j]


@kernel()
def sum_block(d, block, out):
    """out[j] = sum of d[n, block, j] over n; d: (N, G, P)."""
    for j in range(out.size):
        out[j] = 0
    for n in range(d.shape[0]):
        source = d[n, block]
        for j in range(out.size):
            out[j] += source[j]


@kernel(sums_in_any_order=True)
def cross_entropy(z, targets, V, scale, maxima):
    """Summed loss in nats; logits z (N, ≥ V) become their gradient times `scale`.

    maxima: (LANES,), workspace.
    """
    loss = 0.0
    for n in range(z.shape[0]):
        row = z[n, :V]
        largest = _largest(row, maxima)
        chosen = row[targets[n]] - largest
        total = z.dtype.type(0)
        for j in range(V):
            e = exp(row[j] - largest)
            row[j] = e
            total += e
        loss += np.log(np.float64(total)) - np.float64(chosen)
        factor = z.dtype.type(scale) / total
        for j in range(V):
            row[j] *= factor
        row[targets[n]] -= z.dtype.type(scale)
    return loss


@kernel()
def _largest(row, maxima):
    for j in range(LANES):
        maxima[j] = row[0]
    whole = row.size // LANES * LANES
    for start in range(0, whole, LANES):
        for j in range(LANES):
            value = row[start + j]
            maxima[j] = value if value > maxima[j] else maxima[j]
    largest = maxima[0]
    for j in range(LANES):
        largest = max(largest, maxima[j])
    for j in range(whole, row.size):
        largest = max(largest, row[j])
    return largest
