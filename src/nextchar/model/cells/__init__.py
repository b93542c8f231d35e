"""The recurrent cells. Every file here has the same parts in the same order.

    GATES, STATES             how many blocks of H columns the weights have; how many arrays a
                              state has (h, or h and c)
    shapes(inputs, H)         name → shape of the layer's parameters
    init(weights)             sets the biases, the weights being drawn already
    forward(weights, a, s)    a whole sequence → h, the state after it, what backward needs
    backward(weights, dh, k)  forward reversed → da, gradients of the recurrent parameters

`a`, of shape (T, B, GATES·H), is the input's share of the pre-activations, x W_ih + b, which the
network computes for all time steps at once: a row look-up for one-hot input, one GEMM otherwise.
So a cell never sees its input, and the gradients of W_ih, b and x follow from da in the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from numpy.typing import NDArray

from nextchar.model.cells import gru, lstm, rnn

Array = NDArray[Any]
Weights = Mapping[str, Array]


class Cell(Protocol):
    """What the network asks of a cell's module."""

    GATES: int
    STATES: int

    def shapes(self, inputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
        """Name → shape of a layer's parameters."""
        ...

    def init(self, weights: Weights) -> None:
        """Set the biases."""
        ...

    def forward(self, weights: Weights, a: Array, state: Array) -> tuple[Array, Array, Any]:
        """Run a sequence."""
        ...

    def backward(self, weights: Weights, dh: Array, cache: Any) -> tuple[Array, dict[str, Array]]:
        """Run it backwards."""
        ...


CELLS: Mapping[str, Cell] = {"rnn": rnn, "lstm": lstm, "gru": gru}
