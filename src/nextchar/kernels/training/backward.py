"""The network backward, after `forward` and `project` over the same room.

    d = dlogits W_outᵀ, W_out's gradient, b_out's
    for each layer from the top:  dropout;  the cell's loop over time from the end;
        gradients of W_hh, b, W_ih;  d = da W_ihᵀ for the layer below
    the embedding's gradient

Every parameter's gradient is written, none is added to; `gradient` is laid out as parameters are.
"""

from __future__ import annotations

from numba import types
from numba.extending import overload

from nextchar.kernels.gemm.bfloat16 import outer_pairs
from nextchar.kernels.gemm.packed_weights import TRANSPOSED, output_transposed_rows
from nextchar.kernels.gemm.packing import gemm, gemm_tn
from nextchar.kernels.jit import kernel
from nextchar.kernels.layout import B_HN, LSTM, RNN, W_HH, W_IH
from nextchar.kernels.layout import B as BIAS
from nextchar.kernels.training import gru, lookup, lstm, rnn
from nextchar.kernels.training.dropout import drop
from nextchar.kernels.training.forward import gates, output_of, states


@kernel(inlined=True)
def backward(shape, packed, room, gradient, T, B, dropout, first, lanes):
    """Write the gradient; the room's logits hold their own by now."""
    output_backward(shape, packed, room, gradient, T, B, dropout)
    for n in range(shape.L - 1, -1, -1):
        layer_backward(shape, packed, room, gradient, n, T, B, dropout, first, lanes)


@kernel(inlined=True)
def layer_backward(shape, packed, room, gradient, n, T, B, dropout, first, lanes):
    """The part of layer n, after those above it; the embedding's belongs to the first layer's."""
    d = states(shape, room.d[(shape.L - 1 - n) % 2], T, B)
    if len(dropout.keys):
        drop(d, d, n, dropout, shape.H, first, lanes)
    _cell_backward(shape, packed, room, n, T, B, d)
    _recurrent_gradient(shape, room, gradient, n, T, B)
    _input_gradient(shape, packed, room, gradient, n, T, B, dropout)
    if n == 0 and shape.E:
        _embedding_gradient(shape, room, gradient, T * B)


@kernel(inlined=True)
def output_backward(shape, packed, room, gradient, T, B, dropout):
    """The part of the output: the gradients of its weights, and of what the last layer gave."""
    N, V, VP, H, P = T * B, shape.V, shape.VP, shape.H, shape.P
    top = output_of(shape, room, shape.L - 1, T, B, dropout)
    dlogits = room.logits[: N * VP].reshape(N, VP)
    lookup.sum_rows(dlogits.reshape(N, 1, VP), gradient[shape.b_out : shape.b_out + V])
    made = _outer(room, top, H, dlogits)
    if shape.W_out < 0:  # the embedding's own part is added to it later
        into = gradient[shape.embedding : shape.embedding + V * H].reshape(V, H)
        for v in range(V):
            for k in range(H):
                into[v, k] = made[k, v]
    else:
        _without_padding(made, V, gradient[shape.W_out : shape.W_out + H * V], 1)
    W, K = packed.matrices[packed.output[TRANSPOSED] :], output_transposed_rows(shape)
    gemm(
        dlogits.ctypes.data, VP, W, room.d[0].ctypes.data, P, N, K, P, False, room.tools
    )  # fmt: skip


@kernel(inlined=True)
def _cell_backward(shape, packed, room, n, T, B, d):
    """The cell's loop over time, from the end."""
    a, h = gates(shape, room.a[n], T, B), states(shape, room.h[n], T + 1, B)
    W_T, tools = packed.matrices[packed.layers[n, W_HH, TRANSPOSED] :], room.tools
    if shape.cell == RNN:
        rnn.backward(a, h, d, W_T, tools)
    elif shape.cell == LSTM:
        c, tanh_c = states(shape, room.c[n], T + 1, B), states(shape, room.extra[n], T, B)
        lstm.backward(a, c, tanh_c, d, room.dc[: B * shape.P].reshape(B, shape.P), W_T, tools)
    else:
        gru.backward(a, h, gates(shape, room.extra[n], T, B), d, W_T, tools)


