"""Fitting a network to a text: optimizers, schedules, the trainer, the run directory."""
