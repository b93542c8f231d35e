"""What a model expects at every place of a text, computed by the engine on all cores.

The scorer (`model.scorer`) sums the same figures; here each is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.kernels.engine import SCORING_LANES, Engine
from nextchar.kernels.room import room_for
from nextchar.kernels.threads import usable_cores
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax
from nextchar.model.scorer import CHUNK, WARM_UP, Forward
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """What a model made of a text's characters, the first one left out, which is only read.

    codes: (N,) the characters. log_p: (N,) float64, the log-probability that each was given, nats.
    guess: (N,) the most probable one, confidence: (N,) its probability.
    """

    codes: Codes
    log_p: NDArray[np.float64]
    guess: NDArray[np.int64]
    confidence: NDArray[np.float64]

    @property
    def loss(self) -> float:
        """Mean nats per character."""
        return float(-self.log_p.mean())


class Reader(Engine):
    """An engine that hands out what a model expects; a context manager."""

    def __init__(self, model: Model) -> None:
        self._parameters = model.parameters
        threads = usable_cores()
        super().__init__(model.architecture, threads=threads, dtype=model.parameters.dtype)
        self._pack(self._parameters, self._unrounded)
        rooms = [
            room_for(self._shape, CHUNK + 2 * SCORING_LANES, 1, self._dtype, backward=False)
            for _ in range(threads)
        ]
        self._forwards: list[Forward] = [
            partial(self._predict, self._parameters.flat, room) for room in rooms
        ]

    def read(self, codes: Codes, lanes: int = SCORING_LANES) -> Predictions:
        """What is expected in a text of (N,) codes, N ≥ 2.

        lanes: into so many parts it is cut, each warmed up on the characters before it, as the
        scorer does; 1 carries the state through the whole text.
        """
        pairs = len(codes) - 1
        lanes = max(1, min(lanes, pairs // (4 * WARM_UP)))
        starts = np.linspace(0, pairs, lanes + 1).astype(np.int64)
        made = Predictions(codes[1:], np.empty(pairs), np.empty(pairs, np.int64), np.empty(pairs))
        groups = np.array_split(np.arange(lanes), min(lanes, len(self._forwards)))
        work = partial(self._read_lanes, codes, starts, made)
        list(self._pool.map(work, groups, self._forwards[: len(groups)]))
        return made

    def _read_lanes(
        self,
        codes: Codes,
        starts: NDArray[np.int64],
        made: Predictions,
        group: NDArray[Any],
        run_network: Forward,
    ) -> None:
        """Fill in the places of some lanes, whose own ones begin at `starts`."""
        first = np.maximum(starts[group] - WARM_UP, 0)
        T = int((starts[group + 1] - first).max())
        state, chunk = self._parameters.zero_state(len(group)), max(1, CHUNK // len(group))
        for t in range(0, T, chunk):
            place = first + np.arange(t, min(t + chunk, T))[:, None]  # (T, B)
            own = (place >= starts[group]) & (place < starts[group + 1])
            place = np.minimum(place, len(codes) - 2)
            logits, state = run_network(codes[place], state)
            log_p = log_softmax(logits[own]).astype(np.float64)  # (own places, V)
            at, guess = place[own], log_p.argmax(axis=-1)
            rows = np.arange(len(at))
            made.log_p[at] = log_p[rows, codes[at + 1].astype(np.int64)]
            made.guess[at], made.confidence[at] = guess, np.exp(log_p[rows, guess])

    def read_after(self, codes: Codes, places: NDArray[np.int64], length: int) -> Array:
        """Log-probability (M,) float64, in nats, of the characters at some places of a text.

        length: so many characters before each are read, from the zero state on; each place is at
        least as far from the beginning. Before any character the biases say what is expected.
        """
        targets = codes[places].astype(np.int64)
        if length == 0:
            log_p: Array = log_softmax(self._parameters["b_out"]).astype(np.float64)[targets]
            return log_p
        parts = np.array_split(np.arange(len(places)), -(-len(places) // SCORING_LANES))
        size = len(self._forwards)
        expected = np.empty(len(places))
        for begin in range(0, len(parts), size):  # a part a thread
            some = parts[begin : begin + size]
            inputs = [codes[places[part] - length + np.arange(length)[:, None]] for part in some]
            logits = self._pool.map(self._last_logits, inputs, self._forwards[: len(some)])
            for part, last in zip(some, logits, strict=True):
                expected[part] = log_softmax(last)[np.arange(len(part)), targets[part]]
        return expected

    def _last_logits(self, inputs: Codes, run_network: Forward) -> Array:
        """What is expected (B, V) after inputs of shape (T, B)."""
        B = inputs.shape[1]
        state, chunk = self._parameters.zero_state(B), max(1, CHUNK // B)
        last: Array = np.empty(0)
        for t in range(0, len(inputs), chunk):
            logits, state = run_network(inputs[t : t + chunk], state)
            last = logits[-1].copy()
        return last


def places_of(total: int, wanted: int, before: int) -> NDArray[np.int64]:
    """Places spread evenly over a text of `total` characters, at most `wanted`.

    Each has `before` characters before it.
    """
    count = max(min(wanted, total - before), 0)
    return before + (np.arange(count) * (total - before) // max(count, 1)).astype(np.int64)


def characters_of(model: Model, codes: Sequence[int] | Array) -> list[str]:
    """Codes as characters of one letter each; bytes from 128 on as `0x80`, the unknown one as □."""
    vocabulary = model.vocabulary
    if vocabulary.is_bytes:
        return [chr(code) if code < 128 else f"0x{code:02X}" for code in map(int, codes)]
    unknown = vocabulary.unknown_code
    return ["□" if code == unknown else vocabulary.decode([code]) for code in map(int, codes)]
