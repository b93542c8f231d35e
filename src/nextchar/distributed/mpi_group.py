"""A process group over MPI, which implements `training.process_group.ProcessGroup`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from nextchar.distributed import consistency
from nextchar.distributed.allreduce import MPIAllReduce, PendingSum, UncompressedSum
from nextchar.distributed.compressed_allreduce import bfloat16_sums
from nextchar.distributed.launcher import Launch
from nextchar.distributed.wait import wait_for
from nextchar.errors import DivergedError, InterruptedRun, RunError
from nextchar.kernels.threads import usable_cores
from nextchar.text.batches import Share
from nextchar.text.cache.disk_codes import DiskCodes
from nextchar.text.corpus import Corpus
from nextchar.training.process_group import ProcessGroup

if TYPE_CHECKING:
    from nextchar.kernels.engine import GradientAllReduce

Array = NDArray[Any]
T = TypeVar("T")

# signals by which batch systems announce the end of a job's time
_BATCH_SYSTEM_SIGNALS = [getattr(signal, name, None) for name in ("SIGTERM", "SIGUSR1")]


class MPIProcessGroup(ProcessGroup):
    """The processes of a launch.

    mpi: the module mpi4py.MPI. rank_name: this rank and its machine, as shown in messages.
    """

    all_reduce: GradientAllReduce | None

    def __init__(self, launch: Launch, mpi: Any) -> None:
        from mpi4py.util import pkl5  # has no limit on the length of messages

        self._mpi, world = mpi, mpi.COMM_WORLD
        self._comm: Any = pkl5.Intracomm(world)
        self._node: Any = pkl5.Intracomm(world.Split_type(self._mpi.COMM_TYPE_SHARED))
        self.share = Share(world.rank, world.size)
        self.launcher = launch.command
        self.rank_name = f"rank {world.rank} on {self._mpi.Get_processor_name()}"
        self.all_reduce = self._sums = MPIAllReduce(world)
        self._all_failed = False  # an error was raised on all ranks, with no collective call since
        self._now = 0.0

    # methods of ProcessGroup

    def clock(self) -> float:
        """Return seconds on rank 0's clock as of the last collective operation."""
        return max(self._now, self._sums.signal.clock)

    def threads(self) -> int:
        """Return the number of threads that suits every rank.

        Ranks that may use the same cores divide them.
        """
        mine = _cores()
        sharing = sum(1 for each in self._node.allgather(mine) if each & mine)
        fitting = max(1, usable_cores() // sharing)
        return int(self._comm.allreduce(fitting, op=self._mpi.MIN))

    def launch_advice(self) -> str:
        """Return advice on binding if the launcher withholds half of this machine's cores."""
        used = len(frozenset().union(*self._node.allgather(_cores())))
        cores = os.cpu_count() or 1
        if used > cores // 2 or "SLURM_JOB_ID" in os.environ:  # Slurm gives what a job requested
            return ""
        return (
            f"the launcher lets these ranks use {used} of the {cores} cores of this machine; "
            "--bind-to none, given to mpiexec, lets them use all"
        )

    def on_rank_zero(self, work: Callable[[], T]) -> T:
        """Call a function on rank 0 and return its result on all ranks; raise its error on all."""
        value, error = _attempt(work) if self.share.rank == 0 else (None, None)
        self._wait_for_rank_zero()
        packed, value = self._comm.bcast((error and _pack(error), value))
        if packed is None:
            return cast(T, value)
        self._all_failed = True
        raise error or _unpack(packed)

    def on_all_ranks(self, work: Callable[[], T]) -> T:
        """Call a function on every rank and return its result; raise an error of one on all."""
        value, error = _attempt(work)
        wait_for([self._comm.Ibarrier()])
        errors = self._comm.allgather(error and (self.rank_name, _pack(error)))
        self._all_failed = any(errors)
        if not self._all_failed:
            return cast(T, value)
        if errors[0]:
            raise error or _unpack(errors[0][1])
        name, packed = next(each for each in errors if each)
        raise RunError(f"{name}: {_unpack(packed)}")

    def sum_over_ranks(self, *numbers: float) -> list[float]:
        """Return the sums of numbers over all ranks."""
        self._all_failed = False
        now = time.perf_counter() if self.share.rank == 0 else 0.0
        sums = np.array([now, *numbers], np.float64)
        wait_for([self._comm.Iallreduce(self._mpi.IN_PLACE, sums)])
        self._now = float(sums[0])
        return [float(each) for each in sums[1:]]

    def any_rank(self, flag: bool) -> bool:
        """Return whether the flag was set on any rank, as of the last step."""
        signals = self._sums.signal
        signals.stop_here = flag
        return signals.stop_anywhere

    def set_compression(self, name: str) -> None:
        """Sum gradients as the setting `compress_gradients` says."""
        self._sums.start_sum = self._start_bfloat16_sum if name == "bf16" else UncompressedSum

    def gather_state(self, state: Array) -> Array:
        """Return the state of all lanes on rank 0, of its own lanes elsewhere."""
        parts = self._comm.gather(np.ascontiguousarray(state))
        return np.concatenate(parts, axis=2) if parts else state

    def require_equal(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Raise RunError on all ranks, which names rank and fact, if facts differ from rank 0's."""
        gathered = self._comm.gather((self.rank_name, {**consistency.host_facts(), **facts()}))

        def compare() -> None:
            names, all_facts = zip(*gathered, strict=True)
            if line := consistency.difference(names, all_facts):
                raise RunError(f"the ranks do not agree: {line}")

        self.on_rank_zero(compare)

    @contextmanager
    def local_rank_zero_first(self) -> Iterator[None]:
        """Context that one rank of each machine enters and leaves before the others enter it."""
        if self._node.rank:
            wait_for([self._node.Ibarrier()])
        with self.no_sync():
            yield
        if not self._node.rank:
            wait_for([self._node.Ibarrier()])
        self._wait_for_rank_zero()

    def no_sync(self) -> AbstractContextManager[None]:
        """Context in which `all_reduce` does not sum over other ranks."""
        return self._sums.disabled()

    def read_corpus(self, read: Callable[[], Corpus]) -> Corpus:
        """Read a text: a small one on rank 0, which sends it; a large one on one rank per cache.

        Rank 0 encodes a large text into its cache, then the first rank of each machine that has
        another cache. All other ranks find it in the cache.
        """
        corpora: list[Corpus] = []  # empty, or the text on this rank

        def read_first() -> Corpus | None:
            corpora.append(read())
            return None if isinstance(corpora[0].codes, DiskCodes) else corpora[0]

        if (small := self.on_rank_zero(read_first)) is not None:
            return small
        for is_turn in (self._node.rank == 0, self._node.rank > 0):
            if is_turn and not corpora:
                corpora.append(self.on_all_ranks(read))
            else:
                self.on_all_ranks(lambda: None)
        self.require_equal(lambda: {"sha256 of the text": corpora[0].sha256})
        return corpora[0]

    @cached_property
    def _start_bfloat16_sum(self) -> Callable[[Any, Array], PendingSum]:
        return bfloat16_sums(self._mpi.COMM_WORLD)  # one communicator for all runs

    # errors

    def shared_error(self, error: BaseException) -> BaseException | None:
        """Return the error that ends all ranks together; None if it ends this rank alone.

        The result is `error`, or a copy with a signal that is the same on all ranks; only rank 0
        prints it. Collective if the error is shared.
        """
        if not (self._all_failed or isinstance(error, DivergedError | InterruptedRun)):
            return None
        if isinstance(error, InterruptedRun):
            number = self._comm.allreduce(error.signal, op=self._mpi.MAX)
            error = InterruptedRun(
                error.problem,
                path=error.path,
                remedy=error.remedy,
                signal=number,
                is_expected=number in _BATCH_SYSTEM_SIGNALS,
            )
        if self.share.rank and isinstance(error, Exception):
            error.is_reported_elsewhere = True  # type: ignore[attr-defined]
        return error

    def abort(self, status: int) -> None:
        """End the job, as the other ranks would wait for this one forever."""
        self._comm.Abort(status)

    def _wait_for_rank_zero(self) -> None:
        """Wait for rank 0 and take over its clock."""
        self._all_failed = False
        now = np.array([time.perf_counter()])
        wait_for([self._comm.Ibcast(now)])
        self._now = float(now[0])


def _attempt(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    """Call a function; return its result, or None and its error."""
    try:
        return work(), None
    except Exception as error:
        return None, error


def _cores() -> frozenset[int]:
    """Logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


PackedError = tuple[type[Exception], tuple[Any, ...], dict[str, Any]]


def _pack(error: Exception) -> PackedError:
    """Take an error apart for sending: pickle would call its class, which may need arguments."""
    return type(error), error.args, dict(vars(error))


def _unpack(packed: PackedError) -> Exception:
    kind, args, attributes = packed
    error = kind.__new__(kind, *args)
    error.args = args
    vars(error).update(attributes)
    return error
