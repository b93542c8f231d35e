"""A sum over ranks that sends numbers as bfloat16, half the bytes of float32.

    part ─► bfloat16 ─► each rank receives its slice of all ranks' parts (Ialltoall)
    sum of the slices in float32, in rank order ─► bfloat16 ─► all ranks (Iallgather)

Each number is rounded twice, whatever the number of ranks; all ranks get the same bits. bfloat16
has the range of float32 and 8 of its 24 bits of precision, so rounding does not overflow.

MPI requires all ranks to start collective messages of a communicator in the same order. First
rounds start in the order of parts but may finish in any order. Second rounds, each of which starts
when its first round has finished, therefore have a separate communicator, on which `allreduce`
starts them in the order of parts.
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
BFloat16 = NDArray[np.uint16]  # the upper 16 bits of a float32

_NAN = np.uint16(0x7FC0)
_BLOCK = 1 << 15  # numbers rounded at a time: they stay in the cache


def bfloat16_sums(comm: MPI.Intracomm) -> Callable[[MPI.Intracomm, Array], BFloat16Sum]:
    """Return a function that starts a compressed sum. Collective: all ranks call this."""
    second = comm.Dup()
    return lambda first, part: BFloat16Sum(first, second, part)


class BFloat16Sum:
    """A compressed sum in progress, in place. first, second: communicators of its two rounds."""

    def __init__(self, first: MPI.Intracomm, second: MPI.Intracomm, part: Array) -> None:
        self._second, self._part, size = second, part, first.size
        slice_size = -(-part.size // size)
        self._sent = np.zeros((size, slice_size), np.uint16)
        self._sent.reshape(-1)[: part.size] = to_bfloat16(part)
        self._received = np.empty_like(self._sent)
        self._request = first.Ialltoall(self._sent, self._received)
        self._is_summed = self._is_done = False

    def poll(self) -> bool:
        """Advance; return whether the second round has started."""
        if not self._is_done and self._request.Test():
            self._finish_round()
        return self._is_summed

    def wait(self) -> None:
        """Wait for the result."""
        while not self._is_done:
            wait_for([self._request])
            self._finish_round()

    def _finish_round(self) -> None:
        if self._is_summed:
            self._part[:] = to_float32(self._sent.reshape(-1)[: self._part.size])
            self._is_done = True
            return
        total = np.zeros(self._received.shape[1], np.float32)
        for each in self._received:  # in rank order
            total += to_float32(each)
        self._is_summed = True
        self._request = self._second.Iallgather(to_bfloat16(total), self._sent)


def to_bfloat16(numbers: Array) -> BFloat16:
    """Round numbers of shape (N,) to the nearest bfloat16, ties to even; NaN stays NaN."""
    single = np.ascontiguousarray(numbers, np.float32)
    rounded = np.empty(single.shape, np.uint16)
    for start in range(0, len(single), _BLOCK):
        _round(single[start : start + _BLOCK], rounded[start : start + _BLOCK])
    return rounded


def _round(numbers: NDArray[np.float32], out: BFloat16) -> None:
    bits = numbers.view(np.uint32)
    rounded = bits >> 16
    rounded &= 1  # ties to even: add the last bit that is kept
    rounded += 0x7FFF
    rounded += bits
    rounded >>= 16
    out[:] = rounded
    if (is_nan := np.isnan(numbers)).any():
        out[is_nan] = _NAN


def to_float32(numbers: BFloat16) -> NDArray[np.float32]:
    """Convert bfloat16 to float32, which is exact."""
    single = np.empty(numbers.shape, np.float32)
    np.left_shift(numbers, 16, out=single.view(np.uint32), dtype=np.uint32)
    return single
