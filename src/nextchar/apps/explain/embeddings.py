"""Similarity of characters: the rows of the embedding, or of the input weights.

The map projects the rows onto their first two principal components. Neighbours are the nearest by
the cosine between centred rows in all dimensions, not on the map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.model.parameters import Parameters

Array = NDArray[Any]

NEIGHBOURS = 5


@dataclass(frozen=True)
class SymbolSimilarity:
    """Map and neighbours of symbols.

    codes: (K,) the symbols. map: (K, 2) coordinates in the plane; shares: (2,) of the variance
    along its axes. neighbours: (K, n) most similar codes, nearest first; cosines: (K, n).
    """

    codes: NDArray[np.int64]
    map: NDArray[np.float64]
    shares: NDArray[np.float64]
    neighbours: NDArray[np.int64]
    cosines: NDArray[np.float64]


def symbol_vectors(parameters: Parameters) -> Array:
    """Input vector of each symbol: its embedding, (V, E), or its input weights, (V, G·H)."""
    if "embedding" in parameters.views:
        return parameters["embedding"]
    return parameters.layers[0]["W_ih"]


def compare(rows: Array, codes: NDArray[np.int64]) -> SymbolSimilarity:
    """Compare the rows (V, X) of the symbols `codes` (K,)."""
    chosen = rows[codes].astype(np.float64)
    chosen -= chosen.mean(axis=0) if len(codes) else 0
    U, S, _ = np.linalg.svd(chosen, full_matrices=False)
    plane = np.zeros((len(codes), 2))
    count = min(2, U.shape[1])
    plane[:, :count] = U[:, :count] * S[:count]
    if len(plane):  # SVD leaves the signs open: the largest coordinate of an axis becomes positive
        largest = plane[np.abs(plane).argmax(axis=0), np.arange(2)]
        plane *= np.where(largest < 0, -1, 1)
    shares = np.zeros(2)
    shares[:count] = S[:count] ** 2 / max(float((S**2).sum()), 1e-300)
    length = np.linalg.norm(chosen, axis=1, keepdims=True)
    unit = chosen / np.where(length > 0, length, 1)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :-1]  # the last is the row itself
    nearest = order[:, :NEIGHBOURS]
    similar = np.take_along_axis(cosines, nearest, axis=1)
    return SymbolSimilarity(codes, plane, shares, codes[nearest], similar)
