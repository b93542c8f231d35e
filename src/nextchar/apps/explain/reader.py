"""The engine, made to tell what it computes on the way to a score."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.engine import Engine
from nextchar.kernels.room import Room, room_for
from nextchar.kernels.threads import usable_cores
from nextchar.model.loss import log_softmax
from nextchar.model.parameters import Parameters
from nextchar.model.scorer import CHUNK, Forward, Score, Watch, score
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]

LANES = 256  # that are read together: enough for the kernels, little enough for the cache


class Reader(Engine):
    """An engine that reads for one set of parameters; a context manager."""

    def __init__(self, parameters: Parameters, *, threads: int | None = None) -> None:
        threads = threads or usable_cores()
        super().__init__(parameters.architecture, threads=threads, dtype=parameters.dtype)
        self.parameters = parameters
        self._pack(parameters, self._unrounded)
        self._own: list[Room] = []

    def watch(self, codes: Codes, watch: Watch, *, lanes: int = 1) -> Score:
        """The score of a text as `Engine.score` gives it, each chunk told as it is scored."""
        return score(
            self.parameters,
            codes,
            lanes=lanes,
            forwards=self._forwards(lanes)[: min(self._threads, lanes)],
            run=self._pool.map,
            watch=watch,
        )

    @property
    def forward(self) -> Forward:
        """What runs the network over at most `CHUNK` characters, on one thread."""
        return self._forwards(LANES)[0]

    def expect(self, codes: NDArray[Any], state: Array) -> tuple[Array, Array]:
        """Log-probabilities (B, V) of what comes after codes (T, B), T ≥ 1, and the state then."""
        lanes = codes.shape[1]
        groups = np.array_split(np.arange(lanes), min(lanes, self._threads))
        tasks = list(zip(groups, self._forwards(LANES), strict=False))
        parts = list(self._pool.map(lambda task: _expect(task[0], task[1], codes, state), tasks))
        return (
            np.concatenate([log_p for log_p, _ in parts]),
            np.concatenate([after for _, after in parts], axis=2),
        )

    def _forwards(self, lanes: int) -> list[Forward]:
        """One for each thread, with room for CHUNK characters however they are cut into lanes."""
        if self._reading < lanes:
            self._reading = lanes
            size = CHUNK + 2 * lanes
            self._own = [
                room_for(self._shape, size, 1, self._dtype, backward=False)
                for _ in range(self._threads)
            ]
        return [partial(self._predict, self.parameters.flat, room) for room in self._own]


def _expect(
    group: NDArray[np.intp], run_network: Forward, codes: NDArray[Any], state: Array
) -> tuple[Array, Array]:
    """`Reader.expect` of some lanes."""
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
