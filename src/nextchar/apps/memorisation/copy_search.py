"""Exact search for the substrings that a query text shares with a training text of any size.

Each substring ("piece") of 1, 2, 4, 8 … characters of the query text gets a number, equal pieces
the same one (Karp, Miller & Rosenberg, 1972). The training text is then read in blocks, and its
pieces get the same numbers; a piece of n characters is two overlapping pieces whose length is a
power of two. Nothing is hashed, so no match needs verification. Memory: about 400 bytes for each
character of the query text and of one block of the training text, and 100 MB for tables.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.text.cache.disk_codes import AnyCodes
from nextchar.text.vocabulary import Codes

Numbers = NDArray[np.int64]
Blocks = Iterable[NDArray[np.integer[Any]]]

BLOCK = 1 << 18  # characters of the training text processed together
NONE = -1  # number of a piece that is not in the query text
_BITS = 1 << 22  # size of the filter that rejects most absent pairs
_TABLE = 1 << 22  # possible pairs up to which a table replaces binary search


def blocks_of(codes: AnyCodes) -> Iterator[Codes]:
    """Yield a text in memory or on disk in blocks."""
    for start in range(0, len(codes), BLOCK):
        yield codes[start : start + BLOCK]


@dataclass(frozen=True)
class Copied:
    """Substrings of a group of texts that occur in the training text.

    shares: for each length, the share of the group's pieces of that length; NaN if all texts are
    shorter. longest: (text, start, end) of the longest passage. spans: for each text, (start, end)
    of the parts covered by copied pieces of the last length.
    """

    shares: list[float]
    longest: tuple[int, int, int]
    spans: list[list[tuple[int, int]]]


def copied(
    groups: Sequence[Sequence[Codes]], training: Blocks, lengths: Sequence[int]
) -> list[Copied]:
    """Search the training text once for the pieces of each group of texts.

    training: in blocks; negative codes match nothing. lengths: of the pieces whose shares to
    compute.
    """
    texts = [text for group in groups for text in group]
    pieces = _Pieces(_joined(texts))
    matches = [pieces.matches(length) for length in lengths]
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)]).tolist()
    firsts = np.cumsum([0, *map(len, groups)]).tolist()  # of each group's texts
    bounds = [(starts[a], starts[b]) for a, b in pairwise(firsts)]
    best = [(start, start) for start, _ in bounds]
    for block in _overlapping(training, max(map(len, texts), default=0)):
        levels = pieces.mark(block, matches)
        best = [pieces.longer(levels, matches, *each) for each in zip(bounds, best, strict=True)]
    results = []
    for (a, b), (start, end), (low, high) in zip(pairwise(firsts), bounds, best, strict=True):
        text = bisect_right(starts, low, a, max(b, a + 1)) - 1
        ends = [(starts[n], starts[n + 1]) for n in range(a, b)]
        spans = [_spans(matches[-1].places(*each) - each[0], lengths[-1]) for each in ends]
        longest = (text - a, low - starts[text], high - starts[text])
        results.append(Copied([each.share(start, end) for each in matches], longest, spans))
    return results


def _joined(texts: Sequence[Codes]) -> Numbers:
    """Concatenate texts, each followed by `NONE`."""
    parts = [np.append(text.astype(np.int64), NONE) for text in texts]
    return np.concatenate([*parts, np.empty(0, np.int64)])


def _overlapping(blocks: Blocks, length: int) -> Iterator[Numbers]:
    """Yield blocks that begin with the end of the previous one: no piece of `length` is cut."""
    tail = np.empty(0, np.int64)
    for block in blocks:
        whole = np.concatenate([tail, block.astype(np.int64)])
        yield whole
        tail = whole[max(len(whole) - length + 1, 0) :]


def _spans(places: NDArray[np.int64], length: int) -> list[tuple[int, int]]:
    """Merge the pieces of `length` that begin at places into spans."""
    spans: list[tuple[int, int]] = []
    for start in places.tolist():
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], start + length)
        else:
            spans.append((start, start + length))
    return spans


class _Numbering:
    """Numbers of the pieces that a piece of the query text forms with the one `ahead` places later.

    numbers: of the formed piece at each place of the query text. size: number of different ones.
    """

    def __init__(self, first: Numbers, ahead: int) -> None:
        self.ahead = ahead
        second = _shifted(first, ahead)
        known = (first >= 0) & (second >= 0)
        self._width = int(second.max(initial=0)) + 1
        keys = first[known] * self._width + second[known]
        self._keys, inverse = np.unique(keys, return_inverse=True)
        self.numbers = np.full(len(first), NONE)
        self.numbers[known] = inverse
        self.size = len(self._keys)
        self._bits = np.zeros(_BITS, np.bool_)  # filter: most absent pairs miss
        self._bits[_bit(self._keys)] = True
        possible = (int(first.max(initial=0)) + 1) * self._width
        self._table: Numbers | None = None
        if possible <= _TABLE:
            self._table = np.full(possible, NONE)
            self._table[self._keys] = np.arange(self.size)

    def of(self, first: Numbers) -> Numbers:
        """Return the numbers of the formed pieces; NONE for those that the query text lacks."""
        second = _shifted(first, self.ahead)
        places = np.flatnonzero((first >= 0) & (second >= 0) & (second < self._width))
        numbers = np.full(len(first), NONE)
        if not (len(places) and self.size):
            return numbers
        keys = first[places] * self._width + second[places]
        if self._table is not None:
            inside = keys < len(self._table)
            numbers[places[inside]] = self._table[keys[inside]]
            return numbers
        maybe = self._bits[_bit(keys)]
        places, keys = places[maybe], keys[maybe]
        at = np.minimum(np.searchsorted(self._keys, keys), self.size - 1)
        hit = self._keys[at] == keys
        numbers[places[hit]] = at[hit]
        return numbers


def _bit(keys: Numbers) -> Numbers:
    return (keys ^ (keys >> 13)) & (_BITS - 1)


class _Matches:
    """Pieces of one length, and which of them were found.

    level: log2 of the length of the two overlapping pieces that form one.
    """

    def __init__(self, length: int, level: int, numbering: _Numbering) -> None:
        self.length, self.level, self.numbering = length, level, numbering
        self.seen = np.zeros(numbering.size, np.bool_)

    def mark(self, levels: Sequence[Numbers]) -> None:
        """Mark the pieces that a block holds. levels: of the block."""
        if self.level < len(levels):
            numbers = self.numbering.of(levels[self.level])
            self.seen[numbers[numbers >= 0]] = True

    def places(self, start: int, end: int) -> NDArray[np.int64]:
        """Return the places from `start` on, and before `end`, where a found piece begins."""
        numbers = self.numbering.numbers[start:end]
        whole = np.flatnonzero(numbers >= 0)
        return np.asarray(start + whole[self.seen[numbers[whole]]])

    def share(self, start: int, end: int) -> float:
        """Return the share of found pieces among those that begin between two places."""
        numbers = self.numbering.numbers[start:end]
        whole = numbers[numbers >= 0]
        return float(self.seen[whole].mean()) if len(whole) else float("nan")


class _Pieces:
    """Numbers of all pieces of the query text whose length is a power of two."""

    def __init__(self, text: Numbers) -> None:
        self._levels = [text]  # by log2 of the length: number of the piece at each place
        self._numberings: list[_Numbering] = []
        while (self._levels[-1] >= 0).any() and 2 ** len(self._levels) <= len(text):
            numbering = _Numbering(self._levels[-1], 2 ** (len(self._levels) - 1))
            self._numberings.append(numbering)
            self._levels.append(numbering.numbers)

    def matches(self, length: int) -> _Matches:
        """Return an empty record of matches of one length."""
        level = min(length.bit_length() - 1, len(self._levels) - 1)
        return _Matches(length, level, _Numbering(self._levels[level], length - 2**level))

    def mark(self, block: Numbers, matches: Iterable[_Matches]) -> list[Numbers]:
        """Mark the pieces that occur in a block; return the numbers of its pieces by level."""
        levels = [block]
        for numbering in self._numberings:
            if len(block) <= numbering.ahead or not (levels[-1] >= 0).any():
                break
            levels.append(numbering.of(levels[-1]))
        for each in matches:
            each.mark(levels)
        return levels

    def longer(
        self,
        levels: list[Numbers],
        matches: Sequence[_Matches],
        bounds: tuple[int, int],
        best: tuple[int, int],
    ) -> tuple[int, int]:
        """Return the longest passage within `bounds` that a block holds, or `best` if longer.

        levels: of the block. matches: in it and the blocks before. Binary search over the length,
        since a block that holds a passage holds all parts of it.
        """
        high = min(bounds[1] - bounds[0], 2 ** len(levels) - 1)
        for each in matches:
            places = each.places(*bounds)
            if len(places) and each.length > best[1] - best[0]:
                best = (int(places[0]), int(places[0]) + each.length)
            elif not len(places):
                high = min(high, each.length - 1)
        low = best[1] - best[0]
        length = low + 1  # most blocks hold no longer one
        while low < high:
            first = self._first(levels, bounds, length)
            if first is None:
                high = length - 1
            else:
                low, best = length, (first, first + length)
            length = (low + high + 1) // 2
        return best

    def _first(self, levels: list[Numbers], bounds: tuple[int, int], length: int) -> int | None:
        """Return the first place within `bounds` of a piece of a length that a block holds."""
        matches = self.matches(length)
        matches.mark(levels)
        places = matches.places(*bounds)
        return int(places[0]) if len(places) else None


def _shifted(numbers: Numbers, ahead: int) -> Numbers:
    """Return the numbers `ahead` places later; NONE past the end."""
    shifted = np.full(len(numbers), NONE)
    shifted[: max(len(numbers) - ahead, 0)] = numbers[ahead:]
    return shifted
