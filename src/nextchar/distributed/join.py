"""Joining the other processes of a launch, and ending together with them.

Without mpi4py, or with one for another MPI than the launcher's, each process would believe to be
the only one and they would compete for the run directory. Both are errors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from nextchar.distributed.launcher import Launch, detect_launch
from nextchar.errors import MissingExtraError, NextcharError, RunError, in_one_line
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup

LAUNCHER_SECONDS = 5.0  # that a launcher may take to end the job of a rank that died


@contextmanager
def join_process_group(report: Callable[[str, BaseException], int]) -> Iterator[ProcessGroup]:
    """Context with a group of all processes of the launch, or of this one if there is no launch.

    report: called with the name of this rank and an error that ends it while the others continue;
    prints one line and returns the exit status. The job is then ended.
    Raises MissingExtraError if mpi4py is missing, RunError if it does not see the other processes.
    """
    launch = detect_launch()
    if launch is None:
        yield SINGLE_PROCESS
        return
    from nextchar.distributed.mpi_group import MPIProcessGroup

    try:
        mpi = load_mpi(launch)
    except NextcharError as error:  # raised on every rank; rank 0 prints it
        error.is_reported_elsewhere = launch.rank > 0
        raise
    group = MPIProcessGroup(launch, mpi)
    try:
        yield group
    except BaseException as error:
        shared = group.shared_error(error)
        if shared is None:
            if isinstance(error, mpi.Exception):  # another rank died, which the launcher detects
                time.sleep(LAUNCHER_SECONDS)
            group.abort(report(group.rank_name, error))
            raise SystemExit(1) from None  # reached if the job does not end at once
        if shared is error:
            raise
        raise shared from error


def load_mpi(launch: Launch) -> Any:
    """Initialise MPI and return mpi4py.MPI. Raises MissingExtraError or RunError."""
    try:
        import mpi4py
    except ImportError:
        feature = f"{launch.command.strip()}: training on several ranks"
        raise MissingExtraError(feature, "mpi4py", "mpi") from None
    mpi4py.rc.thread_level = "funneled"  # only the main thread calls MPI
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise RunError(
            f"mpi4py finds no MPI library ({in_one_line(error)})",
            remedy="load your cluster's module, or install one: pip install mpich",
        ) from None
    if MPI.COMM_WORLD.Get_size() != launch.size:
        library = MPI.Get_library_version().split("\n")[0].split(",")[0].strip(" \0")
        raise RunError(
            f"the launcher started {launch.size} processes, but mpi4py's library ({library}) sees "
            f"{MPI.COMM_WORLD.Get_size()}: it is another MPI than the launcher's",
            remedy="use the mpiexec that belongs to it",
        )
    return MPI
