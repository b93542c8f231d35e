"""The process group of one process, and the one over MPI that replaces each of its operations."""

from __future__ import annotations

from nextchar.distributed.mpi_group import MPIProcessGroup
from nextchar.training.process_group import ProcessGroup


def test_the_group_over_mpi_overrides_every_operation_of_the_single_process() -> None:
    operations = {name for name, value in vars(ProcessGroup).items() if callable(value)}
    assert len(operations) > 10
    assert operations <= vars(MPIProcessGroup).keys()
