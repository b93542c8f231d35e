"""The stepper: a model, the state it is in, and what it expects next."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.model.network import forward
from nextchar.model.parameters import Parameters

Array = NDArray[Any]

_PIECE = 1024  # characters of a prompt that pass through the network at once


class Stepper:
    """Lanes that a model reads character by character.

    logits: (B, V), what each lane expects next; after no character at all, what the output's
    biases say.
    """

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters
        self._state = parameters.zero_state(1)
        self.logits: Array = parameters["b_out"][None].copy()

    def read(self, codes: NDArray[Any]) -> None:
        """Read a text of shape (T,) in every lane."""
        lanes = self._state.shape[2]
        for start in range(0, len(codes), _PIECE):
            piece = np.repeat(codes[start : start + _PIECE, None], lanes, axis=1)
            logits, self._state, _ = forward(self._parameters, piece, self._state)
            self.logits = logits[-1]

    def split(self, lanes: int) -> None:
        """Make one lane into several, all in its state."""
        self._state = np.repeat(self._state, lanes, axis=2)
        self.logits = np.repeat(self.logits, lanes, axis=0)

    def step(self, codes: NDArray[Any]) -> None:
        """Read one character in each lane; codes: (B,)."""
        logits, self._state, _ = forward(self._parameters, codes[None], self._state)
        self.logits = logits[0]
