"""Layout of a network for kernels: sizes, and the offset of each parameter.

Parameters and their gradient are one flat array each, laid out alike (model/parameters.py), so
one table of offsets serves both. Nothing is padded there:

    | embedding | W_ih | W_hh | W_ih | W_hh | … | W_out | b | b_hn | b | … | b_out |
      (V, E)      layer 0       layer 1           (H, V)   layer 0   layer 1

In activations H and E are padded to whole vectors, in logits V.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.isa import padded
from nextchar.model.parameters import Architecture

CELLS = ("rnn", "lstm", "gru")
RNN, LSTM, GRU = range(3)  # indexes of CELLS: compiled code compares integers, not names
W_IH, W_HH, B, B_HN = range(4)  # the columns of `layers`


class Layout(NamedTuple):
    """Sizes and offsets; an offset of -1 stands for no such parameter."""

    cell: int  # an index of CELLS
    L: int  # layers
    S: int  # states: 2 where the cell has c
    G: int  # gates
    H: int
    P: int  # H rounded up to whole vectors
    E: int
    EP: int  # E rounded up
    V: int
    VP: int  # V rounded up
    layers: NDArray[Any]  # (L, 4) int64, offsets of W_ih, W_hh, b and b_hn
    embedding: int
    W_out: int  # -1 where weights are tied: the embedding serves as W_out
    b_out: int


def layout_of(architecture: Architecture, dtype: Any) -> Layout:
    """Return the layout of an architecture, for activations of a float type."""
    s, V = architecture.settings, architecture.vocabulary_size
    offsets = _offsets(architecture)  # in the flat array, which has no padding
    names = ("W_ih", "W_hh", "b", "b_hn")
    layers = [[offsets.get(f"layer{n}.{name}", -1) for name in names] for n in range(s.num_layers)]
    return Layout(
        cell=CELLS.index(s.cell),
        L=s.num_layers,
        S=architecture.cell.STATES,
        G=architecture.cell.GATES,
        H=s.hidden_size,
        P=padded(s.hidden_size, dtype),
        E=s.embedding_size,
        EP=padded(s.embedding_size, dtype),
        V=V,
        VP=padded(V, dtype),
        layers=np.array(layers, np.int64),
        embedding=offsets.get("embedding", -1),
        W_out=offsets.get("W_out", -1),
        b_out=offsets["b_out"],
    )


def require_codes(codes: NDArray[Any], V: int) -> None:
    """Raise IndexError for codes not in [0, V): compiled code looks them up without a check."""
    if codes.size and not (codes.min() >= 0 and codes.max() < V):
        raise IndexError(f"codes must be in [0, {V}), got {codes.min()}…{codes.max()}")


def _offsets(architecture: Architecture) -> dict[str, int]:
    """Return the offset of each parameter in the flat array, which has them in this order."""
    # where one parameter ends the next begins; nothing begins at the last end
    ends = np.cumsum([0, *map(prod, architecture.shapes.values())]).tolist()
    return dict(zip(architecture.shapes, ends, strict=False))
