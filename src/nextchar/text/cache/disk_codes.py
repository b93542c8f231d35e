"""Codes on disk, read where they are asked for. They stand where an array of codes does.

A file that turns out to be damaged is made anew from the text, where that can be found again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import TextError
from nextchar.text.cache.block_reader import Blocks
from nextchar.text.cache.entry_format import DamagedError, Index
from nextchar.text.vocabulary import Codes

READ = 1 << 20  # codes that are read at once where many are wanted


class CodeFile:
    """An open file of codes; any number of threads may read it. Closed when it is let go."""

    def __init__(self, file: IO[bytes], index: Index) -> None:
        self.index = index
        self._file, self._blocks = file, Blocks(file, index)
        # first code, first byte, bytes a code, end
        ends = [*index.segments[1:, 0].tolist(), index.total]
        self._segments = [
            (*each, end) for each, end in zip(index.segments.tolist(), ends, strict=True)
        ]

    def __del__(self) -> None:
        self._file.close()

    def read(self, start: int, stop: int) -> Codes:
        """The codes from one place up to another, in the widest type among them.

        Raises DamagedError.
        """
        parts = []
        for first, byte, width, end in self._segments:
            low, high = max(start, first), min(stop, end)
            if low < high:
                data = self._blocks.read(
                    byte + (low - first) * width, byte + (high - first) * width
                )
                parts.append(np.frombuffer(data, f"<u{width}"))
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.zeros(0, np.uint8)

    def take(self, places: NDArray[np.int64]) -> Codes:
        """The codes at places (T, B), those of each column one after the other or nearly so.

        Raises DamagedError.
        """
        codes = np.empty(places.shape, np.uint32)
        for first, byte, width, end in self._segments:
            inside = (places >= first) & (places < end)
            if not inside.any():
                continue
            numbers = self._blocks.gather(places[inside] - first + byte // width, width)
            if numbers is None:  # in more blocks than are kept
                return self._columns(places)
            codes[inside] = numbers
        return codes

    def _columns(self, places: NDArray[np.int64]) -> Codes:
        """`take`, one column after the other."""
        codes = np.empty(places.shape, np.uint32)
        for lane, column in enumerate(places.T):
            turn = int(
                column.argmin()
            )  # a lane that came to the text's end went on at its beginning
            for part in (slice(0, turn), slice(turn, None)):
                if (inside := column[part]).size:
                    low = int(inside.min())
                    read = self.read(low, int(inside.max()) + 1)
                    codes[part, lane] = read.take(inside - low)
        return codes


class RepairingReader:
    """A text's codes on disk.

    mend: makes the file anew from the text; None where the text is gone. Raises TextError where
    the text is no longer the same.
    """

    def __init__(self, file: CodeFile, mend: Callable[[], CodeFile] | None = None) -> None:
        self._file, self._mend = file, mend
        self._lock = threading.Lock()

    @property
    def index(self) -> Index:
        """What is known of the file."""
        return self._file.index

    def read(self, start: int, stop: int) -> Codes:
        """The codes from one place up to another.

        Raises TextError where the file is damaged and cannot be made anew.
        """
        return self._mending(lambda file: file.read(start, stop))

    def take(self, places: NDArray[np.int64]) -> Codes:
        """The codes at places (T, B), those of each column one after the other or nearly so.

        Raises TextError as `read` does.
        """
        return self._mending(lambda file: file.take(places))

    def _mending(self, read: Callable[[CodeFile], Codes]) -> Codes:
        try:
            return read(self._file)
        except DamagedError:
            with self._lock:
                return self._mended(read)

    def _mended(self, read: Callable[[CodeFile], Codes]) -> Codes:
        try:
            return read(self._file)  # another thread may have mended it by now
        except DamagedError as error:
            if self._mend is None:
                raise TextError(
                    f"the encoded text on disk was damaged while it was used ({error}); start "
                    "again with the same text, and --resume to go on with a run"
                ) from error
            self._file = self._mend()
            return read(self._file)

    def counts(self, start: int, stop: int) -> NDArray[np.int64]:
        """(K,) how often each code occurs from one place up to another.

        Only the parts of spans at both ends are read for it.
        """
        bounds = np.append(0, self.index.ends)
        first = int(np.searchsorted(bounds, start))  # whole spans from here …
        last = int(np.searchsorted(bounds, stop, side="right")) - 1  # … up to here
        if first >= last:
            return self._counted(start, stop)
        counts = self._counted(start, int(bounds[first]))
        counts += self.index.counts[first:last].sum(axis=0)
        counts += self._counted(int(bounds[last]), stop)
        return counts

    def _counted(self, start: int, stop: int) -> NDArray[np.int64]:
        counts = np.zeros(self.index.counts.shape[1], np.int64)
        for place in range(start, stop, READ):
            counts += np.bincount(self.read(place, min(place + READ, stop)), minlength=len(counts))
        return counts


class DiskCodes:
    """A part of a text on disk, in the codes of a vocabulary.

    code_of: (K,) the code of each symbol on disk. lacking: (K,) which of them are left out; None
    where none is.
    """

    def __init__(
        self,
        store: RepairingReader,
        start: int,
        stop: int,
        code_of: Codes,
        lacking: NDArray[np.bool_] | None = None,
    ) -> None:
        self._store, self._start, self._stop = store, start, stop
        self._code_of, self._lacking = code_of, lacking
        self.dtype = code_of.dtype
        self.size = stop - start
        if lacking is not None:
            self.size -= int(self.counts()[lacking].sum())

    @classmethod
    def whole(cls, store: RepairingReader) -> DiskCodes:
        """All codes as they are on disk."""
        symbols = store.index.counts.shape[1]
        code_of = np.arange(symbols, dtype=np.min_scalar_type(max(symbols - 1, 0)))
        return cls(store, 0, store.index.total, code_of)

    def __len__(self) -> int:
        return self.size

    def min(self) -> int:
        """No code is less."""
        return 0

    def max(self) -> int:
        """No code is greater."""
        return int(self._code_of.max(initial=0))

    def counts(self) -> NDArray[np.int64]:
        """(K,) how often each symbol on disk occurs in this part."""
        return self._store.counts(self._start, self._stop)

    def part(self, start: int, stop: int) -> DiskCodes:
        """The codes from one place up to another, still on disk."""
        assert self._lacking is None
        return DiskCodes(self._store, self._start + start, self._start + stop, self._code_of)

    def numbered(self, code_of: Codes, lacking: NDArray[np.bool_]) -> DiskCodes:
        """The same part in other codes, without what is lacking."""
        left_out = lacking if lacking.any() and self.counts()[lacking].any() else None
        return DiskCodes(self._store, self._start, self._stop, code_of, left_out)

    def __getitem__(self, places: slice | NDArray[np.int64]) -> Codes:
        """Codes by a slice, or at places (T, B), those of each column close together.

        What comes before a slice is read, too, where symbols are left out.
        """
        if not isinstance(places, slice):
            assert self._lacking is None
            return self._code_of.take(self._store.take(places + self._start))
        start, stop, step = places.indices(self.size)
        assert step == 1
        codes = np.empty(max(stop - start, 0), self.dtype)
        done = 0
        for part in self._parts(start):
            if done >= len(codes):
                break
            part = part[: len(codes) - done]
            codes[done : done + len(part)] = part
            done += len(part)
        return codes

    def _parts(self, skipped: int) -> Iterator[Codes]:
        """The codes in order, in pieces, but for the first ones."""
        begin = self._start
        if self._lacking is None:
            begin, skipped = begin + skipped, 0
        for place in range(begin, self._stop, READ):
            raw = self._store.read(place, min(place + READ, self._stop))
            if self._lacking is not None:
                raw = raw[~self._lacking.take(raw)]
            yield self._code_of.take(raw[skipped:])
            skipped = max(skipped - len(raw), 0)


AnyCodes = Codes | DiskCodes
