"""The engine reading for one model: what it expects at every place, in all that is asked of it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.engine import Engine
from nextchar.kernels.threads import usable_cores
from nextchar.model.loss import log_softmax
from nextchar.model.parameters import Parameters
from nextchar.model.scorer import CHUNK, Forward, Score, Watch
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]

LANES = 256  # that are read together: enough for the kernels, little enough for the cache


class BatchPredictor:
    """Reads with parameters that stay as they are; a context manager.

    forward: runs the network over at most `CHUNK` characters, on one thread.
    """

    def __init__(self, parameters: Parameters, *, threads: int | None = None) -> None:
        self.parameters = parameters
        self._engine = Engine(
            parameters.architecture, threads=threads or usable_cores(), dtype=parameters.dtype
        )
        self._forwards = self._engine.forwards(parameters, LANES)
        self.forward: Forward = self._forwards[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._engine.close()

    def watch(self, codes: Codes, watch: Watch, *, lanes: int = 1) -> Score:
        """The score of a text as `Engine.score` gives it, each chunk told as it is scored."""
        return self._engine.score(self.parameters, codes, lanes=lanes, watch=watch)

    def expect(self, codes: NDArray[Any], state: Array) -> tuple[Array, Array]:
        """Log-probabilities (B, V) of what comes after codes (T, B), T ≥ 1, and the state then."""
        lanes = codes.shape[1]
        groups = np.array_split(np.arange(lanes), min(lanes, len(self._forwards)))
        tasks = list(zip(groups, self._forwards, strict=False))
        parts = list(self._engine.each(lambda task: _expect(task[0], task[1], codes, state), tasks))
        return (
            np.concatenate([log_p for log_p, _ in parts]),
            np.concatenate([after for _, after in parts], axis=2),
        )

    def expect_after(self, codes: Codes, places: NDArray[Any], length: int) -> Array:
        """Log-probabilities (B, V) of what stands at places (B,) of a text (N,) of codes.

        length: so many characters before each are read, from the zero state on; each place is at
        least as far from the beginning. Before any character the biases say what is expected.
        """
        if length == 0:
            log_p = log_softmax(self.parameters["b_out"])
            return np.broadcast_to(log_p, (len(places), len(log_p)))
        read = codes[places[None, :] - np.arange(length, 0, -1)[:, None]]
        return self.expect(read, self.parameters.zero_state(len(places)))[0]


def _expect(
    group: NDArray[np.intp], run_network: Forward, codes: NDArray[Any], state: Array
) -> tuple[Array, Array]:
    """`BatchPredictor.expect` of some lanes."""
    expected, states = [], []
    for first in range(0, len(group), LANES):
        lanes = group[first : first + LANES]
        own, after = codes[:, lanes], state[:, :, lanes]
        step = CHUNK // len(lanes)
        for t in range(0, len(own), step):
            logits, after = run_network(own[t : t + step], after)
        expected.append(log_softmax(logits[-1]))
        states.append(after)
    return np.concatenate(expected), np.concatenate(states, axis=2)
