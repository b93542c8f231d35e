"""How much each character surprises a model, −log2 p in bits, and the most surprising places.

The figures are those of the one scorer, watched as it goes through the text. Memory is bounded:
the worst places are kept in a heap, each with the state that was carried into its chunk and into
the chunk before, so that what stands around it can be read again from there, exactly.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.formatting.units import to_bits
from nextchar.model.scorer import CHUNK, Chunk, log_likelihoods
from nextchar.text.vocabulary import Codes

Array = NDArray[Any]

GUESSES = 5  # of the most probable characters that are told of a place
BEFORE, AFTER = 60, 30  # characters that are shown around a surprising place
APART = 40  # characters that two of the places are apart, at least


@dataclass(frozen=True)
class Passage:
    """A stretch of a text and what the model made of it.

    start: the number of its first code. codes: (n,). bits: (n,) float64, NaN for the character
    that is only read. guesses, chances: (n, k) the most probable codes there, and how probable.
    """

    start: int
    codes: Codes
    bits: NDArray[np.float64]
    guesses: NDArray[np.int64]
    chances: NDArray[np.float64]


class PassageCandidate(NamedTuple):
    """A surprising place, and where to begin reading to see it."""

    bits: float
    place: int
    start: int
    state: Array  # (L, STATES, 1, H), before the code at `start`


class TopSurprises:
    """Watches a text being scored and keeps the most surprising places."""

    def __init__(self, count: int) -> None:
        # some more than asked: two chunks may hold parts of the same trouble
        self._size, self._wanted = 4 * count, count
        self._heap: list[tuple[float, int, PassageCandidate]] = []
        self._earlier: dict[int, tuple[NDArray[np.int64], Array]] = {}  # what begins before
        self._lock = threading.Lock()

    def __call__(self, chunk: Chunk) -> None:
        """Look at a chunk."""
        group = int(chunk.lanes[0])
        bits = np.where(chunk.own, bits_of(chunk), -1.0)
        with self._lock:
            begins = chunk.places[0] - 1, chunk.read.state
            starts, states = self._earlier.get(group, begins)
            self._earlier[group] = begins
            for lane in range(bits.shape[1]) if self._wanted else ():
                begin = int(starts[lane]), states[:, :, lane : lane + 1]
                self._look(bits[:, lane], chunk.places[:, lane], begin)

    def places(self) -> list[PassageCandidate]:
        """The most surprising places, the worst first, each a little apart from the others."""
        chosen: list[PassageCandidate] = []
        for _, _, each in sorted(self._heap, key=lambda entry: (-entry[0], -entry[1])):
            if all(abs(each.place - other.place) >= APART for other in chosen):
                chosen.append(each)
        return chosen[: self._wanted]

    def _look(self, bits: Array, places: NDArray[np.int64], begin: tuple[int, Array]) -> None:
        """Look at a lane of a chunk. begin: a place that is not after it, and the state there."""
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
            found = PassageCandidate(float(bits[t]), place, begin[0], begin[1].copy())
            entry = (found.bits, -place, found)
            if len(self._heap) < self._size:
                heapq.heappush(self._heap, entry)
            else:
                heapq.heappushpop(self._heap, entry)
                floor = self._heap[0][0]


def bits_of(chunk: Chunk) -> NDArray[np.float64]:
    """−log2 p of each character of a chunk, (T, B)."""
    return -to_bits(chunk.read.log_p)


def passage(
    reader: BatchPredictor,
    codes: Codes,
    start: int,
    end: int,
    *,
    begin: int = 0,
    state: Array | None = None,
) -> Passage:
    """What the model makes of the codes from `start` up to `end`.

    begin, state: from where it is read, and the state there; the text's beginning by default.
    """
    shown = min(GUESSES, reader.parameters.architecture.vocabulary_size)
    guesses = np.zeros((end - start, shown), np.int64)
    chances = np.zeros((end - start, shown))
    bits = np.full(end - start, np.nan)
    at = begin + 1
    pairs = (
        (
            codes[t : min(t + CHUNK, end - 1)][:, None],
            codes[t + 1 : min(t + 1 + CHUNK, end)][:, None],
        )
        for t in range(begin, end - 1, CHUNK)
    )
    for read in log_likelihoods(reader.parameters, pairs, reader.forward, state):
        low, high = max(at, start), at + len(read.log_p)
        if high > low:
            own = slice(low - start, high - start)
            bits[own] = -to_bits(read.log_p[low - at :, 0])
            guesses[own], chances[own] = _best(read.every[low - at :, 0], shown)
        at = high
    return Passage(start, codes[start:end], bits, guesses, chances)


def around(reader: BatchPredictor, codes: Codes, candidate: PassageCandidate) -> Passage:
    """What stands around a surprising place."""
    start = max(candidate.place - BEFORE, candidate.start)
    end = min(candidate.place + AFTER, len(codes))
    return passage(reader, codes, start, end, begin=candidate.start, state=candidate.state)


def _best(log_p: Array, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The `count` most probable codes by log_p (n, V), (n, count), and their probabilities."""
    p = np.exp(log_p.astype(np.float64))
    best = np.argsort(-p, axis=1, kind="stable")[:, :count]
    return best, np.take_along_axis(p, best, axis=1)
