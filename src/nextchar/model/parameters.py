"""Parameters: one flat array with named views.

The optimizer, clipping, checkpoints and all-reduce are each one pass over the flat array. Matrices
come first in it and vectors (biases) after them, so that weight decay is a slice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.model.cells import CELLS, Cell
from nextchar.settings.config import NetworkSettings

Array = NDArray[Any]


@dataclass(frozen=True)
class Architecture:
    """The shape of a network: its settings and the size of its vocabulary (V)."""

    settings: NetworkSettings
    vocabulary_size: int

    @property
    def cell(self) -> Cell:
        """The module of the recurrent cell."""
        return CELLS[self.settings.cell]

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Name → shape of every parameter, in the order of the flat array.

        `embedding` (V, E) if there is one; `layerN.W_ih`, `layerN.W_hh`, `layerN.b` (and
        `layerN.b_hn` for the GRU) for each layer; `W_out` (H, V) unless tied; `b_out` (V,).
        """
        s, V = self.settings, self.vocabulary_size
        shapes: dict[str, tuple[int, ...]] = {}
        if s.embedding_size:
            shapes["embedding"] = (V, s.embedding_size)
        for layer in range(s.num_layers):
            inputs = s.hidden_size if layer else s.embedding_size or V
            for name, shape in self.cell.shapes(inputs, s.hidden_size).items():
                shapes[f"layer{layer}.{name}"] = shape
        if not s.tied:
            shapes["W_out"] = (s.hidden_size, V)
        shapes["b_out"] = (V,)
        return dict(sorted(shapes.items(), key=lambda item: -len(item[1])))  # stable: 2-D first

    @cached_property
    def size(self) -> int:
        """Number of parameters."""
        return sum(map(prod, self.shapes.values()))

    @cached_property
    def matrix_size(self) -> int:
        """Number of parameters in matrices, which are the first of the flat array."""
        return sum(prod(shape) for shape in self.shapes.values() if len(shape) == 2)

    def state_shape(self, lanes: int) -> tuple[int, int, int, int]:
        """Shape of the state that is carried from batch to batch, (L, STATES, B, H)."""
        s = self.settings
        return (s.num_layers, self.cell.STATES, lanes, s.hidden_size)


class Parameters:
    """The parameters of a network, or their gradients: a flat array and views of it by name.

    flat: (size,) float array, kept, not copied; None gives zeros of `dtype`.
    """

    def __init__(
        self, architecture: Architecture, flat: Array | None = None, dtype: Any = np.float32
    ) -> None:
        self.architecture = architecture
        self.flat = np.zeros(architecture.size, dtype) if flat is None else flat
        if self.flat.shape != (architecture.size,):
            raise ValueError(f"flat must have shape ({architecture.size},), got {self.flat.shape}")
        self.views: dict[str, Array] = {}
        start = 0
        for name, shape in architecture.shapes.items():
            self.views[name] = self.flat[start : start + prod(shape)].reshape(shape)
            start += prod(shape)
        prefixes = (f"layer{n}." for n in range(architecture.settings.num_layers))
        views = self.views.items()
        self.layers: list[dict[str, Array]] = [
            {name.removeprefix(prefix): view for name, view in views if name.startswith(prefix)}
            for prefix in prefixes
        ]

    def __reduce__(self) -> tuple[type[Parameters], tuple[Architecture, Array]]:
        """Copy and pickle the flat array alone; its views are created again."""
        return Parameters, (self.architecture, self.flat)

    def __getitem__(self, name: str) -> Array:
        return self.views[name]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Float type of all parameters."""
        return self.flat.dtype

    def copy(self) -> Parameters:
        """Return a copy that shares no array."""
        return Parameters(self.architecture, self.flat.copy())

    def zero_state(self, lanes: int) -> Array:
        """Return a zero state of shape (L, STATES, B, H)."""
        return np.zeros(self.architecture.state_shape(lanes), self.dtype)
