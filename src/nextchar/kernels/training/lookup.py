"""Rows by code: embedding lookup, its transpose (scatter-add), biases and their sums over rows.

The readable twin is model/network.py: `W_ih[codes] + b`, `_sum_by_code`, `sum(axis=0)`.

    W (V, G·H), not padded            a (N, G, P), gates padded to whole vectors
    row = code:  gate 0 | gate 1 …    row = character:  gate 0, zeros | gate 1, zeros | …
"""

from __future__ import annotations

from nextchar.kernels.jit import kernel


@kernel()
def lookup_with_bias(codes, W, b, a):
    """a[n, gate] = W[codes[n], gate] + b[gate]: one-hot input times matrix.

    codes: (N,); W: (V, G·H); b: (G·H,); a: (N, G, P).
    """
    N, G, _ = a.shape
    H = b.size // G
    for n in range(N):
        row = W[codes[n]]  # (G·H,)
        for gate in range(G):
            # slices first: the inner loop runs over three contiguous arrays, in vectors
            into, source, bias = a[n, gate], row[gate * H :], b[gate * H :]
            for j in range(H):
                into[j] = source[j] + bias[j]


@kernel()
def lookup(codes, E, x):
    """x[n] = E[codes[n]]; x: (N, ≥ E)."""
    # the padding of x is zero from its allocation on and never written
    for n in range(codes.size):
        for j in range(E.shape[1]):
            x[n, j] = E[codes[n], j]


@kernel()
def broadcast_bias(a, b):
    """a[n, gate] = b[gate] for every n; a: (N, G, P), its padding set to zero."""
    N, G, P = a.shape
    H = b.size // G
    for n in range(N):
        for gate in range(G):
            for j in range(H):
                a[n, gate, j] = b[gate * H + j]
            for j in range(H, P):  # the packed weights add zero to it
                a[n, gate, j] = 0


@kernel()
def sum_by_code(codes, d, out):
    """out[code, gate·H + j] = sum of d[n, gate, j] over n with that code; d: (N, G, P)."""
    flat = out.reshape(-1)
    for i in range(flat.size):  # codes that do not occur have a gradient of zero
        flat[i] = 0
    scatter_add(codes, d, out)


@kernel()
def scatter_add(codes, d, out):
    """out[code, gate·H + j] += sum of d[n, gate, j] over n with that code; d: (N, G, P)."""
    N, G, _ = d.shape
    H = out.shape[1] // G
    for n in range(N):
        row = out[codes[n]]  # in order of n: the same bits each time
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
            # out has no padding: a gate's sums take H numbers, not P
            into, source = out[gate * H : (gate + 1) * H], d[n, gate]
            for j in range(H):
                into[j] += source[j]


@kernel()
def sum_gate(d, gate, out):
    """out[j] = sum of d[n, gate, j] over n; d: (N, G, P)."""
    for j in range(out.size):
        out[j] = 0
    for n in range(d.shape[0]):
        source = d[n, gate]  # (P,), of which out takes the first H
        for j in range(out.size):
            out[j] += source[j]
