"""A model read one character at a time, by who looks at what comes next or goes back.

For beam search, completion and interactive writing; whole texts are written by `Batch`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.decoding.decoder import Decoder, Snapshot
from nextchar.model.file import Model

Array = NDArray[Any]


class Stepper:
    """Texts that a model reads in step, any number of them; a context manager.

    most: texts at once at the most.
    """

    def __init__(self, model: Model, *, most: int = 1, bfloat16: bool | None = None) -> None:
        self._decoder = Decoder(model.parameters, lanes=most, bfloat16=bfloat16)
        self._lanes = [self._decoder.enter()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._decoder.__exit__(*error)

    def read(self, codes: Array) -> None:
        """Let every text go on with the same codes (T,)."""
        self._decoder.read(codes)

    def step(self, codes: Array) -> None:
        """Let each text go on with a code of its own, (N,)."""
        for lane, code in zip(self._lanes, codes, strict=True):
            self._decoder.feed(lane, np.array([code]), np.empty(0))
        self._decoder.write(1)

    @property
    def logits(self) -> Array:
        """What each text expects next, (N, V) float64; before any character what the biases say."""
        return np.array([self._decoder.logits(lane) for lane in self._lanes], np.float64)

    def snapshots(self) -> list[Snapshot]:
        """What each text has read."""
        return [self._decoder.snapshot(lane) for lane in self._lanes]

    def go_on_from(self, snapshots: Sequence[Snapshot]) -> None:
        """Let texts go on from snapshots, as many as there are."""
        for lane in self._lanes:
            self._decoder.leave(lane)
        self._lanes = [self._decoder.enter(start=each) for each in snapshots]
