"""Detection of a launcher (mpiexec, srun) that started this process as one of several.

Launchers set environment variables, which are read before MPI is loaded: training in one process
does not need MPI.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

# variables with the number of processes and the rank of this one. sbatch by itself, which starts
# one process, sets SLURM_NTASKS, but not the variables of srun
_VARIABLES = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),  # Open MPI
    ("PMI_SIZE", "PMI_RANK"),  # MPICH, Intel MPI and other derivatives of MPICH
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),  # MVAPICH
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),  # srun
)


@dataclass(frozen=True)
class Launch:
    """A launch of `size` processes. command: prefix that starts as many again, `mpiexec -n 4 `."""

    rank: int
    size: int
    command: str


def detect_launch(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """Return the launch that this process is part of, or None for a single process."""
    by_srun = "SLURM_STEP_NUM_TASKS" in environment and "OMPI_COMM_WORLD_SIZE" not in environment
    for size_name, rank_name in _VARIABLES:
        try:
            size, rank = int(environment[size_name]), int(environment[rank_name])
        except (KeyError, ValueError):
            continue
        if size > 1:
            return Launch(rank, size, f"{'srun' if by_srun else 'mpiexec'} -n {size} ")
    return None


def is_rank_zero() -> bool:
    """Return whether this process prints the messages of its launch."""
    launch = detect_launch()
    return launch is None or launch.rank == 0
