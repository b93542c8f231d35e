"""Those who train together over MPI, as `training.process_group` wants them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from nextchar.distributed import consistency
from nextchar.distributed.allreduce import MPIAllReduce, PlainSum, Sum
from nextchar.distributed.bf16_allreduce import bf16_sums
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

_OF_BATCH_SYSTEMS = [getattr(signal, name, None) for name in ("SIGTERM", "SIGUSR1")]


class MPIProcessGroup(ProcessGroup):
    """The processes of a launch.

    mpi: the module mpi4py.MPI. name: this rank, and its machine, as messages call it.
    """

    all_reduce: GradientAllReduce | None

    def __init__(self, launch: Launch, mpi: Any) -> None:
        from mpi4py.util import pkl5  # its messages may be of any length

        self._mpi, world = mpi, mpi.COMM_WORLD
        self._comm: Any = pkl5.Intracomm(world)
        self._node: Any = pkl5.Intracomm(world.Split_type(self._mpi.COMM_TYPE_SHARED))
        self.share = Share(world.rank, world.size)
        self.launcher = launch.by
        self.name = f"rank {world.rank} on {self._mpi.Get_processor_name()}"
        self.all_reduce = self._sums = MPIAllReduce(world)
        self._has_failed = False  # an error was raised on all, and they did not speak since
        self._now = 0.0

    # what the trainer asks

    def clock(self) -> float:
        """Seconds on the first rank's clock when all last spoke to each other."""
        return max(self._now, self._sums.word.now)

    def threads(self) -> int:
        """Threads that suit every rank: each has its part of the cores that it may use."""
        mine = _cores()
        all_of_node = self._node.allgather(mine)
        sharing = sum(1 for each in all_of_node if each & mine)
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
        """What some work gives on the first rank; its error is raised on all."""
        value: Any = None
        error: Exception | None = None
        if self.share.rank == 0:
            try:
                value = work()
            except Exception as raised:
                error = raised
        self._line_up()
        kind, told = self._comm.bcast((None, value) if error is None else _flat(error))
        if kind is None:
            return cast(T, told)
        self._has_failed = True
        raise error or _error(kind, told)

    def on_all_ranks(self, work: Callable[[], T]) -> T:
        """What some work gives here; where it failed on a rank, its error is raised on all."""
        value: Any = None
        error: Exception | None = None
        try:
            value = work()
        except Exception as raised:
            error = raised
        wait_for([self._comm.Ibarrier()])
        told = self._comm.allgather(error and (self.name, *_flat(error)))
        self._has_failed = any(told)
        if not any(told):
            return cast(T, value)
        if told[0]:
            raise error or _error(*told[0][1:])
        name, kind, how = next(each for each in told if each)
        raise RunError(f"{name}: {_error(kind, how)}")

    def sum_over_ranks(self, *numbers: float) -> list[float]:
        """Sums over all ranks."""
        self._has_failed = False
        now = time.perf_counter() if self.share.rank == 0 else 0.0
        sums = np.array([now, *numbers], np.float64)
        wait_for([self._comm.Iallreduce(self._mpi.IN_PLACE, sums)])
        self._now = float(sums[0])
        return [float(each) for each in sums[1:]]

    def any_rank(self, flag: bool) -> bool:
        """Whether any rank was asked to stop, as of the last step."""
        word = self._sums.word
        word.asked = flag
        return word.stop

    def set_compression(self, name: str) -> None:
        """Have gradients summed as `compress_gradients` says."""
        self._sums.begin_sum = self._half_sums if name == "bf16" else PlainSum

    def gather_state(self, state: Array) -> Array:
        """The state of all lanes, on the first rank."""
        parts = self._comm.gather(np.ascontiguousarray(state))
        return np.concatenate(parts, axis=2) if parts else state

    def require_equal(self, facts: Callable[[], Mapping[str, Any]]) -> None:
        """Raise RunError, on all, that says which rank differs in what from the first one."""
        told = self._comm.gather((self.name, {**consistency.host_facts(), **facts()}))

        def compare() -> None:
            names, all_facts = zip(*told, strict=True)
            if line := consistency.difference(names, all_facts):
                raise RunError(f"the ranks do not agree: {line}")

        self.on_rank_zero(compare)

    @contextmanager
    def local_rank_zero_first(self) -> Iterator[None]:
        """One rank of each machine goes through this context before the others."""
        if self._node.rank:
            wait_for([self._node.Ibarrier()])
        with self.no_sync():
            yield
        if not self._node.rank:
            wait_for([self._node.Ibarrier()])
        self._line_up()

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """Within this context `exchange` sums over nobody else."""
        with self._sums.off():
            yield

    def read_corpus(self, read: Callable[[], Corpus]) -> Corpus:
        """Read a text: a small one on rank 0, which sends it; a large one on one rank per cache.

        Rank 0 encodes a large text into its cache, then the first rank of each machine that has
        another cache. All other ranks find it in the cache.
        """
        here: list[Corpus] = []

        def read_first() -> Corpus | str:
            here.append(read())
            return here[0].sha256 if isinstance(here[0].codes, DiskCodes) else here[0]

        told = self.on_rank_zero(read_first)
        if isinstance(told, Corpus):
            return told
        for is_mine in (self._node.rank == 0, self._node.rank > 0):
            if is_mine and not here:
                here.append(self.on_all_ranks(read))
            else:
                self.on_all_ranks(lambda: None)
        self.require_equal(lambda: {"sha256 of the text": here[0].sha256})
        return here[0]

    @cached_property
    def _half_sums(self) -> Callable[[Any, Array], Sum]:
        return bf16_sums(self._mpi.COMM_WORLD)  # once, however many runs there are

    # how it ends

    def share_fate(self, error: BaseException) -> bool:
        """Whether the error ends all ranks alike; then only the first one tells it."""
        all_alike = self._has_failed or isinstance(error, DivergedError | InterruptedRun)
        if all_alike and isinstance(error, InterruptedRun):
            error.signal = self._comm.allreduce(error.signal, op=self._mpi.MAX)
            error.is_expected = error.signal in _OF_BATCH_SYSTEMS
        if all_alike and self.share.rank and isinstance(error, Exception):
            error.is_reported_elsewhere = True  # type: ignore[attr-defined]
        return all_alike

    def abort(self, status: int) -> None:
        """End the job: the others would wait for this rank."""
        self._comm.Abort(status)

    def _line_up(self) -> None:
        """Wait for the first rank, whose clock is then everyone's."""
        self._has_failed = False
        now = np.array([time.perf_counter()])
        wait_for([self._comm.Ibcast(now)])
        self._now = float(now[0])


def _cores() -> frozenset[int]:
    """Logical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def _flat(error: Exception) -> tuple[type[Exception], tuple[tuple[Any, ...], dict[str, Any]]]:
    """An error as it travels: pickle would call its class, which may want other arguments."""
    return type(error), (error.args, dict(vars(error)))


def _error(kind: type[Exception], told: tuple[tuple[Any, ...], dict[str, Any]]) -> Exception:
    error = kind.__new__(kind, *told[0])
    error.args = told[0]
    vars(error).update(told[1])
    return error
