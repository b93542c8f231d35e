"""Sums of gradients over ranks, in the background, one part at a time.

    begin    start an Iallreduce of a part of the flat gradient, in place
    poll     let MPI move messages, which it does only during calls; other threads compute meanwhile
    finish   sum the loss, small values and the `StepSignal`, then wait for all sums

All ranks get the same bits: the order of addition in MPI's reductions depends only on the number of
ranks and the length (docs/distributed.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nextchar.distributed.wait import wait_for

if TYPE_CHECKING:
    from mpi4py import MPI

Array = NDArray[Any]


class PendingSum(Protocol):
    """A sum over ranks in progress."""

    def poll(self) -> bool:
        """Advance; return whether all messages of the sum have started."""

    def wait(self) -> None:
        """Wait for the result."""


@dataclass
class StepSignal:
    """Values that ranks exchange at each step.

    stop_here: this rank was asked to stop. stop_anywhere: any rank was, as of the last `finish`.
    clock: seconds on rank 0's clock.
    """

    stop_here: bool = False
    stop_anywhere: bool = False
    clock: float = 0.0


class UncompressedSum:
    """A sum in the type of the array, by one Iallreduce."""

    def __init__(self, comm: MPI.Intracomm, part: Array) -> None:
        from mpi4py import MPI

        self._request = comm.Iallreduce(MPI.IN_PLACE, part)

    def poll(self) -> bool:
        """Advance; the only message has started."""
        self._request.Test()
        return True

    def wait(self) -> None:
        """Wait for the result."""
        wait_for([self._request])


class MPIAllReduce:
    """All-reduce of one training step's gradient (`GradientAllReduce`) over MPI.

    start_sum: starts the sum of a part. signal: exchanged at each `finish`.
    bytes_sent: size of all parts so far, as stored in memory.
    """

    def __init__(
        self,
        comm: MPI.Intracomm,
        start_sum: Callable[[MPI.Intracomm, Array], PendingSum] = UncompressedSum,
    ) -> None:
        self.start_sum = start_sum
        self.signal = StepSignal()
        self.bytes_sent = 0
        self._comm = comm
        self._pending: list[PendingSum] = []
        self._is_disabled = False

    def begin(self, part: Array) -> None:
        """Start to sum a part of the gradient, in place."""
        if not self._is_disabled:
            self.bytes_sent += part.nbytes
            self._pending.append(self.start_sum(self._comm, part))

    def poll(self) -> None:
        """Advance the pending sums, up to the first one that has a message left to start.

        Every rank must start messages in the same order, so later sums wait for that one. A single
        MPI call advances the messages of all sums.
        """
        for each in self._pending:
            if not each.poll():
                return

    def finish(self, loss: float, rest: Array) -> float:
        """Sum `rest` in place, complete all parts and return the sum of the losses."""
        if self._is_disabled:
            return loss
        signal = self.signal
        clock = time.perf_counter() if self._comm.rank == 0 else 0.0
        numbers = np.concatenate([[loss, signal.stop_here, clock], rest]).astype(np.float64)
        self._pending.append(UncompressedSum(self._comm, numbers))
        for each in self._pending:
            each.wait()
        self._pending.clear()
        signal.stop_anywhere, signal.clock = numbers[1] > 0, float(numbers[2])
        rest[:] = numbers[3:]
        return float(numbers[0])

    @contextmanager
    def disabled(self) -> Iterator[None]:
        """Context in which nothing is exchanged."""
        before, self._is_disabled = self._is_disabled, True
        try:
            yield
        finally:
            self._is_disabled = before
