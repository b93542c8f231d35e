"""A text as codes, with the way back to the lines and columns of its files.

Two bits are kept for each character of the files, whether it ends a line and whether the model
knows it, so that a place is found again in a text of any size.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.evaluate import collect
from nextchar.errors import SettingsError
from nextchar.model.file import Model
from nextchar.text.sources import find_sources, normalized, read_bytes, read_text
from nextchar.text.vocabulary import Codes, Unknown, Vocabulary, bytes_of, points_of

NEWLINE = 10
BLOCK = 1 << 16  # bits that are counted at once


@dataclass(frozen=True)
class Position:
    """Where a character stands: line and column from 1, and the file where there are several."""

    name: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}".lstrip(":")


class BitVector:
    """A long row of truth values, eight to a byte."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.uint8]] = []
        self._rest = np.zeros(0, bool)
        self._packed = np.zeros(0, np.uint8)
        self._before = np.zeros(1, np.int64)  # how many are set before each block
        self.size = 0

    def append(self, values: NDArray[np.bool_]) -> None:
        """More values at the end."""
        self.size += len(values)
        values = np.concatenate([self._rest, values])
        whole = len(values) // 8 * 8
        self._parts.append(np.packbits(values[:whole]))
        self._rest = values[whole:]

    def finish(self) -> None:
        """Lay them out to be asked."""
        self._packed = np.concatenate([*self._parts, np.packbits(self._rest)])
        self._parts = []
        step = BLOCK // 8
        counts = [
            int(np.bitwise_count(self._packed[at : at + step]).sum())
            for at in range(0, len(self._packed), step)
        ]
        self._before = np.cumsum([0, *counts])

    def count(self, end: int) -> int:
        """How many of the first `end` values are set."""
        block = end // BLOCK
        return int(self._before[min(block, len(self._before) - 1)]) + int(
            self._block(block)[: end - block * BLOCK].sum()
        )

    def find(self, number: int) -> int:
        """Where the set value number `number` (from 0) stands; the size where there is none."""
        block = bisect_right(self._before.tolist(), number) - 1
        if block >= len(self._before) - 1:
            return self.size
        inside = np.flatnonzero(self._block(block))
        return block * BLOCK + int(inside[number - int(self._before[block])])

    def _block(self, number: int) -> NDArray[np.uint8]:
        first = number * BLOCK // 8
        return np.unpackbits(self._packed[first : first + BLOCK // 8])


@dataclass
class LocatedText:
    """A text as a model reads it.

    codes: (N,) in memory or on disk. left_out: how many characters the model does not know.
    names, starts: of the files, and where in the text each begins.
    """

    vocabulary: Vocabulary
    codes: Codes
    left_out: int
    names: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: BitVector = field(default_factory=BitVector)  # whether a character, or byte, ends a line,
    known: BitVector = field(default_factory=BitVector)  # whether it has a code,
    begins: BitVector = field(default_factory=BitVector)  # and whether a byte begins a character

    def place(self, index: int) -> Position:
        """Where the character of code number `index` stands."""
        offset = self.known.find(index)
        file = max(0, bisect_right(self.starts, offset) - 1)
        start = self.starts[file]
        before, lines = self.ends.count(start), self.ends.count(offset)
        begin = max(start, self.ends.find(lines - 1) + 1) if lines > before else start
        column = self.begins.count(offset + 1) - self.begins.count(begin)
        name = self.names[file] if len(self.names) > 1 else ""
        return Position(name, lines - before + 1, max(column, 1))

    def find(self, at: str) -> int:
        """The number of the code that stands at `[FILE:]LINE:COLUMN`, or the next known one.

        Raises SettingsError where there is no such place.
        """
        name, line, column = _parsed(at)
        if name not in self.names:
            if name:
                raise SettingsError(f"at: no file {name!r} is explained; give {self.names[0]!r}")
            name = self.names[0]
        file = self.names.index(name)
        start = self.starts[file]
        stop = self.starts[file + 1] if file + 1 < len(self.starts) else self.known.size
        before = self.ends.count(start)
        begin = start if line == 1 else self.ends.find(before + line - 2) + 1
        offset = self.begins.find(self.begins.count(begin) + column - 1)
        end = self.ends.find(before + line - 1) if begin < stop else begin
        if not (begin <= offset <= min(end, stop - 1)):
            raise SettingsError(f"at: {self._missing(line, start, stop, begin, end)}, got {at!r}")
        return min(self.known.count(offset), len(self.codes) - 1)

    def _missing(self, line: int, start: int, stop: int, begin: int, end: int) -> str:
        """What is said of a place that is not there: which lines there are, or how long it is."""
        ended = self.ends.count(stop) - self.ends.count(start)
        ends_open = stop > start and self.ends.count(stop) == self.ends.count(stop - 1)
        lines = ended + ends_open
        if line > lines:
            return f"wants a place in the text, which has {lines} line{'' if lines == 1 else 's'}"
        last = self.begins.count(min(end, stop)) - self.begins.count(begin)
        return f"line {line} ends at column {last}"


def _parsed(at: str) -> tuple[str, int, int]:
    name, _, rest = at.rpartition(":")
    name, _, line = name.rpartition(":")
    if not (line.isdecimal() and rest.isdecimal() and int(line) and int(rest)):
        raise SettingsError(f"at: wants LINE:COLUMN, both from 1, got {at!r}")
    return name, int(line), int(rest)


def read_files(
    model: Model,
    inputs: Sequence[str | PathLike[str]],
    *,
    encoding: str | None = None,
    unknown: Unknown = "error",
) -> LocatedText:
    """The text of files, folders, `-` or data sets, one after the other, as codes.

    encoding: of the files; that of the training text where it is None.
    """
    settings = model.text if encoding is None else replace(model.text, encoding=encoding)
    named = [
        (
            source.name,
            read_bytes([source]) if model.vocabulary.is_bytes else read_text([source], settings),
        )
        for source in find_sources(inputs, settings)
    ]
    return _read(model, named, unknown)


def read_string(model: Model, text: str | bytes, *, unknown: Unknown = "error") -> LocatedText:
    """A text as codes."""
    pieces = [text] if isinstance(text, bytes) else normalized([text], model.text.normalize)
    return _read(model, [("", pieces)], unknown)


def _read(
    model: Model, named: Iterable[tuple[str, Iterable[str | bytes]]], unknown: Unknown
) -> LocatedText:
    text = LocatedText(model.vocabulary, np.zeros(0, model.vocabulary.dtype), 0)
    text.codes, text.left_out = collect(model, _noted(text, named, unknown), unknown=unknown)
    for bits in (text.ends, text.known, text.begins):
        bits.finish()
    return text


def _noted(
    text: LocatedText, named: Iterable[tuple[str, Iterable[str | bytes]]], unknown: Unknown
) -> Iterator[str | bytes]:
    """The pieces of all texts; what stands where is noted as they go by."""
    vocabulary = text.vocabulary
    for name, pieces in named:
        text.names.append(name)
        text.starts.append(text.known.size)
        for piece in pieces:
            points = _points(piece, vocabulary.is_bytes)
            everything = np.ones(len(points), bool)
            text.ends.append(points == NEWLINE)
            text.known.append(
                vocabulary.codes_of_points(points) >= 0
                if unknown == "skip" and not vocabulary.is_bytes
                else everything
            )
            text.begins.append(points & 0xC0 != 0x80 if vocabulary.is_bytes else everything)
            yield piece


def _points(piece: str | bytes, is_bytes: bool) -> NDArray[np.uint32]:
    if is_bytes or isinstance(piece, bytes):
        return np.frombuffer(bytes_of(piece), np.uint8).astype(np.uint32)
    return points_of(piece)
