"""Optimization.

optimizers.py       clipping and update rules
schedules.py        learning-rate schedules and warm-up
gradient_norms.py   statistics of gradient norms

The readable twins of `kernels/training/optimizers.py`, and what surrounds an update.
"""
