"""A sum over ranks in which numbers travel as bfloat16, half the bytes of float32.

    part ─► bfloat16 ─► each rank gets its piece of all ranks' parts (Ialltoall)
    sum of the pieces in float32, in the order of ranks ─► bfloat16 ─► all ranks (Iallgather)

Each number is rounded twice, however many ranks there are; all get the same bits. bfloat16 keeps
float32's range and 8 of its 24 digits, so nothing overflows that did not.

MPI wants every rank to begin what all do together in the same order on each communicator. First
rounds begin in the order of parts, but end in any: so second rounds, which begin when a first one
ended, have a communicator of their own, and `exchange` begins them in the order of parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nextchar.distributed.wait import wait_for

if TYPE_CHECKING:
    from mpi4py import MPI

Array = NDArray[Any]
Halves = NDArray[np.uint16]

_NAN = np.uint16(0x7FC0)
_BLOCK = 1 << 15  # numbers that are rounded at once: they stay in the cache


def bf16_sums(comm: MPI.Intracomm) -> Callable[[MPI.Intracomm, Array], Bf16Sum]:
    """What begins such sums; all ranks call this together."""
    second = comm.Dup()
    return lambda first, part: Bf16Sum(first, second, part)


class Bf16Sum:
    """The sum of a part over ranks, in place, under way. first, second: of its two rounds."""

    def __init__(self, first: MPI.Intracomm, second: MPI.Intracomm, part: Array) -> None:
        self._second, self._part, size = second, part, first.size
        piece = -(-part.size // size)  # of each rank
        self._sent = np.zeros((size, piece), np.uint16)
        self._sent.reshape(-1)[: part.size] = halves_of(part)
        self._received = np.empty_like(self._sent)
        self._request = first.Ialltoall(self._sent, self._received)
        self._is_summed = self._is_done = False

    def poll(self) -> bool:
        """Let it go on; whether its second round has begun."""
        if not self._is_done and self._request.Test():
            self._go_on()
        return self._is_summed

    def wait(self) -> None:
        """Return when it is done."""
        while not self._is_done:
            wait_for([self._request])
            self._go_on()

    def _go_on(self) -> None:
        if self._is_summed:
            self._part[:] = numbers_of(self._sent.reshape(-1)[: self._part.size])
            self._is_done = True
            return
        total = np.zeros(self._received.shape[1], np.float32)
        for piece in self._received:  # in the order of ranks
            total += numbers_of(piece)
        self._is_summed = True
        self._request = self._second.Iallgather(halves_of(total), self._sent)


def halves_of(numbers: Array) -> Halves:
    """The nearest bfloat16, ties to even, of each number of (N,); NaN stays NaN."""
    single = np.ascontiguousarray(numbers, np.float32)
    halves = np.empty(single.shape, np.uint16)
    for start in range(0, len(single), _BLOCK):
        _round(single[start : start + _BLOCK], halves[start : start + _BLOCK])
    return halves


def _round(numbers: NDArray[np.float32], halves: Halves) -> None:
    bits = numbers.view(np.uint32)
    rounded = bits >> 16
    rounded &= 1
    rounded += 0x7FFF
    rounded += bits
    rounded >>= 16
    halves[:] = rounded
    if (is_nan := np.isnan(numbers)).any():
        halves[is_nan] = _NAN


def numbers_of(halves: Halves) -> NDArray[np.float32]:
    """The float32 that each bfloat16 is."""
    numbers = np.empty(halves.shape, np.float32)
    np.left_shift(halves, 16, out=numbers.view(np.uint32), dtype=np.uint32)
    return numbers
