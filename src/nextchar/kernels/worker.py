"""One worker: a whole training step over its lanes, in memory laid out once.

Every array has H padded to whole vectors (P), its padding zero. T and B below are those of the
largest batch; a smaller one uses the beginning of the same memory.

    a        (L, T, B, G, P)    pre-activations, then gates, then their gradients
    h, c     (L, T+1, B, P)     states before and after each step
    extra    (L, T, B, ·, P)    tanh(c) of the LSTM; h W_hh of the GRU
    d        (2, T, B, P)       gradients of a layer's output and of the one below
    logits   (T·B, VP)          then their gradients
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels import gru, lstm, rnn, rows
from nextchar.kernels.bfloat16 import outer_pairs
from nextchar.kernels.isa import padded, vector_length
from nextchar.kernels.memory import aligned_zeros
from nextchar.kernels.product import DEPTH, outer, product, tools_for
from nextchar.kernels.tile import ROWS, VECTORS
from nextchar.kernels.weights import PackedWeights
from nextchar.model.parameters import Architecture, Parameters

Array = NDArray[Any]


class Worker:
    """The memory and the work of one thread.

    gradient: where `step` leaves the gradient of its lanes.
    """

    def __init__(
        self, architecture: Architecture, T: int, B: int, dtype: Any, *, pairs: bool = False
    ) -> None:
        s = architecture.settings
        self.architecture, self.gradient = architecture, Parameters(architecture, dtype=dtype)
        self.H, self.P, self.G = (
            s.hidden_size,
            padded(s.hidden_size, dtype),
            architecture.cell.GATES,
        )
        self.V = architecture.vocabulary_size
        self.VP, self.EP = padded(self.V, dtype), padded(s.embedding_size, dtype)
        L, P, G = s.num_layers, self.P, self.G
        self._blocks = {"rnn": 0, "lstm": 1, "gru": 3}[s.cell]

        def zeros(*shape: int) -> Array:
            return aligned_zeros(prod(shape), dtype)

        self._a = [zeros(T, B, G, P) for _ in range(L)]
        self._h = [zeros(T + 1, B, P) for _ in range(L)]
        self._c = [zeros((T + 1) * (s.cell == "lstm"), B, P) for _ in range(L)]
        self._extra = [zeros(T, B, self._blocks, P) for _ in range(L)]
        self._masked = [zeros(0) for _ in range(L)]  # made when dropout first asks for them
        self._d = [zeros(T, B, P), zeros(T, B, P)]
        self._dc, self._logits = zeros(B, P), zeros(T, B, self.VP)
        self._x, self._dx = zeros(T, B, self.EP), zeros(T, B, self.EP)
        widest = max(G * P, self.VP)
        tallest = max(self.H, s.embedding_size)
        self._packed_a, self._packed_b = (
            zeros(DEPTH, tallest + ROWS),
            zeros(DEPTH, VECTORS * vector_length(dtype)),
        )
        self._product = zeros(tallest, widest)
        self._outer_kernel = outer_pairs if pairs else outer
        if pairs:
            self._packed_a = aligned_zeros(DEPTH * (tallest + ROWS) // 2, np.uint32)
            self._packed_b = aligned_zeros(DEPTH * VECTORS * vector_length(dtype) // 2, np.uint32)
        inner = max(widest, self.EP, P)
        self._tools = tools_for(np.uint32 if pairs else dtype, inner)

    def step(
        self,
        parameters: Parameters,
        packed: PackedWeights,
        codes: NDArray[Any],
        targets: NDArray[Any],
        state: Array,
        new_state: Array,
        *,
        scale: float,
        masks: list[Array] | None,
    ) -> float:
        """Summed loss of a batch; its gradient times `scale` goes to `gradient`.

        codes, targets: (T, B) int64; state, new_state: (L, STATES, B, H).
        """
        T, B = codes.shape
        x, y = codes.reshape(-1), targets.reshape(-1)
        top = self._forward(parameters, packed, x, T, B, state, new_state, masks)
        logits = self._logits[: T * B * self.VP].reshape(T * B, self.VP)
        self._project(parameters, packed, top, logits)
        loss = float(rows.cross_entropy(logits, y, self.V, scale))
        self._backward(parameters, packed, x, T, B, top, logits, masks)
        return loss

    def predict(
        self, parameters: Parameters, packed: PackedWeights, codes: NDArray[Any], state: Array
    ) -> tuple[Array, Array]:
        """Logits (T, B, V), valid until the next call, and the state after the codes (T, B)."""
        T, B = codes.shape
        new_state = np.empty_like(state)
        x = codes.reshape(-1).astype(np.int64)
        top = self._forward(parameters, packed, x, T, B, state, new_state, None)
        logits = self._logits[: T * B * self.VP].reshape(T * B, self.VP)
        self._project(parameters, packed, top, logits)
        return logits.reshape(T, B, self.VP)[:, :, : self.V], new_state

    # forward

    def _forward(
        self,
        parameters: Parameters,
        packed: PackedWeights,
        x: NDArray[Any],
        T: int,
        B: int,
        state: Array,
        new_state: Array,
        masks: list[Array] | None,
    ) -> Array:
        """Run all layers; what the output projection sees, (T·B, P)."""
        below: Array | None = None
        for n, layer in enumerate(parameters.layers):
            a = self._gates(n, T, B)
            self._input(n, parameters, packed, x, below, a)
            h = self._states(self._h, n, T, B)
            h[0, :, : self.H] = state[n, 0]
            self._run_cell(n, layer, packed, a, h, state, new_state)
            new_state[n, 0] = h[T, :, : self.H]
            below = self._after_mask(n, h, masks)
        assert below is not None
        return below.reshape(T * B, self.P)

    def _input(
        self,
        n: int,
        parameters: Parameters,
        packed: PackedWeights,
        x: NDArray[Any],
        below: Array | None,
        a: Array,
    ) -> None:
        """A = input times W_ih + b."""
        layer, N = parameters.layers[n], x.size
        flat = a.reshape(N, self.G, self.P)
        if n == 0 and not self.EP:
            rows.look_up(x, layer["W_ih"], layer["b"], flat)
            return
        if n == 0:
            below, width = self._x[: N * self.EP].reshape(N, self.EP), self.EP
            rows.look_up_plain(x, parameters["embedding"], below)
        else:
            width = self.P
        assert below is not None
        rows.fill_bias(flat, layer["b"])
        K, columns = len(layer["W_ih"]), self.G * self.P
        product(
            below.ctypes.data, width, packed.forward[n]["W_ih"], a.ctypes.data, columns,
            N, K, columns, True, self._tools,
        )  # fmt: skip

    def _run_cell(
        self,
        n: int,
        layer: Any,
        packed: PackedWeights,
        a: Array,
        h: Array,
        state: Array,
        new: Array,
    ) -> None:
        T, B, W = len(a), a.shape[1], packed.forward[n]["W_hh"]
        match self.architecture.settings.cell:
            case "rnn":
                rnn.forward(a, h, W, self.H, self._tools)
            case "lstm":
                c = self._states(self._c, n, T, B)
                c[0, :, : self.H] = state[n, 1]
                lstm.forward(a, h, c, self._extras(n, T, B)[:, :, 0], W, self.H, self._tools)
                new[n, 1] = c[T, :, : self.H]
            case "gru":
                gru.forward(a, h, self._extras(n, T, B), layer["b_hn"], W, self.H, self._tools)

    def _after_mask(self, n: int, h: Array, masks: list[Array] | None) -> Array:
        """H of a layer after dropout, (T, B, P)."""
        if masks is None:
            return h[1:]
        if not len(self._masked[n]):
            self._masked[n] = np.zeros_like(self._d[0])
        masked = self._masked[n][: h[1:].size].reshape(h[1:].shape)
        np.multiply(h[1:, :, : self.H], masks[n], out=masked[:, :, : self.H])
        return masked

    def _project(
        self, parameters: Parameters, packed: PackedWeights, top: Array, logits: Array
    ) -> None:
        rows.fill_bias(logits.reshape(len(logits), 1, self.VP), parameters["b_out"])
        product(
            top.ctypes.data, self.P, packed.output, logits.ctypes.data, self.VP,
            len(top), packed.output_rows, self.VP, True, self._tools,
        )  # fmt: skip

    # backward

    def _backward(
        self,
        parameters: Parameters,
        packed: PackedWeights,
        x: NDArray[Any],
        T: int,
        B: int,
        top: Array,
        dlogits: Array,
        masks: list[Array] | None,
    ) -> None:
        N, P, gradient = T * B, self.P, self.gradient
        rows.sum_rows(dlogits.reshape(N, 1, self.VP), gradient["b_out"])
        dW_out = self._outer(top, self.H, dlogits)[:, : self.V]
        tied = self.architecture.settings.tied
        if not tied:
            gradient["W_out"][:] = dW_out
        else:
            dW_out = dW_out.copy()  # the room is needed again before the embedding's turn
        d = self._d[0][: N * P].reshape(T, B, P)
        product(
            dlogits.ctypes.data, self.VP, packed.output_transposed, d.ctypes.data, P,
            N, packed.output_transposed_rows, P, False, self._tools,
        )  # fmt: skip
        for n in reversed(range(len(parameters.layers))):
            if masks is not None:
                d[:, :, : self.H] *= masks[n]
            other = self._d[1] if d.ctypes.data == self._d[0].ctypes.data else self._d[0]
            self._cell_backward(n, packed, T, B, d)
            d = self._layer_gradients(n, parameters, packed, x, T, B, other, masks)
        if self.EP:
            rows.sum_by_code(x, d.reshape(N, 1, self.EP), gradient["embedding"])
        if tied:
            gradient["embedding"][:] += dW_out.T

    def _cell_backward(self, n: int, packed: PackedWeights, T: int, B: int, d: Array) -> None:
        a, W_T = self._gates(n, T, B), packed.transposed[n]["W_hh"]
        h = self._states(self._h, n, T, B)
        match self.architecture.settings.cell:
            case "rnn":
                rnn.backward(a, h, d, W_T, self._tools)
            case "lstm":
                c = self._states(self._c, n, T, B)
                dc = self._dc[: B * self.P].reshape(B, self.P)
                lstm.backward(a, c, self._extras(n, T, B)[:, :, 0], d, dc, W_T, self._tools)
            case "gru":
                gru.backward(a, h, self._extras(n, T, B), d, W_T, self._tools)

    def _layer_gradients(
        self,
        n: int,
        parameters: Parameters,
        packed: PackedWeights,
        x: NDArray[Any],
        T: int,
        B: int,
        other: Array,
        masks: list[Array] | None,
    ) -> Array:
        """Gradients of a layer's parameters; that of its input, if it is not one-hot."""
        N, G, P, into = T * B, self.G, self.P, self.gradient.layers[n]
        da = self._gates(n, T, B).reshape(N, G, P)
        recurrent = da
        if self.architecture.settings.cell == "gru":
            recurrent = self._extras(n, T, B).reshape(N, G, P)
            rows.sum_rows(recurrent[:, 2:], into["b_hn"])
        h = self._states(self._h, n, T, B)
        self._gate_columns(h[:T].reshape(N, P), self.H, recurrent, into["W_hh"])
        rows.sum_rows(da, into["b"])
        if n == 0 and not self.EP:
            rows.sum_by_code(x, da, into["W_ih"])
            return da
        if n == 0:
            below, width, room = self._x[: N * self.EP].reshape(N, self.EP), self.EP, self._dx
        else:
            lower = self._states(self._h, n - 1, T, B)
            below = (lower[1:] if masks is None else self._masked[n - 1][: N * P]).reshape(N, P)
            width, room = P, other
        self._gate_columns(below, len(into["W_ih"]), da, into["W_ih"])
        product(
            da.ctypes.data, G * P, packed.transposed[n]["W_ih"], room.ctypes.data, width,
            N, G * P, width, False, self._tools,
        )  # fmt: skip
        return room[: N * width].reshape(T, B, width)

    def _gate_columns(self, a: Array, M: int, d: Array, out: Array) -> None:
        """Out (M, G·H) = aᵀ d, d: (N, G, P)."""
        made = self._outer(a, M, d.reshape(len(d), -1)).reshape(M, self.G, self.P)
        out.reshape(M, self.G, self.H)[:] = made[:, :, : self.H]

    def _outer(self, a: Array, M: int, d: Array) -> Array:
        """aᵀ d (M, width of d), valid until the next one."""
        out = self._product[: M * d.shape[1]].reshape(M, d.shape[1])
        self._outer_kernel(a, M, d, d.shape[1], out, len(a), self._packed_a, self._packed_b)
        return out

    # views of the memory

    def _gates(self, n: int, T: int, B: int) -> Array:
        return self._a[n][: T * B * self.G * self.P].reshape(T, B, self.G, self.P)

    def _states(self, of: list[Array], n: int, T: int, B: int) -> Array:
        return of[n][: (T + 1) * B * self.P].reshape(T + 1, B, self.P)

    def _extras(self, n: int, T: int, B: int) -> Array:
        size = T * B * self._blocks * self.P
        return self._extra[n][:size].reshape(T, B, self._blocks, self.P)
