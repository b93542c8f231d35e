"""Training on many machines, over MPI (the extra `mpi`).

    launch.py     whether a launcher (mpiexec, srun) started this process as one of several
    joining.py    joining the others, and ending together
    ranks.py      those who train together, as `training.process_group` wants them
    exchange.py   sums of gradients, in the background; halves.py: with half the bytes
    waiting.py    waiting for others without keeping a core busy
    alike.py      what ranks must have in common, and what is said where they do not
    scaling.py    a model of the time that a step takes on many machines

Nothing before this room knows of it: the trainer is handed a group.
"""
