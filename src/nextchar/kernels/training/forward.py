"""Forward pass over the lanes of one thread; the readable twin is model/network.py.

    for each layer:  a = rows of the codes, or input W_ih + b;  the cell's loop over time;
                     dropout of its output
    logits = the last layer's output times W_out + b_out

The states of all steps lie one after the other; a step reads one block and writes the next:

    h[layer]   | before step 0 | after step 0 | after step 1 | … | after step T-1 |   (B, P) each
"""

from __future__ import annotations

from nextchar.kernels.gemm.gemm import gemm
from nextchar.kernels.gemm.packed_weights import FORWARD, output_rows
from nextchar.kernels.jit import kernel
from nextchar.kernels.layout import B_HN, LSTM, RNN, W_HH, W_IH
from nextchar.kernels.layout import B as BIAS
from nextchar.kernels.training import gru, lookup, lstm, rnn
from nextchar.kernels.training.dropout import apply_dropout


@kernel(inlined=True)
def forward(layout, parameters, packed, workspace, T, B, dropout, first, lanes):
    """Run all layers over the workspace's first T·B codes."""
    for n in range(layout.L):
        _input(layout, parameters, packed, workspace, n, T, B, dropout)
        _cell(layout, parameters, packed, workspace, n, T, B)
        if len(dropout.keys):  # h itself stays whole: the next step reads it
            h = states(layout, workspace.h[n], T + 1, B)[1:]
            kept = states(layout, workspace.dropped[n], T, B)
            apply_dropout(h, kept, n, dropout, layout.H, first, lanes)


@kernel(inlined=True)
def project(layout, parameters, packed, workspace, T, B, dropout):
    """Compute the logits (T·B, VP) from the output of the last layer."""
    V, VP, K = layout.V, layout.VP, output_rows(layout)
    logits = workspace.logits[: T * B * VP].reshape(T * B, 1, VP)  # one gate, V wide
    lookup.broadcast_bias(logits, parameters[layout.b_out : layout.b_out + V])
    top = layer_output(layout, workspace, layout.L - 1, T, B, dropout)  # (T·B, P)
    W = packed.matrices[packed.output[FORWARD] :]
    gemm(
        top.ctypes.data, layout.P, W, logits.ctypes.data, VP, T * B, K, VP, True, workspace.context
    )  # fmt: skip


@kernel(inlined=True)
def load_states(layout, workspace, state, T, B, first):
    """Set the states before the first step from state (L, STATES, lanes, H)."""
    # state has the lanes of all threads, the workspace those of this one
    for n in range(layout.L):
        _copy_lanes(states(layout, workspace.h[n], T + 1, B)[0], state[n, 0, first : first + B])
        if layout.S == 2:
            _copy_lanes(states(layout, workspace.c[n], T + 1, B)[0], state[n, 1, first : first + B])


@kernel(inlined=True)
def store_states(layout, workspace, state, T, B, first):
    """Write the states after the last step to state (L, STATES, lanes, H)."""
    # the last block of the states; lanes of other threads stay untouched
    for n in range(layout.L):
        _copy_lanes(state[n, 0, first : first + B], states(layout, workspace.h[n], T + 1, B)[T])
        if layout.S == 2:
            _copy_lanes(state[n, 1, first : first + B], states(layout, workspace.c[n], T + 1, B)[T])


@kernel()
def _copy_lanes(into, source):
    """Copy the columns that both have, (B, H): one of the two may be padded."""
    for lane in range(into.shape[0]):
        for j in range(min(into.shape[1], source.shape[1])):
            into[lane, j] = source[lane, j]


# views of the workspace


@kernel(inlined=True)
def states(layout, memory, T, B):
    """Return states, (T, B, P)."""
    return memory[: T * B * layout.P].reshape(T, B, layout.P)


@kernel(inlined=True)
def gates(layout, memory, T, B):
    """Return gates, (T, B, G, P)."""
    return memory[: T * B * layout.G * layout.P].reshape(T, B, layout.G, layout.P)


@kernel(inlined=True)
def layer_output(layout, workspace, n, T, B, dropout):
    """Return the output of a layer for the one above, (T·B, P)."""
    N, P = T * B, layout.P
    if len(dropout.keys):
        return workspace.dropped[n][: N * P].reshape(N, P)
    return workspace.h[n][B * P : B * P + N * P].reshape(N, P)  # without the state before step 0


@kernel(inlined=True)
def _input(layout, parameters, packed, workspace, n, T, B, dropout):
    """Compute a = x W_ih + b of layer n, for all time steps at once."""
    N, G, P, E = T * B, layout.G, layout.P, layout.E
    a = workspace.a[n][: N * G * P].reshape(N, G, P)  # a smaller batch uses the beginning
    GH, begin = G * layout.H, layout.layers[n]
    b = parameters[begin[BIAS] : begin[BIAS] + GH]
    if n == 0 and E == 0:  # one-hot input: a row of W_ih
        # unpacked, unpadded: rows are read as they are
        W = parameters[begin[W_IH] : begin[W_IH] + layout.V * GH].reshape(layout.V, GH)
        lookup.lookup_with_bias(workspace.codes[:N], W, b, a)
        return
    lookup.broadcast_bias(a, b)  # the product is added to it
    if n == 0:  # the rows of the embedding, padded to whole vectors
        embedding = parameters[layout.embedding : layout.embedding + layout.V * E]
        x = workspace.x[: N * layout.EP].reshape(N, layout.EP)  # kept for the gradient of W_ih
        lookup.lookup(workspace.codes[:N], embedding.reshape(layout.V, E), x)
        below, width, K = x.ctypes.data, layout.EP, E
    else:
        x = layer_output(layout, workspace, n - 1, T, B, dropout)
        below, width, K = x.ctypes.data, P, layout.H  # K = H: the padding is not multiplied
    W_packed = packed.matrices[packed.layers[n, W_IH, FORWARD] :]
    gemm(below, width, W_packed, a.ctypes.data, G * P, N, K, G * P, True, workspace.context)


@kernel(inlined=True)
def _cell(layout, parameters, packed, workspace, n, T, B):
    """Run the cell's loop over time."""
    H, context = layout.H, workspace.context
    a, h = gates(layout, workspace.a[n], T, B), states(layout, workspace.h[n], T + 1, B)
    W = packed.matrices[packed.layers[n, W_HH, FORWARD] :]
    # a becomes the gates; h, and c, are filled from block 1 on
    if layout.cell == RNN:
        rnn.forward(a, h, W, H, context)
    elif layout.cell == LSTM:
        c = states(layout, workspace.c[n], T + 1, B)
        tanh_c = states(layout, workspace.saved[n], T, B)
        lstm.forward(a, h, c, tanh_c, W, H, context)
    else:  # GRU: h W_hh stays apart, for the gradient of its bracket
        u, begin = gates(layout, workspace.saved[n], T, B), layout.layers[n, B_HN]
        gru.forward(a, h, u, parameters[begin : begin + H], W, H, context)
