"""Optimizers, schedules, clipping and gradient norms."""
