"""Blocks of a file of codes, verified by checksum when they are read; the last ones stay in memory.

Files are read, not mapped: mapped pages would count as memory of this process.
"""

from __future__ import annotations

import os
import threading
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nextchar.text.cache.entry_format import BLOCK, DamagedError, Index

SLOTS = 1024  # blocks in memory: 16 MB, enough for the lanes of any usual batch


class BlockReader:
    """Reads a file of codes. Thread-safe."""

    def __init__(self, file: IO[bytes], index: Index) -> None:
        self._file, self._index = file, index
        self._lock = threading.Lock()
        self._slots = np.empty(SLOTS * BLOCK, np.uint8)  # pages are allocated as they are filled
        self._slot_of = np.full(len(index.checksums), -1, np.int32)  # slot of each block, or -1
        self._block_in = np.full(SLOTS, -1, np.int64)  # block in each slot, or -1
        self._next = 0  # the slot that was filled longest ago

    def read(self, first: int, last: int) -> bytes:
        """Return a range of bytes. Raises DamagedError."""
        low, high = first // BLOCK, (last - 1) // BLOCK + 1
        data = self._verified(low, high)
        return data[first - low * BLOCK : last - low * BLOCK]

    def gather(self, positions: NDArray[np.int64], width: int) -> NDArray[Any] | None:
        """Return the numbers of `width` bytes at positions, counted from the start of the file.

        None if they lie in more blocks than there are slots for. Raises DamagedError.
        """
        per_block = BLOCK // width
        blocks = positions // per_block
        with self._lock:
            slots = self._slot_of[blocks]
            if (slots < 0).any():
                missing = np.unique(blocks[slots < 0])
                if len(missing) > SLOTS // 2:
                    return None
                for block in missing.tolist():
                    self._load(block)
                slots = self._slot_of[blocks]
                if (slots < 0).any():  # loading evicted others that are needed
                    return None
            numbers: NDArray[Any] = self._slots.view(f"<u{width}")
            return numbers.take(slots * np.int64(per_block) + positions % per_block)

    def _load(self, block: int) -> None:
        data = self._verified(block, block + 1)
        if hasattr(os, "posix_fadvise"):  # a lane needs the next block soon
            following = (block + 1) * BLOCK
            os.posix_fadvise(self._file.fileno(), following, BLOCK, os.POSIX_FADV_WILLNEED)
        slot, self._next = self._next, (self._next + 1) % SLOTS
        if self._block_in[slot] >= 0:
            self._slot_of[self._block_in[slot]] = -1
        self._slots[slot * BLOCK : slot * BLOCK + len(data)] = np.frombuffer(data, np.uint8)
        self._slot_of[block], self._block_in[slot] = slot, block

    def _verified(self, low: int, high: int) -> bytes:
        """Whole blocks, from `low` up to `high`."""
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
