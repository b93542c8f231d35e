"""Joining the other processes of a launch, and ending together.

Without mpi4py, or with one that belongs to another MPI than the launcher, each process would take
itself for the only one, and they would fight for the run directory: that is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nextchar.distributed.launcher import Launch, launched
from nextchar.errors import MissingExtraError, NextcharError, RunError, in_one_line
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup

PATIENCE = 5.0  # seconds in which a launcher ends the job of a rank that is gone


@contextmanager
def join_process_group(tell: Callable[[str, BaseException], int]) -> Iterator[ProcessGroup]:
    """All processes of the launch as a group; one alone where there is no launch.

    tell: says in one line, which begins with the given words, what error ends a rank while the
    others go on, and returns the exit status. The job is then ended.
    Raises MissingExtraError where mpi4py is lacking, RunError where it does not see the others.
    """
    launch = launched()
    if launch is None:
        yield SINGLE_PROCESS
        return
    from nextchar.distributed.mpi_group import MPIProcessGroup

    try:
        mpi = load_mpi(launch)
    except NextcharError as error:  # each meets it, one tells it
        error.is_reported_elsewhere = launch.rank > 0
        raise
    ranks = MPIProcessGroup(launch, mpi)
    try:
        yield ranks
    except BaseException as error:
        if not ranks.share_fate(error):
            if isinstance(error, mpi.Exception):  # another one is gone, which the launcher sees
                time.sleep(PATIENCE)
            ranks.abort(tell(ranks.name, error))
            raise SystemExit(1) from None  # where the job does not end at once
        raise


def load_mpi(launch: Launch) -> Any:
    """The module mpi4py.MPI, MPI begun. Raises MissingExtraError or RunError."""
    try:
        import mpi4py
    except ImportError:
        what = f"{launch.by.strip()}: to train together"
        raise MissingExtraError(what, "mpi4py", "mpi") from None
    mpi4py.rc.thread_level = "funneled"  # only the main thread speaks
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise RunError(
            f"mpi4py finds no MPI library ({in_one_line(error)}); load your "
            "cluster's module, or install one: pip install mpich"
        ) from None
    if MPI.COMM_WORLD.Get_size() != launch.size:
        library = MPI.Get_library_version().split("\n")[0].split(",")[0].strip(" \0")
        raise RunError(
            f"the launcher started {launch.size} processes, but mpi4py's library ({library}) sees "
            f"{MPI.COMM_WORLD.Get_size()}: it is another MPI than the launcher's; use the mpiexec "
            "that belongs to it"
        )
    return MPI
