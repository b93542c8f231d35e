"""The network forward, over the lanes of one thread; its readable twin is model/network.py.

    for each layer:  a = rows of the codes, or input W_ih + b;  the cell's loop over time;
                     dropout of what it gives
    logits = the last layer's output times W_out + b_out

The room's h[layer][0] and c[layer][0] are the states before the first step; the memory is that
of room.py.
"""

from __future__ import annotations

from nextchar.kernels.gemm.packed_weights import FORWARD, output_rows
from nextchar.kernels.gemm.packing import gemm
from nextchar.kernels.jit import kernel
from nextchar.kernels.layout import B_HN, LSTM, RNN, W_HH, W_IH
from nextchar.kernels.layout import B as BIAS
from nextchar.kernels.training import gru, lookup, lstm, rnn
from nextchar.kernels.training.dropout import drop


@kernel(inlined=True)
def forward(shape, parameters, packed, room, T, B, dropout, first, lanes):
    """Run all layers over the room's first T·B codes."""
    for n in range(shape.L):
        _input(shape, parameters, packed, room, n, T, B, dropout)
        _cell(shape, parameters, packed, room, n, T, B)
        if len(dropout.keys):
            kept = states(shape, room.dropped[n], T, B)
            drop(states(shape, room.h[n], T + 1, B)[1:], kept, n, dropout, shape.H, first, lanes)


@kernel(inlined=True)
def project(shape, parameters, packed, room, T, B, dropout):
    """The logits (T·B, VP) of what the last layer gave."""
    V, VP, K = shape.V, shape.VP, output_rows(shape)
    logits = room.logits[: T * B * VP].reshape(T * B, 1, VP)
    lookup.fill_bias(logits, parameters[shape.b_out : shape.b_out + V])
    top, W = output_of(shape, room, shape.L - 1, T, B, dropout), packed.output[FORWARD]
    gemm(
        top.ctypes.data, shape.P, packed.matrices[W:], logits.ctypes.data, VP,
        T * B, K, VP, True, room.tools,
    )  # fmt: skip


@kernel(inlined=True)
def load_states(shape, room, state, T, B, first):
    """Set the states before the first step from state (L, STATES, lanes, H)."""
    for n in range(shape.L):
        _copy_lanes(states(shape, room.h[n], T + 1, B)[0], state[n, 0, first : first + B])
        if shape.S == 2:
            _copy_lanes(states(shape, room.c[n], T + 1, B)[0], state[n, 1, first : first + B])


@kernel(inlined=True)
def store_states(shape, room, state, T, B, first):
    """Write the states after the last step to state (L, STATES, lanes, H)."""
    for n in range(shape.L):
        _copy_lanes(state[n, 0, first : first + B], states(shape, room.h[n], T + 1, B)[T])
        if shape.S == 2:
            _copy_lanes(state[n, 1, first : first + B], states(shape, room.c[n], T + 1, B)[T])


@kernel()
def _copy_lanes(into, source):
    """What both hold, (B, H): one of the two may be padded."""
    for lane in range(into.shape[0]):
        for j in range(min(into.shape[1], source.shape[1])):
            into[lane, j] = source[lane, j]


# views of the room


@kernel(inlined=True)
def states(shape, memory, T, B):
    """(T, B, P)."""
    return memory[: T * B * shape.P].reshape(T, B, shape.P)


@kernel(inlined=True)
def gates(shape, memory, T, B):
    """(T, B, G, P)."""
    return memory[: T * B * shape.G * shape.P].reshape(T, B, shape.G, shape.P)


@kernel(inlined=True)
def output_of(shape, room, n, T, B, dropout):
    """What a layer gives to the one above, (T·B, P)."""
    N, P = T * B, shape.P
    if len(dropout.keys):
        return room.dropped[n][: N * P].reshape(N, P)
    return room.h[n][B * P : B * P + N * P].reshape(N, P)


@kernel(inlined=True)
def _input(shape, parameters, packed, room, n, T, B, dropout):
    N, G, P, E = T * B, shape.G, shape.P, shape.E
    a = room.a[n][: N * G * P].reshape(N, G, P)
    GH, begin = G * shape.H, shape.layers[n]
    b = parameters[begin[BIAS] : begin[BIAS] + GH]
    if n == 0 and E == 0:
        W = parameters[begin[W_IH] : begin[W_IH] + shape.V * GH].reshape(shape.V, GH)
        lookup.look_up(room.codes[:N], W, b, a)
        return
    lookup.fill_bias(a, b)
    if n == 0:
        embedding = parameters[shape.embedding : shape.embedding + shape.V * E]
        x = room.x[: N * shape.EP].reshape(N, shape.EP)
        lookup.look_up_plain(room.codes[:N], embedding.reshape(shape.V, E), x)
        below, width, K = x.ctypes.data, shape.EP, E
    else:
        below, width, K = output_of(shape, room, n - 1, T, B, dropout).ctypes.data, P, shape.H
    W_packed = packed.matrices[packed.layers[n, W_IH, FORWARD] :]
    gemm(below, width, W_packed, a.ctypes.data, G * P, N, K, G * P, True, room.tools)


@kernel(inlined=True)
def _cell(shape, parameters, packed, room, n, T, B):
    """The cell's loop over time."""
    H, tools = shape.H, room.tools
    a, h = gates(shape, room.a[n], T, B), states(shape, room.h[n], T + 1, B)
    W = packed.matrices[packed.layers[n, W_HH, FORWARD] :]
    if shape.cell == RNN:
        rnn.forward(a, h, W, H, tools)
    elif shape.cell == LSTM:
        c, tanh_c = states(shape, room.c[n], T + 1, B), states(shape, room.extra[n], T, B)
        lstm.forward(a, h, c, tanh_c, W, H, tools)
    else:
        u, begin = gates(shape, room.extra[n], T, B), shape.layers[n, B_HN]
        gru.forward(a, h, u, parameters[begin : begin + H], W, H, tools)
