"""Baselines: what counting tells of a text that a network was trained on.

Uniform, the frequency of characters, and n-grams with back-off: interpolated Witten-Bell (Witten &
Bell, 1991; in the form of Chen & Goodman, 1998, section 2.6). With c(h w) how often w followed the
history h in training, c(h) their sum and t(h) how many different w did:

    p(w | h) = (c(h w) + t(h) · p(w | shorter h)) / (c(h) + t(h))

and 1 / V below the empty history, so that every distribution sums to one. Only histories that
occur in the scored text are counted, exactly, while the training text passes by in blocks: memory
is that of the scored text (at most `ROOM` counts), whatever the size of the other.
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
ROOM = 50_000_000  # histories × vocabulary: five bytes each


@dataclass(frozen=True)
class Baselines:
    """Surprise of every character of a text but the first, in nats.

    uniform: of each. by_order: for n-grams of each order, (N-1,).
    """

    uniform: float
    by_order: dict[int, NDArray[np.float64]]

    def losses(self) -> dict[str, float]:
        """Mean nats per character, by name."""
        names = {1: "character frequency"}
        return {"uniform": self.uniform} | {
            names.get(order, f"{order}-gram"): float(nats.mean())
            for order, nats in self.by_order.items()
        }


def affordable(vocabulary_size: int) -> int:
    """How many characters can be scored in the memory that there is to be."""
    return max(ROOM // max(vocabulary_size, 1), 2)


def baselines(
    text: Codes, training: Iterable[Codes], vocabulary_size: int, orders: Iterable[int] = ORDERS
) -> Baselines:
    """What n-grams counted in a training text, which comes in blocks, make of another text."""
    wanted = tuple(orders)
    counts = [_Counts(vocabulary_size) for _ in range(max(wanted))]
    numbers = _numbered(text.astype(np.int64), counts)
    _count(training, counts)
    p = np.full(len(text), 1 / vocabulary_size)
    by_order = {}
    for order, (each, history) in enumerate(zip(counts, numbers, strict=True), 1):
        p = each.interpolate(p, history, text)
        if order in wanted:
            by_order[order] = -np.log(p[1:])
    return Baselines(math.log(vocabulary_size), by_order)


class _Counts:
    """Counts of what follows the histories of one length.

    A history has a number; so has one with what follows, which is a history of the next length.
    """

    def __init__(self, V: int) -> None:
        self.V = V

    def grow(self, histories: int, history: Numbers, code: Numbers) -> Numbers:
        """Give numbers to what follows some of so many histories; those numbers."""
        self.histories = histories
        keys, inverse = np.unique(history * self.V + code, return_inverse=True)
        # (histories · V,) the number of both together, or -1
        self._next = np.full(self.histories * self.V, -1, np.int32)
        self._next[keys] = np.arange(len(keys), dtype=np.int32)
        self._followed = np.zeros(histories, np.int64)
        self._pairs = np.zeros(len(keys), np.int64)
        self._seen = np.zeros(histories * self.V, np.bool_)
        numbers: Numbers = inverse.astype(np.int64)
        return numbers

    def number(self, history: Numbers, code: Numbers) -> Numbers:
        """The numbers of histories with what follows them, -1 where the scored text lacks both."""
        numbers: Numbers = self._next[history * self.V + code].astype(np.int64)
        return numbers

    def count(self, history: Numbers, code: Numbers, number: Numbers) -> None:
        """Count what follows some histories. number: of both together."""
        self._seen[history * self.V + code] = True
        self._followed += np.bincount(history, minlength=self.histories)
        self._pairs += np.bincount(number[number >= 0], minlength=len(self._pairs))

    def interpolate(
        self, shorter: NDArray[np.float64], history: Numbers, text: Codes
    ) -> NDArray[np.float64]:
        """The p of each character of a text, given that by the histories one shorter."""
        p, there = shorter.copy(), history >= 0
        key = history[there] * self.V + text[there].astype(np.int64)
        t = self._seen.reshape(self.histories, self.V).sum(axis=1)[history[there]]
        c, pairs = self._followed[history[there]], self._pairs[self._next[key]]
        with np.errstate(invalid="ignore"):
            mixed = (pairs + t * shorter[there]) / (c + t)
        p[there] = np.where(c > 0, mixed, shorter[there])  # a history that training never saw
        return p


def _numbered(code: Numbers, counts: list[_Counts]) -> list[Numbers]:
    """Give numbers to the scored text's histories: for each length, that before each character.

    -1 where there is none, at the text's beginning.
    """
    history, histories = np.zeros(len(code), np.int64), 1  # the empty one
    numbers = []
    for each in counts:
        numbers.append(history)
        there = np.flatnonzero(history >= 0)
        number = each.grow(histories, history[there], code[there])
        history, histories = _moved(len(code), there, number), int(number.max(initial=-1)) + 1
    return numbers


def _count(training: Iterable[Codes], counts: list[_Counts]) -> None:
    """Count the training text. The end of a block is history for the beginning of the next."""
    tail = np.empty(0, np.int64)
    for block in training:
        code = np.concatenate([tail, block.astype(np.int64)])
        history = np.zeros(len(code), np.int64)
        for each in counts:
            there = np.flatnonzero(history >= 0)
            number = each.number(history[there], code[there])
            new = there >= len(tail)
            each.count(history[there][new], code[there][new], number[new])
            history = _moved(len(code), there, number)
        tail = code[max(len(code) - len(counts) + 1, 0) :]


def _moved(size: int, places: Numbers, numbers: Numbers) -> Numbers:
    """The history before each character, from what it is after those at some places."""
    after = np.full(size + 1, -1)
    after[places + 1] = numbers
    return after[:-1]
