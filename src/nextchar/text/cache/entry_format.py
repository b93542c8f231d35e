"""The file format of encoded texts, written once, from the first code to the last.

    codes, one to four bytes each | index | SHA-256 of the index | its length | MAGIC

Codes widen where a symbol appears whose code needs it: there are at most three segments, of one,
two and four bytes a code, and nothing is written twice. The index has a CRC-32 of every block, and
the number of occurrences of each code in each span of the text, from which the vocabulary of any
part follows without reading it. The bytes after the index are written last: a file without them is
incomplete. `text.cache.disk_codes` reads such a file.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import zlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nextchar.text.vocabulary import Codes

BLOCK = 1 << 14  # bytes that share a checksum and are read at once
SPAN = 1 << 22  # codes that are counted together, at least
MOST_COUNTS = 1 << 20  # counts kept of all spans; with more, spans are merged
MAGIC = b"nextchar codes 1"
_END = struct.Struct("<32sQ16s")
_ARRAYS = ("segments", "checksums", "ends", "counts")  # of the index


class DamagedError(Exception):
    """A file of codes is incomplete or was changed; caught within `text`."""


@dataclass(frozen=True)
class Index:
    """Index of the codes of a file.

    segments: (S, 3) int64: first code, first byte (a multiple of the bytes a code), bytes a code.
    checksums: uint32, CRC-32 of each block of the codes' bytes.
    ends: (R,) int64, end of each counted span; counts: (R, K) int64, occurrences of each code.
    """

    total: int
    segments: NDArray[np.int64]
    checksums: NDArray[np.uint32]
    ends: NDArray[np.int64]
    counts: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Bytes of all codes."""
        if not len(self.segments):
            return 0
        first, byte, width = self.segments[-1].tolist()
        return int(byte + (self.total - first) * width)


class CodeWriter:
    """Writes codes to a file, piece by piece. Raises OSError."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._total = self._bytes = self._width = 0
        self._segments: list[tuple[int, int, int]] = []
        self._pending = b""  # of the block that is not full
        self._checksums = array("I")
        self._rows: list[NDArray[np.int64]] = []
        self._ends: list[int] = []
        self._span = SPAN
        self._counts = np.zeros(0, np.int64)  # of the span that is not full

    def append(self, codes: Codes) -> None:
        """Write the next codes and count them."""
        if not len(codes):
            return
        if codes.itemsize > self._width:
            self._width = codes.itemsize
            self._put(bytes(-self._bytes % self._width))  # a segment can be read as an array
            self._segments.append((self._total, self._bytes, self._width))
        data = codes.astype(f"<u{self._width}", copy=False).tobytes()
        self._total += len(codes)
        self._put(data)
        self._counts = _sum(self._counts, np.bincount(codes))
        if self._total - (self._ends[-1] if self._ends else 0) >= self._span:
            self._end_span()

    def _put(self, data: bytes) -> None:
        self._bytes += len(data)
        data = self._pending + data
        full = len(data) - len(data) % BLOCK
        for start in range(0, full, BLOCK):
            self._checksums.append(zlib.crc32(memoryview(data)[start : start + BLOCK]))
        self._file.write(memoryview(data)[:full])
        self._pending = data[full:]

    def finish(self) -> Index:
        """Write the rest and return the index."""
        if self._pending:
            self._checksums.append(zlib.crc32(self._pending))
            self._file.write(self._pending)
        self._end_span()
        self._file.flush()
        width = max(map(len, self._rows), default=0)
        counts = np.zeros((len(self._rows), width), np.int64)
        for row, each in zip(counts, self._rows, strict=True):
            row[: len(each)] = each
        segments = np.array(self._segments, np.int64).reshape(-1, 3)
        checksums, ends = np.array(self._checksums, np.uint32), np.array(self._ends, np.int64)
        return Index(self._total, segments, checksums, ends, counts)

    def _end_span(self) -> None:
        if self._counts.any():
            self._rows.append(self._counts)
            self._ends.append(self._total)
        self._counts = np.zeros(0, np.int64)
        if len(self._rows) > 1 and sum(map(len, self._rows)) > MOST_COUNTS:
            self._span *= 2
            even, odd = self._rows[::2], [*self._rows[1::2], np.zeros(0, np.int64)]
            self._rows = [_sum(a, b) for a, b in zip(even, odd, strict=False)]
            self._ends = self._ends[1::2] + (self._ends[-1:] if len(self._ends) % 2 else [])


def _sum(a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    long, short = (a, b) if len(a) > len(b) else (b, a)
    total = long.copy()
    total[: len(short)] += short
    return total


def write_index(
    file: IO[bytes], index: Index, points: NDArray[np.uint32], description: Mapping[str, Any]
) -> None:
    """Write the index after the codes, then the end, which marks the file as complete."""
    import safetensors.numpy

    arrays = {name: getattr(index, name) for name in _ARRAYS}
    arrays["description"] = np.frombuffer(json.dumps(dict(description)).encode(), np.uint8)
    arrays |= {"total": np.array([index.total], np.int64), "points": points}
    data = safetensors.numpy.save(arrays)
    file.write(data)
    file.write(_END.pack(hashlib.sha256(data).digest(), len(data), MAGIC))
    file.flush()


def read_index(file: IO[bytes]) -> tuple[Index, NDArray[np.uint32], dict[str, Any]]:
    """Read the index of a file, its points and its description. Raises DamagedError."""
    import safetensors
    import safetensors.numpy

    size = file.seek(0, os.SEEK_END)
    if size < _END.size:
        raise DamagedError("it is cut off")
    file.seek(size - _END.size)
    digest, length, magic = _END.unpack(file.read(_END.size))
    if magic != MAGIC or length > size - _END.size:
        raise DamagedError("it is cut off")
    file.seek(size - _END.size - length)
    data = file.read(length)
    if hashlib.sha256(data).digest() != digest:
        raise DamagedError("its index has changed")
    try:
        parts = safetensors.numpy.load(data)
        index = Index(int(parts["total"][0]), *(parts[name] for name in _ARRAYS))
        description = json.loads(parts["description"].tobytes())
        points = parts["points"]
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise DamagedError("its index is of another kind") from error
    if index.size + length + _END.size != size:
        raise DamagedError("its length has changed")
    return index, points, description
