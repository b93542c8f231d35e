"""Whether a launcher (mpiexec, srun) started this process as one of several.

Launchers say so in environment variables, which are looked at before MPI is loaded: who trains on
one machine needs none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

# where launchers say how many they started, and which one this is; sbatch alone, which starts one
# process, sets SLURM_NTASKS, but not what srun does
_VARIABLES = (
    ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),  # Open MPI
    ("PMI_SIZE", "PMI_RANK"),  # MPICH, Intel MPI and others of its family
    ("MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK"),  # MVAPICH
    ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),  # srun
)


@dataclass(frozen=True)
class Launch:
    """That this process is one of `size`; by: how to start as many again."""

    rank: int
    size: int
    by: str


def launched(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """How this process was started; None where it is the only one."""
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
    """Whether this process is the one of its launch that says what all would say."""
    launch = launched()
    return launch is None or launch.rank == 0
