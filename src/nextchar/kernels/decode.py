"""Running a network one character at a time: reading a prompt, writing on.

    read     for each character of a prompt:  step;  then the logits
    write    for each character:  for each lane: choose a code from its logits;  step;  logits
    step     for each layer:  a = row of the code, or input W_ih + b;  one step of the cell

The lanes of a call move together. What a lane computes does not depend on how many there are:
a tile sums along K in the same order whatever its height.

    table     (V, G, P)     rows of the first layer's W_ih with its bias; (0, G, P) with embedding
    matrices  one after the other in one flat array, packed: for each layer W_ih, then W_hh
    h, c      (L, 2, B, P)  a layer's state before and after a step
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from nextchar.kernels import gru, lstm, rnn
from nextchar.kernels.compiled import kernel
from nextchar.kernels.draw import choose
from nextchar.kernels.product import Tools, multiply

Array = NDArray[Any]

CELLS = ("rnn", "lstm", "gru")  # a cell's place here is what kernels know it by


class Network(NamedTuple):
    """A network's parameters as decoding wants them.

    places: (L, 2), where W_ih and W_hh of each layer begin in `matrices`; output: where the
    output matrix does, of `output_rows` rows. biases: (L, G, P); b_hn: (L, P); b_out: (VP,).
    embedding: (V, E), E = 0 where there is none; width: rows of a first layer's W_ih.
    """

    cell: int
    H: int
    V: int
    table: Array
    embedding: Array
    matrices: Array
    places: Array
    biases: Array
    b_hn: Array
    b_out: Array
    output: int
    output_rows: int


class Lanes(NamedTuple):
    """The state of some lanes, and room to work in: one thread's.

    a: (1, B, G, P); tanh_c: (1, B, P); u: (1, B, 3, P), of the GRU; x: (B, EP), the embedded
    codes; logits: (B, VP); weights: (V,) and heap: (V,) for sampling; tools: of `multiply`.
    """

    h: Array
    c: Array
    a: Array
    tanh_c: Array
    u: Array
    x: Array
    logits: Array
    weights: Array
    heap: Array
    tools: Tools


@kernel()
def read(network, lanes, codes):
    """Read codes (T, B); the logits are those after the last."""
    for t in range(codes.shape[0]):
        _step(network, lanes, codes[t])
    _project(network, lanes)


@kernel()
def write(network, lanes, rules, uniforms, codes):
    """Draw characters and read them: codes (n, B) from uniforms (n, B)."""
    n, B = codes.shape
    for i in range(n):
        for lane in range(B):
            z = lanes.logits[lane, : network.V]
            codes[i, lane] = choose(z, uniforms[i, lane], rules, lanes.weights, lanes.heap)
        _step(network, lanes, codes[i])
        _project(network, lanes)


@kernel()
def _step(network, lanes, codes):
    a, tools, H = lanes.a, lanes.tools, network.H
    for n in range(network.places.shape[0]):
        h, c = lanes.h[n], lanes.c[n]
        _input(network, lanes, n, codes)
        W = network.matrices[network.places[n, 1] :]
        if network.cell == 0:
            rnn.forward(a, h, W, H, tools)
        elif network.cell == 1:
            lstm.forward(a, h, c, lanes.tanh_c, W, H, tools)
            _copy(c[0].reshape(-1), c[1].reshape(-1))
        else:
            gru.forward(a, h, lanes.u, network.b_hn[n], W, H, tools)
        _copy(h[0].reshape(-1), h[1].reshape(-1))


@kernel()
def _input(network, lanes, n, codes):
    """A = the layer's input times W_ih + b."""
    _, B, G, P = lanes.a.shape
    E = network.embedding.shape[1]
    if n == 0 and E == 0:
        for lane in range(B):
            _copy(lanes.a[0, lane].reshape(-1), network.table[codes[lane]].reshape(-1))
        return
    for lane in range(B):
        _copy(lanes.a[0, lane].reshape(-1), network.biases[n].reshape(-1))
    W, below, width, K = network.matrices[network.places[n, 0] :], lanes.x.ctypes.data, 0, E
    if n == 0:
        width = lanes.x.shape[1]
        for lane in range(B):
            _copy(lanes.x[lane, :E], network.embedding[codes[lane]])
    else:
        below, width, K = lanes.h[n - 1, 1].ctypes.data, P, network.H
    multiply(below, width, W, lanes.a.ctypes.data, G * P, B, K, G * P, True, lanes.tools)


@kernel()
def _project(network, lanes):
    logits, L = lanes.logits, lanes.h.shape[0]
    B, VP = logits.shape
    for lane in range(B):
        _copy(logits[lane], network.b_out)
    W, top = network.matrices[network.output :], lanes.h[L - 1, 0]
    K, P, to = network.output_rows, top.shape[1], logits.ctypes.data
    multiply(top.ctypes.data, P, W, to, VP, B, K, VP, True, lanes.tools)


@kernel()
def _copy(into, source):
    """An assignment in Numba would bring along all that broadcasting and its errors need."""
    for j in range(into.size):
        into[j] = source[j]
