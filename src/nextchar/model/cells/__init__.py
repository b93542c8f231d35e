"""The recurrent cells.

    rnn.py    the vanilla RNN
    lstm.py   the LSTM
    gru.py    the GRU

Every file has the same parts in the same order.

    GATES, STATES             number of blocks of H columns in the weights; number of arrays in a
                              state (h, or h and c)
    shapes(inputs, H)         name → shape of the layer's parameters
    init(weights)             set the biases; the weights are already drawn
    forward(weights, a, s)    a whole sequence → h, the state after it, a cache for backward
    backward(weights, dh, k)  forward reversed → da, gradients of the recurrent parameters

`a`, of shape (T, B, GATES·H), is the input's share of the pre-activations, x W_ih + b, which the
network computes for all time steps at once: a row look-up for one-hot input, one GEMM otherwise.
Therefore a cell never sees its input: the network derives the gradients of W_ih, b and x from da.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from nextchar.model.cells import gru, lstm, rnn

Array = NDArray[Any]
Weights = Mapping[str, Array]


class Cell(Protocol):
    """Interface of a cell's module."""

    GATES: int
    STATES: int

    def shapes(self, inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
        """Name → shape of a layer's parameters."""
        ...

    def init(self, weights: Weights) -> None:
        """Set the biases."""
        ...

    def forward(self, weights: Weights, a: Array, state: Array) -> tuple[Array, Array, Any]:
        """Run over a sequence."""
        ...

    def backward(self, weights: Weights, dh: Array, cache: Any) -> tuple[Array, dict[str, Array]]:
        """Backpropagate through the sequence."""
        ...


CELLS: Mapping[str, Cell] = {"rnn": rnn, "lstm": lstm, "gru": gru}
