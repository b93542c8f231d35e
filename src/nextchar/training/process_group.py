"""The processes that train one network together, as the trainer sees them.

A rank is one process, which computes a share of each batch's lanes. Parameters are the same on
all. Every decision is based on rank 0 (clock, files, settings) or on sums over all ranks (losses,
gradients, scores), so that all decide alike. `distributed` overrides every method for MPI; nothing
here knows of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar

from nextchar.kernels.threads import usable_cores
from nextchar.model.parameters import Array
from nextchar.text.batches import ALL, Share
from nextchar.text.corpus import Corpus

if TYPE_CHECKING:
    from nextchar.kernels.engine import GradientAllReduce

T = TypeVar("T")


class ProcessGroup:
    """Collective operations, here of a single process; a larger group overrides all of them.

    Every rank calls all methods but `clock`, in the same order.
    share: this rank's number, and the number of ranks. all_reduce: sums gradients; None if alone.
    launcher: the command that starts as many ranks again (`mpiexec -n 4 `).
    """

    share: Share = ALL
    all_reduce: GradientAllReduce | None = None
    launcher = ""

    def clock(self) -> float:
        """Return seconds on rank 0's clock as of the last collective operation."""
        return time.perf_counter()

    def threads(self) -> int:
        """Return the number of threads that suits every rank, by the cores that it may use."""
        return usable_cores()

    def launch_advice(self) -> str:
        """Return advice on the launch command, in one line; an empty string for none."""
        return ""

    def on_rank_zero(self, work: Callable[[], T]) -> T:
        """Call a function on rank 0 while the others wait; return its result on all ranks.

        Its error is raised on all.
        """
        return work()

    def on_all_ranks(self, work: Callable[[], T]) -> T:
        """Call a function on every rank and return its result; raise an error of one on all."""
        return work()

    def set_compression(self, name: str) -> None:
        """Sum gradients as the setting `compress_gradients` says."""

    def sum_over_ranks(self, *numbers: float) -> list[float]:
        """Return the sums of numbers over all ranks."""
        return list(numbers)

    def any_rank(self, flag: bool) -> bool:
        """Return whether the flag was set on any rank, as of the last step."""
        return flag

    def gather_state(self, state: Array) -> Array:
        """Return the state (L, STATES, B, H) of all lanes on rank 0, of its own lanes elsewhere."""
        return state

    def read_corpus(self, read: Callable[[], Corpus]) -> Corpus:
        """Read a text once, or once on each machine that has no encoded copy of it."""
        return read()

    def require_equal(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Raise RunError, which names rank and fact, if a rank's facts differ from rank 0's."""

    def local_rank_zero_first(self) -> AbstractContextManager[None]:
        """Context that one rank of each machine enters and leaves before the others enter it.

        Within it, `no_sync` holds.
        """
        return nullcontext()

    def no_sync(self) -> AbstractContextManager[None]:
        """Context in which `all_reduce` does not sum over other ranks."""
        return nullcontext()


SINGLE_PROCESS = ProcessGroup()
