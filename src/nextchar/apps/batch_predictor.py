"""Predictions of one model for many positions at once, computed by the engine."""

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

LANES = 256  # read together: enough for the kernels, few enough for the cache


class BatchPredictor:
    """Predicts with parameters that do not change; a context manager.

    forward: runs the network over at most `CHUNK` characters, on one thread.
    """

    def __init__(self, parameters: Parameters, *, threads: int | None = None) -> None:
        self.parameters = parameters
        threads = threads or usable_cores()
        self._engine = Engine(parameters.architecture, threads=threads, dtype=parameters.dtype)
        self._forwards = self._engine.forwards(parameters, LANES)
        self.forward: Forward = self._forwards[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._engine.close()

    def watch(self, codes: Codes, watch: Watch, *, lanes: int = 1) -> Score:
        """Return the score of a text like `Engine.score`, and pass each chunk to `watch`."""
        return self._engine.score(self.parameters, codes, lanes=lanes, watch=watch)

    def expect(self, codes: NDArray[Any], state: Array) -> tuple[Array, Array]:
        """Return the log-probabilities (B, V) after codes (T, B), T ≥ 1, and the new state."""
        lanes = codes.shape[1]
        groups = np.array_split(np.arange(lanes), min(lanes, len(self._forwards)))
        tasks = list(zip(groups, self._forwards, strict=False))
        parts = self._engine.each(lambda task: _expect(task[0], task[1], codes, state), tasks)
        log_p, states = zip(*parts, strict=True)
        return np.concatenate(log_p), np.concatenate(states, axis=2)

    def expect_after(self, codes: Codes, positions: NDArray[Any], length: int) -> Array:
        """Return the log-probabilities (B, V) at positions (B,) of a text of codes (N,).

        length: characters read before each position, from the zero state; no position is nearer
        to the beginning. With a length of 0 the output biases are the prediction.
        """
        if length == 0:
            log_p = log_softmax(self.parameters["b_out"])
            return np.broadcast_to(log_p, (len(positions), len(log_p)))
        read = codes[positions[None, :] - np.arange(length, 0, -1)[:, None]]
        return self.expect(read, self.parameters.zero_state(len(positions)))[0]


def _expect(
    group: NDArray[np.intp], run_network: Forward, codes: NDArray[Any], state: Array
) -> tuple[Array, Array]:
    """Compute `BatchPredictor.expect` for a group of lanes on one thread."""
    predictions, states = [], []
    for first in range(0, len(group), LANES):
        lanes = group[first : first + LANES]
        lane_codes, after = codes[:, lanes], state[:, :, lanes]
        step = CHUNK // len(lanes)
        for t in range(0, len(lane_codes), step):
            logits, after = run_network(lane_codes[t : t + step], after)
        predictions.append(log_softmax(logits[-1]))
        states.append(after)
    return np.concatenate(predictions), np.concatenate(states, axis=2)