@kernel(inlined=True)
def _recurrent_gradient(shape, room, gradient, n, T, B):
    """Of W_hh, and of b_hn."""
    N, G, H, P, begin = T * B, shape.G, shape.H, shape.P, shape.layers[n]
    d = room.a[n][: N * G * P].reshape(N, G * P)
    if begin[B_HN] >= 0:  # a GRU's recurrent product has a gradient of its own
        d = room.extra[n][: N * G * P].reshape(N, G * P)
        lookup.sum_block(d.reshape(N, G, P), 2, gradient[begin[B_HN] : begin[B_HN] + H])
    made = _outer(room, room.h[n][: N * P].reshape(N, P), H, d)
    _without_padding(made, H, gradient[begin[W_HH] : begin[W_HH] + H * G * H], G)


@kernel(inlined=True)
def _input_gradient(shape, packed, room, gradient, n, T, B, dropout):
    """Of W_ih and b; and of the layer's input, where it is not one-hot."""
    N, G, H, P, V, begin = T * B, shape.G, shape.H, shape.P, shape.V, shape.layers[n]
    da, b = room.a[n][: N * G * P].reshape(N, G, P), gradient[begin[BIAS] : begin[BIAS] + G * H]
    if n == 0 and shape.E == 0:
        into = gradient[begin[W_IH] : begin[W_IH] + V * G * H].reshape(V, G * H)
        lookup.sum_by_code(room.codes[:N], da, into)
        if V < N:  # the rows' sum either way
            lookup.sum_rows(into.reshape(V, G, H), b)
        else:
            lookup.sum_rows(da, b)
        return
    lookup.sum_rows(da, b)
    if n == 0:
        below, K, width = room.x[: N * shape.EP].reshape(N, shape.EP), shape.E, shape.EP
        to = room.dx.ctypes.data
    else:
        below, K, width = output_of(shape, room, n - 1, T, B, dropout), H, P
        to = room.d[(shape.L - n) % 2].ctypes.data
    flat = da.reshape(N, G * P)
    made = _outer(room, below, K, flat)
    _without_padding(made, H, gradient[begin[W_IH] : begin[W_IH] + K * G * H], G)
    W_T = packed.matrices[packed.layers[n, W_IH, TRANSPOSED] :]
    gemm(flat.ctypes.data, G * P, W_T, to, width, N, G * P, width, False, room.tools)


@kernel(inlined=True)
def _embedding_gradient(shape, room, gradient, N):
    V, E = shape.V, shape.E
    into = gradient[shape.embedding : shape.embedding + V * E].reshape(V, E)
    dx = room.dx[: N * shape.EP].reshape(N, 1, shape.EP)
    if shape.W_out < 0:
        lookup.add_by_code(room.codes[:N], dx, into)
    else:
        lookup.sum_by_code(room.codes[:N], dx, into)


@kernel(inlined=True)
def _outer(room, a, M, d):
    """Aᵀ d (M, width of d) for a: (N, ≥ M), valid until the next one."""
    out = room.sums[: M * d.shape[1]].reshape(M, d.shape[1])
    _sum_products(a, M, d, d.shape[1], out, len(a), room.packed_a, room.packed_b, room.tools)
    return out


def _sum_products(a, M, b, N, c, lookup, packed_a, packed_b, tools):
    raise NotImplementedError


@overload(_sum_products, inline="always")
def _sum_products_of(a, M, b, N, c, lookup, packed_a, packed_b, tools):
    chosen = outer_pairs if packed_a.dtype == types.uint32 else gemm_tn

    def sum_products(a, M, b, N, c, lookup, packed_a, packed_b, tools):
        chosen(a, M, b, N, c, lookup, packed_a, packed_b, tools)

    return sum_products


@kernel()
def _without_padding(made, width, into, G):
    """Rows of G blocks, each of `width` numbers and padding → without the padding."""
    M, P = made.shape[0], made.shape[1] // G
    for m in range(M):
        for g in range(G):
            row, block = into[(m * G + g) * width :], made[m, g * P :]
            for j in range(width):
                row[j] = block[j]
