"""Optimization.

    optimizers.py       clipping and update rules
    schedules.py        learning-rate schedules and warm-up
    gradient_norms.py   statistics of gradient norms

`optimizers.py` is the readable twin of `kernels/training/optimizers.py`, which training runs.
"""
