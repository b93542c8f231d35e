"""Backward pass, after `forward` and `project` over the same workspace.

    d = dlogits W_outᵀ, gradients of W_out and b_out
    for each layer from the top:  dropout;  the cell's loop over time from the end;
        gradients of W_hh, b, W_ih;  d = da W_ihᵀ for the layer below
    gradient of the embedding

Every parameter's gradient is written, none is added to; `gradient` has the layout of the
parameters. The gradients of the layers' outputs alternate between two arrays:

    layer      L-1      L-2      L-3      …
    reads      d[0]     d[1]     d[0]
    writes     d[1]     d[0]     d[1]     for the layer below
"""

from __future__ import annotations

from nextchar.kernels.gemm.gemm import gemm, gemm_tn
from nextchar.kernels.gemm.packed_weights import TRANSPOSED, output_transposed_rows
from nextchar.kernels.jit import kernel
from nextchar.kernels.layout import B_HN, LSTM, RNN, W_HH, W_IH
from nextchar.kernels.layout import B as BIAS
from nextchar.kernels.training import gru, lookup, lstm, rnn
from nextchar.kernels.training.dropout import apply_dropout
from nextchar.kernels.training.forward import gates, layer_output, states


@kernel(inlined=True)
def backward(layout, packed, workspace, gradient, T, B, dropout, first, lanes):
    """Write the gradient; the workspace's logits hold their own gradient by now."""
    # the order of the buckets too: what is finished first can be sent first
    output_backward(layout, packed, workspace, gradient, T, B, dropout)
    for n in range(layout.L - 1, -1, -1):
        layer_backward(layout, packed, workspace, gradient, n, T, B, dropout, first, lanes)


@kernel(inlined=True)
def layer_backward(layout, packed, workspace, gradient, n, T, B, dropout, first, lanes):
    """Write the part of layer n, after those above it; layer 0 includes the embedding's."""
    # written by the layer above, or by the output
    d = states(layout, workspace.d[(layout.L - 1 - n) % 2], T, B)  # (T, B, P)
    if len(dropout.keys):  # the same units as in the forward pass, by their hash
        apply_dropout(d, d, n, dropout, layout.H, first, lanes)
    _cell_backward(layout, packed, workspace, n, T, B, d)
    _recurrent_gradient(layout, workspace, gradient, n, T, B)
    _input_gradient(layout, packed, workspace, gradient, n, T, B, dropout)
    if n == 0 and layout.E:
        _embedding_gradient(layout, workspace, gradient, T * B)


@kernel(inlined=True)
def output_backward(layout, packed, workspace, gradient, T, B, dropout):
    """Write the gradients of the output's weights, and of the output of the last layer."""
    N, V, VP, H, P = T * B, layout.V, layout.VP, layout.H, layout.P
    top = layer_output(layout, workspace, layout.L - 1, T, B, dropout)
    dlogits = workspace.logits[: N * VP].reshape(N, VP)
    # b_out: (V,)
    lookup.sum_rows(dlogits.reshape(N, 1, VP), gradient[layout.b_out : layout.b_out + V])
    # W_out: (H, V) = topᵀ dlogits
    dW = _weight_gradient(workspace, top, H, dlogits)  # (H, VP)
    if layout.W_out < 0:  # tied: the transpose; layer 0 adds the embedding's own part later
        into = gradient[layout.embedding : layout.embedding + V * H].reshape(V, H)
        for v in range(V):
            for k in range(H):
                into[v, k] = dW[k, v]
    else:
        _without_padding(dW, V, gradient[layout.W_out : layout.W_out + H * V], 1)
    # output of the last layer: d[0] = dlogits W_outᵀ
    W, K = packed.matrices[packed.output[TRANSPOSED] :], output_transposed_rows(layout)
    d = workspace.d[0].ctypes.data
    gemm(dlogits.ctypes.data, VP, W, d, P, N, K, P, False, workspace.context)


@kernel(inlined=True)
def _cell_backward(layout, packed, workspace, n, T, B, d):
    """Run the cell's loop over time from the end: gates become gradients of pre-activations."""
    a, h = gates(layout, workspace.a[n], T, B), states(layout, workspace.h[n], T + 1, B)
    W_T, context = packed.matrices[packed.layers[n, W_HH, TRANSPOSED] :], workspace.context
    if layout.cell == RNN:
        rnn.backward(a, h, d, W_T, context)
    elif layout.cell == LSTM:
        c = states(layout, workspace.c[n], T + 1, B)
        tanh_c = states(layout, workspace.saved[n], T, B)
        dc = workspace.dc[: B * layout.P].reshape(B, layout.P)
        lstm.backward(a, c, tanh_c, d, dc, W_T, context)
    else:
        gru.backward(a, h, gates(layout, workspace.saved[n], T, B), d, W_T, context)


