"""Those who train one network together, as the trainer sees them, and the one who trains alone.

A rank is one of them: a process that computes a share of each batch's lanes. Parameters are the
same on all. What decides anything is the first rank's (the clock, files, the user's settings) or
summed over all (losses, gradients, scores), so that all decide alike. `distributed` has those
who talk over MPI; nothing here knows of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from numpy.typing import NDArray

from nextchar.kernels.threads import usable_cores
from nextchar.text.batches import ALL, Share
from nextchar.text.corpus import Corpus

if TYPE_CHECKING:
    from nextchar.kernels.engine import GradientAllReduce
    from nextchar.text.cache.parallel import SplittableText

Array = NDArray[Any]
T = TypeVar("T")


class ProcessGroup(Protocol):
    """All methods but `clock` are called by every rank, in the same order.

    share: which one this is, of how many. all_reduce: what sums gradients; None where one is alone.
    launcher: what stands before `nextchar` to start as many again, with a space behind.
    advice: what the user should know of how it was launched, in one line; mostly nothing.
    """

    share: Share
    all_reduce: GradientAllReduce | None
    launcher: str
    advice: str

    def clock(self) -> float:
        """Seconds on the first rank's clock, as it was when all last spoke to each other."""
        ...

    def threads(self) -> int:
        """Threads that suit every rank, by the cores that it may use."""
        ...

    def on_rank_zero(self, work: Callable[[], T]) -> T:
        """What some work gives, done by the first rank while the others wait.

        Its error is raised on all.
        """
        ...

    def on_all_ranks(self, work: Callable[[], T]) -> T:
        """What some work gives that every rank does; an error of one is raised on all."""
        ...

    def set_compression(self, how: str) -> None:
        """Have gradients summed as the setting `compress_gradients` says."""
        ...

    def sum_over_ranks(self, *numbers: float) -> list[float]:
        """The sums of numbers over all ranks."""
        ...

    def any_rank(self, asked: bool) -> bool:
        """Whether any rank was asked for something, as of the last step."""
        ...

    def gather_state(self, state: Array) -> Array:
        """The state (L, STATES, B, H) of all lanes, on the first rank; on others their own's."""
        ...

    def read_corpus(self, read: Callable[[], Corpus], text: SplittableText) -> Corpus:
        """A text that is read once, or once on each machine that does not find it encoded.

        text: the same, as what all may encode together before it is read.
        """
        ...

    def require_equal(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Raise RunError that says which rank differs in what from the first one."""
        ...

    def local_rank_zero_first(self) -> AbstractContextManager[None]:
        """A context that one rank of each machine goes through before the others, `alone`."""
        ...

    def no_sync(self) -> AbstractContextManager[None]:
        """A context in which `exchange` sums over nobody else."""
        ...


class SingleProcess:
    """One who trains alone: every question is answered by itself."""

    share: Share = ALL
    all_reduce: GradientAllReduce | None = None
    launcher = ""
    advice = ""

    def clock(self) -> float:
        """Seconds."""
        return time.perf_counter()

    def threads(self) -> int:
        """The cores there are."""
        return usable_cores()

    def on_rank_zero(self, work: Callable[[], T]) -> T:
        """Do it."""
        return work()

    def on_all_ranks(self, work: Callable[[], T]) -> T:
        """Do it."""
        return work()

    def set_compression(self, how: str) -> None:
        """Nothing is sent."""

    def sum_over_ranks(self, *numbers: float) -> list[float]:
        """The numbers."""
        return list(numbers)

    def any_rank(self, asked: bool) -> bool:
        """Whether it was asked for."""
        return asked

    def gather_state(self, state: Array) -> Array:
        """It is whole."""
        return state

    def read_corpus(self, read: Callable[[], Corpus], text: SplittableText) -> Corpus:
        """Read it."""
        return read()

    def require_equal(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        """One is like oneself."""

    def local_rank_zero_first(self) -> AbstractContextManager[None]:
        """Nobody waits."""
        return nullcontext()

    def no_sync(self) -> AbstractContextManager[None]:
        """As always."""
        return nullcontext()


SINGLE_PROCESS = SingleProcess()
