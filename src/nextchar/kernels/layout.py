"""The shape of a network as kernels know it: sizes, and where each parameter stands.

Parameters and their gradient are one flat array each, laid out alike (model/parameters.py), so
one table of places serves both. H and E are padded to whole vectors in activations (P, EP), V in
logits (VP); in the flat arrays nothing is padded.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.isa import padded
from nextchar.model.parameters import Architecture

CELLS = ("rnn", "lstm", "gru")
RNN, LSTM, GRU = range(3)
W_IH, W_HH, B, B_HN = range(4)  # the columns of `layers`


class Layout(NamedTuple):
    """Sizes and places.

    cell: an index of CELLS. S: states, 2 where the cell has c. G: gates.
    layers: (L, 4) int64, where W_ih, W_hh, b and b_hn of a layer begin, -1 for none.
    embedding, W_out, b_out: where they begin, -1 for none (W_out is the embedding where tied).
    """

    cell: int
    L: int
    S: int
    G: int
    H: int
    P: int
    E: int
    EP: int
    V: int
    VP: int
    layers: NDArray[Any]
    embedding: int
    W_out: int
    b_out: int


def layout_of(architecture: Architecture, dtype: Any) -> Layout:
    """The shape of an architecture, for activations of a float type."""
    s, V = architecture.settings, architecture.vocabulary_size
    begins = _begins(architecture)
    names = ("W_ih", "W_hh", "b", "b_hn")
    layers = [[begins.get(f"layer{n}.{name}", -1) for name in names] for n in range(s.num_layers)]
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
        embedding=begins.get("embedding", -1),
        W_out=begins.get("W_out", -1),
        b_out=begins["b_out"],
    )


def require_codes(codes: NDArray[Any], V: int) -> None:
    """Compiled code looks codes up without a check of its own. Raises IndexError."""
    if codes.size and not (codes.min() >= 0 and codes.max() < V):
        raise IndexError(f"codes must be in [0, {V}), got {codes.min()}…{codes.max()}")


def _begins(architecture: Architecture) -> dict[str, int]:
    """Where each parameter begins in the flat array: they stand there in this order."""
    ends = np.cumsum([0, *map(prod, architecture.shapes.values())]).tolist()
    return dict(zip(architecture.shapes, ends, strict=False))