@kernel(inlined=True)
def _recurrent_gradient(layout, workspace, gradient, n, T, B):
    """Write the gradients of W_hh and of b_hn."""
    N, G, H, P, begin = T * B, layout.G, layout.H, layout.P, layout.layers[n]
    d = workspace.a[n][: N * G * P].reshape(N, G * P)  # da
    if begin[B_HN] >= 0:  # GRU: the gradient of h W_hh differs from da by the reset gate
        d = workspace.saved[n][: N * G * P].reshape(N, G * P)
        lookup.sum_gate(d.reshape(N, G, P), 2, gradient[begin[B_HN] : begin[B_HN] + H])
    # W_hh: (H, G·H) = hᵀ d, with h before each step: the first T blocks of the states
    dW = _weight_gradient(workspace, workspace.h[n][: N * P].reshape(N, P), H, d)
    _without_padding(dW, H, gradient[begin[W_HH] : begin[W_HH] + H * G * H], G)


@kernel(inlined=True)
def _input_gradient(layout, packed, workspace, gradient, n, T, B, dropout):
    """Write the gradients of W_ih and b, and of the layer's input where it is not one-hot."""
    N, G, H, P, V, begin = T * B, layout.G, layout.H, layout.P, layout.V, layout.layers[n]
    da = workspace.a[n][: N * G * P].reshape(N, G, P)
    b = gradient[begin[BIAS] : begin[BIAS] + G * H]
    if n == 0 and layout.E == 0:  # one-hot input: da summed by code
        into = gradient[begin[W_IH] : begin[W_IH] + V * G * H].reshape(V, G * H)
        lookup.sum_by_code(workspace.codes[:N], da, into)
        # b: every row of da is in one row of the gradient of W_ih
        if V < N:  # the fewer rows
            lookup.sum_rows(into.reshape(V, G, H), b)
        else:
            lookup.sum_rows(da, b)
        return
    lookup.sum_rows(da, b)
    if n == 0:  # the input is the embedded codes, padded to EP
        below, K, width = workspace.x[: N * layout.EP].reshape(N, layout.EP), layout.E, layout.EP
        to = workspace.dx.ctypes.data
    else:  # the input is the output of the layer below
        below, K, width = layer_output(layout, workspace, n - 1, T, B, dropout), H, P
        to = workspace.d[(layout.L - n) % 2].ctypes.data  # read by the layer below
    flat = da.reshape(N, G * P)
    # W_ih: (K, G·H) = inputᵀ da, K = E or H
    dW = _weight_gradient(workspace, below, K, flat)
    _without_padding(dW, H, gradient[begin[W_IH] : begin[W_IH] + K * G * H], G)
    # input: da W_ihᵀ
    W_T = packed.matrices[packed.layers[n, W_IH, TRANSPOSED] :]
    gemm(flat.ctypes.data, G * P, W_T, to, width, N, G * P, width, False, workspace.context)


@kernel(inlined=True)
def _embedding_gradient(layout, workspace, gradient, N):
    """Write the gradient of the embedding, or add it to the output's part where tied."""
    V, E = layout.V, layout.E
    into = gradient[layout.embedding : layout.embedding + V * E].reshape(V, E)
    dx = workspace.dx[: N * layout.EP].reshape(N, 1, layout.EP)  # one gate, E wide
    if layout.W_out < 0:
        lookup.scatter_add(workspace.codes[:N], dx, into)
    else:
        lookup.sum_by_code(workspace.codes[:N], dx, into)


@kernel(inlined=True)
def _weight_gradient(workspace, a, M, d):
    """Return Aᵀ d (M, width of d) for a: (N, ≥ M), with padding, valid until the next call."""
    out = workspace.dW[: M * d.shape[1]].reshape(M, d.shape[1])
    gemm_tn(
        a, M, d, d.shape[1], out, len(a),
        workspace.packed_a, workspace.packed_b, workspace.context,
    )  # fmt: skip
    return out


@kernel()
def _without_padding(dW, width, into, G):
    """Copy rows of G blocks, each `width` numbers and padding, without the padding."""
    M, P = dW.shape[0], dW.shape[1] // G
    # dW (M, G·P) → into (M, G·width), flat
    for m in range(M):
        for g in range(G):
            row, block = into[(m * G + g) * width :], dW[m, g * P :]
            for j in range(width):
                row[j] = block[j]
