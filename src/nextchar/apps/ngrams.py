"""Baselines without a network: uniform, character frequency, and n-grams.

The n-grams are interpolated by Witten & Bell (1991), in the form of Chen & Goodman (1998, section
2.6). With c(h w) the number of times that w followed the history h in training, c(h) their sum and
t(h) the number of different w:

    p(w | h) = (c(h w) + t(h) · p(w | shorter h)) / (c(h) + t(h))

and 1 / V below the empty history; every distribution sums to one. Only histories that occur in the
scored text are counted, exactly, while the training text is read in blocks: memory depends on the
scored text (at most `MOST_COUNTS` counts), not on the size of the training text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.text.vocabulary import Codes

Numbers = NDArray[np.int64]

ORDERS = (1, 3, 6)  # frequency of characters, 3-grams, 6-grams
MOST_COUNTS = 50_000_000  # histories × vocabulary: five bytes each


@dataclass(frozen=True)
class Baselines:
    """Losses of the baselines on a text of N characters, in nats.

    uniform: of each character. by_order: (N-1,) of all but the first, for n-grams of each order.
    """

    uniform: float
    by_order: dict[int, NDArray[np.float64]]

    def losses(self) -> dict[str, float]:
        """Return the mean nats per character, by the name of the baseline."""
        names = {1: "character frequency"}
        return {"uniform": self.uniform} | {
            names.get(order, f"{order}-gram"): float(nats.mean())
            for order, nats in self.by_order.items()
        }


def most_characters(vocabulary_size: int) -> int:
    """Return the number of characters that can be scored with `MOST_COUNTS` counts."""
    return max(MOST_COUNTS // max(vocabulary_size, 1), 2)


def baselines(
    text: Codes, training: Iterable[Codes], vocabulary_size: int, orders: Iterable[int] = ORDERS
) -> Baselines:
    """Score a text with n-grams counted in a training text, which comes in blocks."""
    orders = tuple(orders)
    counts = [_Counts(vocabulary_size) for _ in range(max(orders))]
    numbers = _number_histories(text.astype(np.int64), counts)
    _count(training, counts)
    p = np.full(len(text), 1 / vocabulary_size)
    by_order = {}
    for order, (each, history) in enumerate(zip(counts, numbers, strict=True), 1):
        p = each.interpolate(p, history, text)
        if order in orders:
            by_order[order] = -np.log(p[1:])
    return Baselines(math.log(vocabulary_size), by_order)


class _Counts:
    """Counts of the characters that follow the histories of one length.

    Every history has a number. A history with its next character is a history of the next length,
    and has a number there.
    """

    def __init__(self, V: int) -> None:
        self.V = V

    def grow(self, histories: int, history: Numbers, code: Numbers) -> Numbers:
        """Number the pairs of a history and its next character; return the numbers."""
        self.histories = histories
        keys, inverse = np.unique(history * self.V + code, return_inverse=True)
        # (histories · V,) the number of each pair, or -1
        self._next = np.full(self.histories * self.V, -1, np.int32)
        self._next[keys] = np.arange(len(keys), dtype=np.int32)
        self._followed = np.zeros(histories, np.int64)
        self._pairs = np.zeros(len(keys), np.int64)
        self._seen = np.zeros(histories * self.V, np.bool_)
        return np.asarray(inverse, np.int64)

    def number(self, history: Numbers, code: Numbers) -> Numbers:
        """Return the numbers of pairs; -1 for those that the scored text lacks."""
        return np.asarray(self._next[history * self.V + code], np.int64)

    def count(self, history: Numbers, code: Numbers, number: Numbers) -> None:
        """Count the characters after some histories. number: of each pair."""
        self._seen[history * self.V + code] = True
        self._followed += np.bincount(history, minlength=self.histories)
        self._pairs += np.bincount(number[number >= 0], minlength=len(self._pairs))

    def interpolate(
        self, shorter: NDArray[np.float64], history: Numbers, text: Codes
    ) -> NDArray[np.float64]:
        """Return p of each character of a text. shorter: p by the histories one shorter."""
        p, there = shorter.copy(), history >= 0
        key = history[there] * self.V + text[there].astype(np.int64)
        t = self._seen.reshape(self.histories, self.V).sum(axis=1)[history[there]]
        c, pairs = self._followed[history[there]], self._pairs[self._next[key]]
        with np.errstate(invalid="ignore"):
            mixed = (pairs + t * shorter[there]) / (c + t)
        p[there] = np.where(c > 0, mixed, shorter[there])  # training may lack a history
        return p


def _number_histories(code: Numbers, counts: list[_Counts]) -> list[Numbers]:
    """Number the histories before each character of the scored text, for each length.

    -1 stands for no history, at the beginning of the text.
    """
    history, histories = np.zeros(len(code), np.int64), 1  # the empty one
    numbers = []
    for each in counts:
        numbers.append(history)
        there = np.flatnonzero(history >= 0)
        number = each.grow(histories, history[there], code[there])
        history, histories = _shifted(len(code), there, number), int(number.max(initial=-1)) + 1
    return numbers


def _count(training: Iterable[Codes], counts: list[_Counts]) -> None:
    """Count the training text. The end of each block is history for the next block."""
    tail = np.empty(0, np.int64)
    for block in training:
        code = np.concatenate([tail, block.astype(np.int64)])
        history = np.zeros(len(code), np.int64)
        for each in counts:
            there = np.flatnonzero(history >= 0)
            number = each.number(history[there], code[there])
            new = there >= len(tail)
            each.count(history[there][new], code[there][new], number[new])
            history = _shifted(len(code), there, number)
        tail = code[max(len(code) - len(counts) + 1, 0) :]


def _shifted(size: int, positions: Numbers, numbers: Numbers) -> Numbers:
    """Return the history before each character, from those after some positions."""
    after = np.full(size + 1, -1)
    after[positions + 1] = numbers
    return after[:-1]
