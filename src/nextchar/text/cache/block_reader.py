"""The blocks of a file of codes: compared with their checksums when they are read, the last kept.

Files are read, not mapped: mapped pages would count as this process's memory.
"""

from __future__ import annotations

import os
import threading
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nextchar.text.cache.entry_format import BLOCK, DamagedError, Index

KEPT = 1024  # blocks in memory: 16 MB, enough for the lanes of any usual batch


class Blocks:
    """Reads a file of codes; any number of threads may."""

    def __init__(self, file: IO[bytes], index: Index) -> None:
        self._file, self._index = file, index
        self._lock = threading.Lock()
        self._room = np.empty(KEPT * BLOCK, np.uint8)  # the system gives pages as they are filled
        self._slot_of = np.full(len(index.checksums), -1, np.int32)  # where a block is kept
        self._block_in = np.full(KEPT, -1, np.int64)  # which block a place keeps
        self._next = 0  # the place that was filled longest ago

    def read(self, first: int, last: int) -> bytes:
        """Bytes one after the other. Raises DamagedError."""
        low, high = first // BLOCK, (last - 1) // BLOCK + 1
        data = self._verified(low, high)
        return data[first - low * BLOCK : last - low * BLOCK]

    def gather(self, places: NDArray[np.int64], width: int) -> NDArray[Any] | None:
        """The numbers of `width` bytes at places, which count from the file's first one.

        None where these are in more blocks than are kept. Raises DamagedError.
        """
        per_block = BLOCK // width
        blocks = places // per_block
        with self._lock:
            slots = self._slot_of[blocks]
            if (slots < 0).any():
                missing = np.unique(blocks[slots < 0])
                if len(missing) > KEPT // 2:
                    return None
                for block in missing.tolist():
                    self._keep(block)
                slots = self._slot_of[blocks]
                if (slots < 0).any():  # those that were there had to go
                    return None
            numbers: NDArray[Any] = self._room.view(f"<u{width}")
            return numbers.take(slots * np.int64(per_block) + places % per_block)

    def _keep(self, block: int) -> None:
        data = self._verified(block, block + 1)
        if hasattr(os, "posix_fadvise"):  # who reads on wants the next block soon
            next_one = (block + 1) * BLOCK
            os.posix_fadvise(self._file.fileno(), next_one, BLOCK, os.POSIX_FADV_WILLNEED)
        slot, self._next = self._next, (self._next + 1) % KEPT
        if self._block_in[slot] >= 0:
            self._slot_of[self._block_in[slot]] = -1
        self._room[slot * BLOCK : slot * BLOCK + len(data)] = np.frombuffer(data, np.uint8)
        self._slot_of[block], self._block_in[slot] = slot, block

    def _verified(self, low: int, high: int) -> bytes:
        """Whole blocks one after the other."""
        first, last = low * BLOCK, min(high * BLOCK, self._index.size)
        data = self._pread(first, last)
        view = memoryview(data)
        for block in range(low, high):
            start = (block - low) * BLOCK
            if zlib.crc32(view[start : start + BLOCK]) != self._index.checksums[block]:
                raise DamagedError(f"block {block} has changed")
        return data

    def _pread(self, first: int, last: int) -> bytes:
        if hasattr(os, "pread"):
            data = os.pread(self._file.fileno(), last - first, first)
        else:  # Windows
            with _SEEKING:
                self._file.seek(first)
                data = self._file.read(last - first)
        if len(data) < last - first:
            raise DamagedError("it is cut off")
        return data


_SEEKING = threading.Lock()
