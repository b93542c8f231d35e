"""Codes on disk, read when they are needed. They stand in for an array of codes.

A damaged file is encoded again from the text, if the text can be found again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import TextError
from nextchar.text.cache.block_reader import BlockReader
from nextchar.text.cache.entry_format import DamagedError, Index
from nextchar.text.vocabulary import Codes

CHUNK = 1 << 20  # codes that are read at once in a pass over a text


class CodeFile:
    """An open file of codes. Thread-safe; closed when it is garbage-collected."""

    def __init__(self, file: IO[bytes], index: Index) -> None:
        self.index = index
        self._file, self._blocks = file, BlockReader(file, index)
        # first code, first byte, bytes a code, end
        ends = [*index.segments[1:, 0].tolist(), index.total]
        segments = zip(index.segments.tolist(), ends, strict=True)
        self._segments = [(*each, end) for each, end in segments]

    def __del__(self) -> None:
        self._file.close()

    def read(self, start: int, stop: int) -> Codes:
        """Return a range of codes, in the widest type among them. Raises DamagedError."""
        parts = []
        for first, byte, width, end in self._segments:
            low, high = max(start, first), min(stop, end)
            if low < high:
                origin = byte - first * width
                data = self._blocks.read(origin + low * width, origin + high * width)
                parts.append(np.frombuffer(data, f"<u{width}"))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint8)

    def take(self, positions: NDArray[np.int64]) -> Codes:
        """Return the codes at positions (T, B), which are close together in each column.

        Raises DamagedError.
        """
        codes = np.empty(positions.shape, np.uint32)
        for first, byte, width, end in self._segments:
            inside = (positions >= first) & (positions < end)
            if not inside.any():
                continue
            numbers = self._blocks.gather(positions[inside] - first + byte // width, width)
            if numbers is None:  # in too many blocks
                return self._take_by_column(positions)
            codes[inside] = numbers
        return codes

    def _take_by_column(self, positions: NDArray[np.int64]) -> Codes:
        codes = np.empty(positions.shape, np.uint32)
        for lane, column in enumerate(positions.T):
            # a lane that reached the end of the text continued at its beginning
            wrap = int(column.argmin())
            for part in (slice(0, wrap), slice(wrap, None)):
                if (inside := column[part]).size:
                    low = int(inside.min())
                    codes[part, lane] = self.read(low, int(inside.max()) + 1).take(inside - low)
        return codes


class RepairingReader:
    """A reader of a file of codes that replaces the file if it is damaged.

    repair: encodes the text again; None if the text cannot be read again. It raises TextError if
    the text has changed.
    """

    def __init__(self, file: CodeFile, repair: Callable[[], CodeFile] | None = None) -> None:
        self._file, self._repair = file, repair
        self._lock = threading.Lock()

    @property
    def index(self) -> Index:
        """The index of the file."""
        return self._file.index

    def read(self, start: int, stop: int) -> Codes:
        """Return a range of codes. Raises TextError if the file cannot be repaired."""
        return self._retrying(lambda file: file.read(start, stop))

    def take(self, positions: NDArray[np.int64]) -> Codes:
        """Return the codes at positions (T, B), as `CodeFile.take` does; errors as in `read`."""
        return self._retrying(lambda file: file.take(positions))

    def _retrying(self, read: Callable[[CodeFile], Codes]) -> Codes:
        try:
            return read(self._file)
        except DamagedError:
            with self._lock:
                return self._repaired(read)

    def _repaired(self, read: Callable[[CodeFile], Codes]) -> Codes:
        try:
            return read(self._file)  # another thread may have repaired it meanwhile
        except DamagedError as error:
            if self._repair is None:
                problem = f"the encoded text on disk was damaged while it was used ({error})"
                remedy = "start again with the same text; --resume continues a run"
                raise TextError(problem, remedy=remedy) from error
            self._file = self._repair()
            return read(self._file)

    def counts(self, start: int, stop: int) -> NDArray[np.int64]:
        """Return (K,) the number of occurrences of each code in a range.

        Only the parts outside whole spans are read.
        """
        bounds = np.append(0, self.index.ends)
        first = int(np.searchsorted(bounds, start))  # whole spans from here …
        last = int(np.searchsorted(bounds, stop, side="right")) - 1  # … up to here
        if first >= last:
            return self._count(start, stop)
        counts = self._count(start, int(bounds[first]))
        counts += self.index.counts[first:last].sum(axis=0)
        counts += self._count(int(bounds[last]), stop)
        return counts

    def _count(self, start: int, stop: int) -> NDArray[np.int64]:
        counts = np.zeros(self.index.counts.shape[1], np.int64)
        for low in range(start, stop, CHUNK):
            counts += np.bincount(self.read(low, min(low + CHUNK, stop)), minlength=len(counts))
        return counts


class DiskCodes:
    """A part of a text on disk, in the codes of a vocabulary.

    code_of: (K,) the code of each symbol on disk. left_out: (K,) symbols to leave out, or None.
    """

    def __init__(
        self,
        reader: RepairingReader,
        start: int,
        stop: int,
        code_of: Codes,
        left_out: NDArray[np.bool_] | None = None,
    ) -> None:
        self._reader, self._start, self._stop = reader, start, stop
        self._code_of, self._left_out = code_of, left_out
        self.dtype = code_of.dtype
        self.size = stop - start
        if left_out is not None:
            self.size -= int(self.counts()[left_out].sum())

    @classmethod
    def whole(cls, reader: RepairingReader) -> DiskCodes:
        """Return all codes as they are on disk."""
        symbols = reader.index.counts.shape[1]
        code_of = np.arange(symbols, dtype=np.min_scalar_type(max(symbols - 1, 0)))
        return cls(reader, 0, reader.index.total, code_of)

    def __len__(self) -> int:
        return self.size

    def min(self) -> int:
        """Return a lower bound of the codes."""
        return 0

    def max(self) -> int:
        """Return an upper bound of the codes."""
        return int(self._code_of.max(initial=0))

    def counts(self) -> NDArray[np.int64]:
        """Return (K,) the number of occurrences of each symbol on disk in this part."""
        return self._reader.counts(self._start, self._stop)

    def part(self, start: int, stop: int) -> DiskCodes:
        """Return a range of codes, still on disk."""
        assert self._left_out is None
        return DiskCodes(self._reader, self._start + start, self._start + stop, self._code_of)

    def numbered(self, code_of: Codes, lacking: NDArray[np.bool_]) -> DiskCodes:
        """Return the same part in other codes, without the symbols that these lack."""
        left_out = lacking if lacking.any() and self.counts()[lacking].any() else None
        return DiskCodes(self._reader, self._start, self._stop, code_of, left_out)

    def __getitem__(self, index: slice | NDArray[np.int64]) -> Codes:
        """Return codes by a slice, or at positions (T, B), close together in each column.

        If symbols are left out, everything before a slice is read too.
        """
        if not isinstance(index, slice):
            assert self._left_out is None
            return self._code_of.take(self._reader.take(index + self._start))
        start, stop, step = index.indices(self.size)
        assert step == 1
        codes = np.empty(max(stop - start, 0), self.dtype)
        done = 0
        for chunk in self._chunks(start):
            if done >= len(codes):
                break
            chunk = chunk[: len(codes) - done]
            codes[done : done + len(chunk)] = chunk
            done += len(chunk)
        return codes

    def _chunks(self, skipped: int) -> Iterator[Codes]:
        """The codes in order, without the first ones."""
        begin = self._start
        if self._left_out is None:
            begin, skipped = begin + skipped, 0
        for start in range(begin, self._stop, CHUNK):
            raw = self._reader.read(start, min(start + CHUNK, self._stop))
            if self._left_out is not None:
                raw = raw[~self._left_out.take(raw)]
            yield self._code_of.take(raw[skipped:])
            skipped = max(skipped - len(raw), 0)


AnyCodes = Codes | DiskCodes
