"""Sums of gradients over ranks, in the background, part by part.

    begin    an Iallreduce of a part of the flat gradient, in place
    poll     MPI moves messages only while it is called; threads compute meanwhile
    finish   a last sum, of the loss, of what is small, and of a word that all ranks share; then
             all that was begun is waited for

Every rank gets the same bits: the algorithms of MPI's reductions add in an order that depends on
the ranks and the length alone (docs/distributed.md).
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


class Sum(Protocol):
    """A sum over ranks that is under way."""

    def poll(self) -> bool:
        """Let it go on; whether all its messages have begun."""
        ...

    def wait(self) -> None:
        """Return when it is done."""
        ...


@dataclass
class StepSignal:
    """What ranks tell each other at each step.

    stop: whether this rank was asked to stop, and after `finish` whether any was.
    now: the first rank's clock.
    """

    asked: bool = False
    stop: bool = False
    now: float = 0.0


class PlainSum:
    """An Iallreduce."""

    def __init__(self, comm: MPI.Intracomm, part: Array) -> None:
        from mpi4py import MPI

        self._request = comm.Iallreduce(MPI.IN_PLACE, part)

    def poll(self) -> bool:
        """Let it go on; its only message has begun."""
        self._request.Test()
        return True

    def wait(self) -> None:
        """Return when it is done."""
        wait_for([self._request])


class MPIAllReduce:
    """See above. word: is exchanged at each `finish`. begin_sum: begins the sum of a part."""

    def __init__(self, comm: MPI.Intracomm) -> None:
        self.word = StepSignal()
        self.begin_sum: Callable[[MPI.Intracomm, Array], Sum] = PlainSum
        self.bytes_sent = 0  # of the parts, as they stand in memory
        self.waited = 0.0  # seconds in `finish`
        self._comm = comm
        self._under_way: list[Sum] = []
        self._is_off = False

    def begin(self, part: Array) -> None:
        """Begin to sum a part of the gradient, in place."""
        if not self._is_off:
            self.bytes_sent += part.nbytes
            self._under_way.append(self.begin_sum(self._comm, part))

    def poll(self) -> None:
        """Let what was begun go on.

        Not beyond a sum that has a message to begin: this one's must come first on every rank. A
        look after any message lets MPI move them all.
        """
        for each in self._under_way:
            if not each.poll():
                return

    def finish(self, loss: float, rest: Array) -> float:
        """The sum of all losses; the rest and all parts are summed."""
        if self._is_off:
            return loss
        began, word = time.perf_counter(), self.word
        now = began if self._comm.rank == 0 else 0.0
        numbers = np.concatenate([[loss, word.asked, now], rest]).astype(np.float64)
        self._under_way.append(PlainSum(self._comm, numbers))
        for each in self._under_way:
            each.wait()
        self._under_way.clear()
        word.stop, word.now = numbers[1] > 0, float(numbers[2])
        rest[:] = numbers[3:]
        self.waited += time.perf_counter() - began
        return float(numbers[0])

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within this context nothing is exchanged."""
        before, self._is_off = self._is_off, True
        try:
            yield
        finally:
            self._is_off = before
