"""Surprisal of each character, −log2 p in bits, and the most surprising characters of a text.

The figures come from the one scorer, chunk by chunk. Memory is bounded: the most surprising
characters are kept in a heap, each with the state before the chunk that precedes its own, from
which the passage around it is read again exactly.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.batch_predictor import Array, BatchPredictor
from nextchar.formatting.units import to_bits
from nextchar.model.scorer import CHUNK, Chunk, log_likelihoods
from nextchar.text.vocabulary import Codes

GUESSES = 5  # most probable characters reported at a position
BEFORE, AFTER = 60, 30  # characters shown around a surprising one
APART = 40  # minimum distance of two listed characters


@dataclass(frozen=True)
class Passage:
    """Part of a text with its predictions.

    start: index of its first code. codes: (n,). bits: (n,) float64, NaN for the first character of
    the text, which is only read. guesses, chances: (n, k) most probable codes and probabilities.
    """

    start: int
    codes: Codes
    bits: NDArray[np.float64]
    guesses: NDArray[np.int64]
    chances: NDArray[np.float64]


class PassageCandidate(NamedTuple):
    """A surprising character, and the start of the passage from which it is read again."""

    bits: float
    place: int
    start: int
    state: Array  # (L, STATES, 1, H), before the code at `start`


class TopSurprises:
    """Callback of the scorer that keeps the most surprising characters."""

    def __init__(self, count: int) -> None:
        # more than requested: two chunks may hold parts of the same surprising passage
        self._size, self._count = 4 * count, count
        self._heap: list[tuple[float, int, PassageCandidate]] = []
        # by group of lanes: starts of the previous chunk, and the states there
        self._earlier: dict[int, tuple[NDArray[np.int64], Array]] = {}
        self._lock = threading.Lock()

    def __call__(self, chunk: Chunk) -> None:
        """Consider the characters of a chunk."""
        group = int(chunk.lanes[0])
        bits = np.where(chunk.own, bits_of(chunk), -1.0)
        with self._lock:
            current = chunk.places[0] - 1, chunk.read.state
            starts, states = self._earlier.get(group, current)
            self._earlier[group] = current
            for lane in range(bits.shape[1]) if self._count else ():
                start, state = int(starts[lane]), states[:, :, lane : lane + 1]
                self._consider(bits[:, lane], chunk.places[:, lane], start, state)

    def places(self) -> list[PassageCandidate]:
        """Return the most surprising characters, the worst first, at least `APART` apart."""
        chosen: list[PassageCandidate] = []
        for _, _, each in sorted(self._heap, key=lambda entry: (-entry[0], -entry[1])):
            if all(abs(each.place - other.place) >= APART for other in chosen):
                chosen.append(each)
        return chosen[: self._count]

    def _consider(self, bits: Array, places: NDArray[np.int64], start: int, state: Array) -> None:
        """Consider one lane of a chunk. start, state: an earlier position, and the state there."""
        floor = self._heap[0][0] if len(self._heap) == self._size else 0.0
        above = np.flatnonzero(bits > floor)
        above = above[np.argsort(-bits[above], kind="stable")]
        taken: list[int] = []
        for t in above.tolist():
            if len(taken) == self._size or bits[t] <= floor:
                break
            if any(abs(t - other) < APART for other in taken):
                continue
            taken.append(t)
            place = int(places[t])
            candidate = PassageCandidate(float(bits[t]), place, start, state.copy())
            heapq.heappush(self._heap, (candidate.bits, -place, candidate))
            if len(self._heap) > self._size:
                heapq.heappop(self._heap)
                floor = self._heap[0][0]


def bits_of(chunk: Chunk) -> NDArray[np.float64]:
    """−log2 p of each character of a chunk, (T, B)."""
    return -to_bits(chunk.read.log_p)


def passage(
    predictor: BatchPredictor,
    codes: Codes,
    start: int,
    end: int,
    *,
    begin: int = 0,
    state: Array | None = None,
) -> Passage:
    """Predictions of the codes from `start` up to `end`.

    begin, state: where reading begins, and the state there; by default the beginning of the text.
    """
    shown = min(GUESSES, predictor.parameters.architecture.vocabulary_size)
    guesses = np.zeros((end - start, shown), np.int64)
    chances = np.zeros((end - start, shown))
    bits = np.full(end - start, np.nan)
    at = begin + 1
    text = codes[begin:end][:, None]
    inputs, targets = text[:-1], text[1:]
    pairs = ((inputs[t : t + CHUNK], targets[t : t + CHUNK]) for t in range(0, len(inputs), CHUNK))
    for read in log_likelihoods(predictor.parameters, pairs, predictor.forward, state):
        low, high = max(at, start), at + len(read.log_p)
        if high > low:
            own = slice(low - start, high - start)
            bits[own] = -to_bits(read.log_p[low - at :, 0])
            guesses[own], chances[own] = _best(read.every[low - at :, 0], shown)
        at = high
    return Passage(start, codes[start:end], bits, guesses, chances)


def around(predictor: BatchPredictor, codes: Codes, candidate: PassageCandidate) -> Passage:
    """Passage around a surprising character."""
    start = max(candidate.place - BEFORE, candidate.start)
    end = min(candidate.place + AFTER, len(codes))
    return passage(predictor, codes, start, end, begin=candidate.start, state=candidate.state)


def _best(log_p: Array, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the `count` most probable codes by log_p (n, V), as (n, count), and their p."""
    p = np.exp(log_p.astype(np.float64))
    best = np.argsort(-p, axis=1, kind="stable")[:, :count]
    return best, np.take_along_axis(p, best, axis=1)
