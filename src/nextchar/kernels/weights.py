"""The weights of a network as the kernels want them: packed, forward and transposed.

Packed once per step and read by all workers, since weights change once per step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.bfloat16 import pack_pairs, pack_pairs_transposed
from nextchar.kernels.isa import padded
from nextchar.kernels.memory import aligned_zeros
from nextchar.kernels.product import pack, pack_transposed
from nextchar.model.parameters import Architecture, Parameters

Array = NDArray[Any]


class PackedWeights:
    """Room for every packed matrix of an architecture.

    forward, transposed: for each layer `W_hh` and, where its input is not one-hot, `W_ih`;
    output, output_transposed: (H × V) for the logits, (V × H) for their gradient.
    pairs: as pairs of bfloat16. backward: whether the transposed ones are wanted too.
    """

    def __init__(
        self, architecture: Architecture, dtype: Any, *, pairs: bool = False, backward: bool = True
    ) -> None:
        s, G = architecture.settings, architecture.cell.GATES
        self._H, self._G = s.hidden_size, G
        self._P, self._V = padded(s.hidden_size, dtype), architecture.vocabulary_size
        self._VP = padded(self._V, dtype)
        self._tied, self._backward = s.tied, backward
        self._pack = pack_pairs if pairs else pack
        self._pack_transposed = pack_pairs_transposed if pairs else pack_transposed

        def room(rows: int, columns: int) -> Array:
            """A packed matrix of so many rows, or half as many rows of pairs."""
            if pairs:
                return aligned_zeros((rows + 1) // 2 * columns, np.uint32)
            return aligned_zeros(rows * columns, dtype)

        def back(rows: int, columns: int) -> Array:
            return room(rows if backward else 0, columns)

        self.forward: list[dict[str, Array]] = []
        self.transposed: list[dict[str, Array]] = []
        for layer in range(s.num_layers):
            rows = {"W_hh": s.hidden_size}
            if layer or s.embedding_size:
                rows["W_ih"] = s.hidden_size if layer else s.embedding_size
            width = G * self._P
            self.forward.append({n: room(k, width) for n, k in rows.items()})
            self.transposed.append({n: back(width, padded(k, dtype)) for n, k in rows.items()})
        self.output = room(self._P, self._VP)
        self.output_transposed = back(self._VP, self._P)

    def tasks(self, parameters: Parameters) -> list[Callable[[], Any]]:
        """What packs the parameters as they are now: independent calls, for any thread."""
        H, G, P = self._H, self._G, self._P
        tasks: list[Callable[[], Any]] = []
        for layer, there, back in zip(
            parameters.layers, self.forward, self.transposed, strict=True
        ):
            for name in there:
                W, out, out_T = layer[name], there[name], back[name]
                columns = padded(len(W), W.dtype)
                tasks.append(partial(self._pack, out, W, G, H, P))
                if self._backward:
                    tasks.append(partial(self._pack_transposed, out_T, W, G, H, P, columns))
        output, transposed = self._output_tasks(parameters)
        return [*tasks, output, *([transposed] if self._backward else [])]

    def _output_tasks(self, parameters: Parameters) -> list[Callable[[], Any]]:
        """What packs the output matrix, and its transpose."""
        H, P, V, VP = self._H, self._P, self._V, self._VP
        there, back = self.output, self.output_transposed
        if self._tied:  # the logits are products with the embedding's rows
            E = parameters["embedding"]
            return [
                partial(self._pack_transposed, there, E, 1, H, P, VP),
                partial(self._pack, back, E, 1, H, P),
            ]
        W = parameters["W_out"]
        return [
            partial(self._pack, there, W, 1, V, VP),
            partial(self._pack_transposed, back, W, 1, V, VP, P),
        ]

    @property
    def output_rows(self) -> int:
        """Rows of the packed output matrix."""
        return self._P if self._tied else self._H

    @property
    def output_transposed_rows(self) -> int:
        """Rows of its packed transpose."""
        return self._V if self._tied else self._VP
