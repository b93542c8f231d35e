"""Text as codes, with the line and column of each in the original files.

Positions are found from three bits per character of the files (for bytes, per byte): whether it
ends a line, whether the model knows it, whether it begins a character.
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
BLOCK = 1 << 16  # bits whose count is stored together


@dataclass(frozen=True)
class Position:
    """Line and column of a character, from 1, and its file if there are several."""

    name: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.name}:{self.line}:{self.column}".lstrip(":")


class BitVector:
    """Append-only bit vector with rank (`count`) and select (`find`), eight bits to a byte."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.uint8]] = []
        self._rest = np.zeros(0, bool)
        self._packed = np.zeros(0, np.uint8)
        self._before = np.zeros(1, np.int64)  # number of set bits before each block
        self.size = 0

    def append(self, values: NDArray[np.bool_]) -> None:
        """Append values."""
        self.size += len(values)
        values = np.concatenate([self._rest, values])
        whole = len(values) // 8 * 8
        self._parts.append(np.packbits(values[:whole]))
        self._rest = values[whole:]

    def finish(self) -> None:
        """Build the index; call after the last `append`, before `count` and `find`."""
        self._packed = np.concatenate([*self._parts, np.packbits(self._rest)])
        self._parts = []
        blocks = np.arange(0, len(self._packed), BLOCK // 8)
        counts = np.add.reduceat(np.bitwise_count(self._packed), blocks, dtype=np.int64)
        self._before = np.cumsum([0, *counts])

    def count(self, end: int) -> int:
        """Return the number of set bits among the first `end`."""
        block = min(end // BLOCK, len(self._before) - 1)
        rest = self._block(block)[: end - block * BLOCK]
        return int(self._before[block]) + int(rest.sum())

    def find(self, number: int) -> int:
        """Return the index of set bit `number` (from 0), or the size if there are fewer."""
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
    """Text as a model reads it.

    codes: (N,) in memory or on disk. left_out: number of characters unknown to the model.
    names, starts: of the files; the offset of the first character (or byte) of each.
    ends, known, begins: bits of each character (or byte): it ends a line; it has a code; it is the
    first byte of a character.
    """

    vocabulary: Vocabulary
    codes: Codes
    left_out: int
    names: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: BitVector = field(default_factory=BitVector)
    known: BitVector = field(default_factory=BitVector)
    begins: BitVector = field(default_factory=BitVector)

    def place(self, index: int) -> Position:
        """Return the position of the code with index `index`."""
        offset = self.known.find(index)
        file = max(0, bisect_right(self.starts, offset) - 1)
        start = self.starts[file]
        before, lines = self.ends.count(start), self.ends.count(offset)
        begin = max(start, self.ends.find(lines - 1) + 1) if lines > before else start
        column = self.begins.count(offset + 1) - self.begins.count(begin)
        name = self.names[file] if len(self.names) > 1 else ""
        return Position(name, lines - before + 1, max(column, 1))

    def find(self, at: str) -> int:
        """Return the index of the code at `[FILE:]LINE:COLUMN`, or of the next known one.

        Raises SettingsError if there is no such position.
        """
        name, line, column = _parse_position(at)
        if name and name not in self.names:
            first = self.names[0]
            remedy = f"one of them is {first!r}" if first else "leave the file out"
            raise SettingsError("must name one of the files", setting="at", value=at, remedy=remedy)
        file = self.names.index(name) if name in self.names else 0
        start = self.starts[file]
        stop = self.starts[file + 1] if file + 1 < len(self.starts) else self.known.size
        before = self.ends.count(start)
        begin = start if line == 1 else self.ends.find(before + line - 2) + 1
        offset = self.begins.find(self.begins.count(begin) + column - 1)
        end = self.ends.find(before + line - 1) if begin < stop else begin
        if not (begin <= offset <= min(end, stop - 1)):
            problem = self._out_of_range(line, start, stop, begin, end)
            raise SettingsError(problem, setting="at", value=at)
        return min(self.known.count(offset), len(self.codes) - 1)

    def _out_of_range(self, line: int, start: int, stop: int, begin: int, end: int) -> str:
        """Describe the limit that a position exceeds: the number of lines, or the line's length."""
        ended = self.ends.count(stop) - self.ends.count(start)
        ends_open = stop > start and self.ends.count(stop) == self.ends.count(stop - 1)
        lines = ended + ends_open
        if line > lines:
            return f"must be in the text, which has {lines} line{'' if lines == 1 else 's'}"
        last = self.begins.count(min(end, stop)) - self.begins.count(begin)
        return f"must be on line {line}, which ends at column {last}"


def _parse_position(at: str) -> tuple[str, int, int]:
    name, _, rest = at.rpartition(":")
    name, _, line = name.rpartition(":")
    if not (line.isdecimal() and rest.isdecimal() and int(line) and int(rest)):
        raise SettingsError("must be LINE:COLUMN, both from 1", setting="at", value=at)
    return name, int(line), int(rest)


def read_files(
    model: Model,
    inputs: Sequence[str | PathLike[str]],
    *,
    encoding: str | None = None,
    unknown: Unknown = "error",
) -> LocatedText:
    """Read the concatenated texts of files, folders, `-` or data sets as codes.

    encoding: of the files; None is that of the training text.
    """
    settings = model.text if encoding is None else replace(model.text, encoding=encoding)
    named: list[tuple[str, Iterable[str | bytes]]] = []
    for source in find_sources(inputs, settings):
        is_bytes = model.vocabulary.is_bytes
        pieces = read_bytes([source]) if is_bytes else read_text([source], settings)
        named.append((source.name, pieces))
    return _read(model, named, unknown)


def read_string(model: Model, text: str | bytes, *, unknown: Unknown = "error") -> LocatedText:
    """Read a string or bytes as codes."""
    pieces = [text] if isinstance(text, bytes) else normalized([text], model.text.normalize)
    return _read(model, [("", pieces)], unknown)


def _read(
    model: Model, named: Iterable[tuple[str, Iterable[str | bytes]]], unknown: Unknown
) -> LocatedText:
    text = LocatedText(model.vocabulary, np.zeros(0, model.vocabulary.dtype), 0)
    pieces = _with_bits_noted(text, named, unknown)
    text.codes, text.left_out = collect(model, pieces, unknown=unknown)
    for bits in (text.ends, text.known, text.begins):
        bits.finish()
    return text


def _with_bits_noted(
    text: LocatedText, named: Iterable[tuple[str, Iterable[str | bytes]]], unknown: Unknown
) -> Iterator[str | bytes]:
    """Yield the pieces of all texts, noting the bits of their characters in `text`."""
    vocabulary, is_bytes = text.vocabulary, text.vocabulary.is_bytes
    has_unknown = unknown == "skip" and not is_bytes
    for name, pieces in named:
        text.names.append(name)
        text.starts.append(text.known.size)
        for piece in pieces:
            points = _points(piece, is_bytes)
            all_set = np.ones(len(points), bool)
            text.ends.append(points == NEWLINE)
            text.known.append(vocabulary.codes_of_points(points) >= 0 if has_unknown else all_set)
            text.begins.append(points & 0xC0 != 0x80 if is_bytes else all_set)
            yield piece


def _points(piece: str | bytes, is_bytes: bool) -> NDArray[np.uint32]:
    if is_bytes or isinstance(piece, bytes):
        return np.frombuffer(bytes_of(piece), np.uint8).astype(np.uint32)
    return points_of(piece)
