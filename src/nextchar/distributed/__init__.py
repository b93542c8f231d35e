"""Training on many machines, over MPI (the extra `mpi`).

    launcher.py              detection of a launcher (mpiexec, srun)
    join.py                  joining the other processes of a launch, and ending together
    mpi_group.py             the process group over MPI
    allreduce.py             sums of gradients, in the background
    compressed_allreduce.py  the same in bfloat16, with half the bytes
    wait.py                  waiting without occupying a core
    consistency.py           comparison of facts that must be the same on all ranks
    cost_model.py            forecast of the time of a step on many machines
    calibrate.py             measurement of this machine for the forecast

The trainer receives a `ProcessGroup`; no package that trains imports this one.
"""
