"""Which passages of a text stand in another one, exactly, the other being of any size.

Every piece of 1, 2, 4, 8 … characters of the looked-up text gets a number, equal pieces the same
one (Karp, Miller & Rosenberg, 1972). The training text then passes by in blocks and gets the
numbers of the pieces that it shares; a piece of n characters is two overlapping ones of a power
of two. There is no hashing, so nothing to be verified. Memory: some 400 bytes for each character
of the text that is looked up and of one block of the training text, and 100 MB for tables.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.text.cache.disk_codes import AnyCodes
from nextchar.text.vocabulary import Codes

Numbers = NDArray[np.int64]
Blocks = Iterable[NDArray[np.integer[Any]]]

BLOCK = 1 << 18  # characters of the training text that are looked at together
NONE = -1  # the number of a piece that the looked-up text does not hold
_BITS = 1 << 22  # that tell which pairs are not there
_TABLE = 1 << 22  # pairs up to which their numbers are looked up in a table


def blocks_of(codes: AnyCodes) -> Iterator[Codes]:
    """A text in memory or on disk, in blocks."""
    for start in range(0, len(codes), BLOCK):
        yield codes[start : start + BLOCK]


@dataclass(frozen=True)
class Copied:
    """What of some texts stands in another one.

    shares: for each length, the share of their pieces of so many characters; NaN where all are
    shorter. longest: (text, start, end) of the longest passage. spans: for each text, (start, end)
    of what passages of at least the last of the lengths cover.
    """

    shares: list[float]
    longest: tuple[int, int, int]
    spans: list[list[tuple[int, int]]]


def copied(
    groups: Sequence[Sequence[Codes]], training: Blocks, lengths: Sequence[int]
) -> list[Copied]:
    """How much of each group of texts stands in another one, in one pass over that.

    training: the other text, in blocks; negative codes equal nothing. lengths: of the pieces whose
    share is wanted.
    """
    texts = [text for group in groups for text in group]
    pieces = _Pieces(_joined(texts))
    found = [pieces.wanted(length) for length in lengths]
    starts = np.cumsum([0, *(len(text) + 1 for text in texts)]).tolist()
    firsts = np.cumsum([0, *map(len, groups)]).tolist()  # of each group's texts
    bounds = [(starts[a], starts[b]) for a, b in pairwise(firsts)]
    best = [(start, start) for start, _ in bounds]
    for block in _overlapping(training, max(map(len, texts), default=0)):
        levels = pieces.look(block, found)
        best = [pieces.longer(levels, found, *each) for each in zip(bounds, best, strict=True)]
    made = []
    for (a, b), (start, end), (low, high) in zip(pairwise(firsts), bounds, best, strict=True):
        text = bisect_right(starts, low, a, max(b, a + 1)) - 1
        places = found[-1].places()
        spans = [_spans(places[starts[n] : starts[n + 1]], lengths[-1]) for n in range(a, b)]
        longest = (text - a, low - starts[text], high - starts[text])
        made.append(Copied([each.share(start, end) for each in found], longest, spans))
    return made


def _joined(texts: Sequence[Codes]) -> Numbers:
    """Texts one after the other, each followed by what is no character."""
    parts = [np.append(text.astype(np.int64), NONE) for text in texts]
    return np.concatenate([*parts, np.empty(0, np.int64)])


def _overlapping(blocks: Blocks, length: int) -> Iterator[Numbers]:
    """Blocks that begin with the end of the last one, so that no piece of `length` is cut."""
    tail = np.empty(0, np.int64)
    for block in blocks:
        whole = np.concatenate([tail, block.astype(np.int64)])
        yield whole
        tail = whole[max(len(whole) - length + 1, 0) :]


def _spans(places: NDArray[np.bool_], length: int) -> list[tuple[int, int]]:
    """The stretches that pieces of `length` beginning at some places cover."""
    spans: list[tuple[int, int]] = []
    for start in np.flatnonzero(places).tolist():
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], start + length)
        else:
            spans.append((start, start + length))
    return spans


class _Numbering:
    """Pairs of numbers → their own number, for the pairs that the looked-up text holds."""

    def __init__(self, first: Numbers, second: Numbers) -> None:
        known = (first >= 0) & (second >= 0)
        self._width = int(second.max(initial=0)) + 1
        keys = first[known] * self._width + second[known]
        self._keys, inverse = np.unique(keys, return_inverse=True)
        self.numbers = np.full(len(first), NONE)
        self.numbers[known] = inverse
        self.size = len(self._keys)
        self._bits = np.zeros(_BITS, np.bool_)  # what is not there is mostly told by a bit
        self._bits[_bit(self._keys)] = True
        room = (int(first.max(initial=0)) + 1) * self._width
        self._table: Numbers | None = None
        if room <= _TABLE:
            self._table = np.full(room, NONE)
            self._table[self._keys] = np.arange(self.size)

    def of(self, first: Numbers, second: Numbers) -> Numbers:
        """The numbers of some pairs of known numbers, NONE for a pair that is not there."""
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


@dataclass
class _FoundPassage:
    """Which pieces of one length were found. level: log2 of the power of two that makes them."""

    length: int
    level: int
    numbering: _Numbering
    seen: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.seen = np.zeros(self.numbering.size, np.bool_)

    def places(self) -> NDArray[np.bool_]:
        """Whether the piece that begins at each place was found."""
        numbers = self.numbering.numbers
        there: NDArray[np.bool_] = np.zeros(len(numbers), np.bool_)
        there[numbers >= 0] = self.seen[numbers[numbers >= 0]]
        return there

    def share(self, start: int, end: int) -> float:
        """Of the pieces between two places."""
        numbers = self.numbering.numbers[start:end]
        whole = numbers[numbers >= 0]
        return float(self.seen[whole].mean()) if len(whole) else float("nan")


class _Pieces:
    """The numbers of all pieces of a text whose length is a power of two."""

    def __init__(self, text: Numbers) -> None:
        self._levels = [text]  # by log2 of the length, the number of the piece from each place on
        self._numberings: list[_Numbering] = []
        while (self._levels[-1] >= 0).any() and 2 ** len(self._levels) <= len(text):
            numbering = _pairs(self._levels[-1], 2 ** (len(self._levels) - 1))
            self._numberings.append(numbering)
            self._levels.append(numbering.numbers)

    def wanted(self, length: int) -> _FoundPassage:
        """What will hold which pieces of a length were found."""
        level = min(length.bit_length() - 1, len(self._levels) - 1)
        return _FoundPassage(length, level, self._of_length(length, level))

    def _of_length(self, length: int, level: int) -> _Numbering:
        return _pairs(self._levels[level], length - 2**level)

    def look(self, block: Numbers, found: Iterable[_FoundPassage]) -> list[Numbers]:
        """Note which pieces stand in a block; the numbers of its pieces, by level."""
        levels = [block]
        for numbering in self._numberings:
            ahead = 2 ** (len(levels) - 1)
            if len(block) <= ahead or not (levels[-1] >= 0).any():
                break
            levels.append(numbering.of(levels[-1], _shifted(levels[-1], ahead)))
        for each in found:
            if each.level < len(levels):
                numbers = self._numbers_in(levels[each.level], each)
                each.seen[numbers[numbers >= 0]] = True
        return levels

    def _numbers_in(self, level: Numbers, found: _FoundPassage) -> Numbers:
        return found.numbering.of(level, _shifted(level, found.length - 2**found.level))

    def longer(
        self,
        levels: list[Numbers],
        found: Sequence[_FoundPassage],
        bounds: tuple[int, int],
        best: tuple[int, int],
    ) -> tuple[int, int]:
        """The longest passage between two places that a block holds, if it is longer than `best`.

        levels: of the block; found: what it and those before it hold. By halving, since what holds
        a passage holds every shorter one.
        """
        high = min(bounds[1] - bounds[0], 2 ** len(levels) - 1)
        for each in found:
            places = np.flatnonzero(each.places()[slice(*bounds)])
            if len(places) and each.length > best[1] - best[0]:
                start = bounds[0] + int(places[0])
                best = (start, start + each.length)
            elif not len(places):
                high = min(high, each.length - 1)
        low = best[1] - best[0]
        length = low + 1  # most blocks hold none that is longer
        while low < high:
            first = self._first(levels, bounds, length)
            if first is None:
                high = length - 1
            else:
                low, best = length, (first, first + length)
            length = (low + high + 1) // 2
        return best

    def _first(self, levels: list[Numbers], bounds: tuple[int, int], length: int) -> int | None:
        """Where the first piece of a length begins, between two places, that a block holds."""
        found = self.wanted(length)
        if found.level >= len(levels):
            return None
        numbers = self._numbers_in(levels[found.level], found)
        found.seen[numbers[numbers >= 0]] = True
        places = np.flatnonzero(found.places()[slice(*bounds)])
        return bounds[0] + int(places[0]) if len(places) else None


def _pairs(level: Numbers, ahead: int) -> _Numbering:
    """The numbering of each piece together with the one `ahead` places on."""
    return _Numbering(level, _shifted(level, ahead))


def _shifted(numbers: Numbers, ahead: int) -> Numbers:
    """The numbers so many places on; NONE past the end."""
    shifted = np.full(len(numbers), NONE)
    shifted[: max(len(numbers) - ahead, 0)] = numbers[ahead:]
    return shifted
