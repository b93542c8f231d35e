"""Divergence: detected, and answered by a rollback that halves the learning rate.

A run rolls back to its last good evaluation, or to its start: never to a checkpoint that was
written because of the time or Ctrl-C, since the result would then depend on the clock. Such a
checkpoint carries the last good point along.
"""

from __future__ import annotations

import copy
import math
from dataclasses import fields, replace

import numpy as np

from nextchar.errors import DivergedError
from nextchar.model.parameters import Array, Parameters
from nextchar.settings.config import TrainingSettings
from nextchar.training.run_context import RunContext
from nextchar.training.saving.checkpoint import Checkpoint, Progress

MOST_RETRIES = 3
BACKOFF = 0.5  # factor of the learning rate at each rollback
WORST_LOSS = 2.0  # times the loss of guessing, ln V: anything above is on its way to infinity
_NOT_ROLLED_BACK = ("seconds", "retries")  # fields of the progress


class Rollback:
    """Copy of the last good point of a run, if the settings ask for rollback."""

    def __init__(self, settings: TrainingSettings, start: Checkpoint, context: RunContext) -> None:
        self._settings, self._context = settings, context
        self._is_on = settings.on_divergence == "retry"
        self._last_good = (start.last_good or _copy(start)) if self._is_on else None

    def update(self, now: Checkpoint, loss: float) -> None:
        """Keep a point that was just evaluated, unless its loss is far worse than guessing."""
        vocabulary_size = now.parameters.architecture.vocabulary_size
        if self._is_on and loss <= WORST_LOSS * math.log(vocabulary_size):
            self._last_good = _copy(now)

    def with_last_good(self, now: Checkpoint) -> Checkpoint:
        """Return a checkpoint that carries the last good point, unless it is that point."""
        if self._last_good is None or self._last_good.progress.step == now.progress.step:
            return now
        return replace(now, last_good=self._last_good)

    def roll_back(self, now: Checkpoint, error: DivergedError) -> Array:
        """Restore arrays and progress of the last good point; return the state there.

        Raises the error, with advice, if the run cannot roll back again.
        """
        directory, progress = self._context.directory, now.progress
        if self._last_good is None or progress.retries == MOST_RETRIES:
            has_checkpoint = directory is not None and directory.checkpoint.exists()
            raise with_advice(error, self._settings, has_checkpoint)
        _restore(self._last_good, now)
        progress.retries += 1
        rate = self._settings.learning_rate * backoff_factor(progress.retries)
        if directory:
            directory.append_divergence(progress, error, rate)
        self._context.hooks.note(
            f"{error}: rolled back to step {progress.step}, continuing with half the learning rate "
            f"({rate:g}; rollback {progress.retries} of {MOST_RETRIES})"
        )
        return self._last_good.state.copy()


def backoff_factor(retries: int) -> float:
    """Return the factor of the learning rate after a number of rollbacks."""
    return BACKOFF**retries


def require_finite(value: float, name: str, step: int, bound: float = math.inf) -> None:
    """Raise DivergedError, without advice yet, for a value that is not finite or above a bound."""
    if not (math.isfinite(value) and value <= bound):
        raise DivergedError(f"the {name} became {value:.4g} at step {step}", step)


def require_finite_weights(parameters: Parameters, step: int) -> None:
    """Raise DivergedError if an update made a parameter infinite or NaN."""
    require_finite(float(np.abs(parameters.flat).max()), "largest weight", step)


def with_advice(
    error: DivergedError, settings: TrainingSettings, has_checkpoint: bool
) -> DivergedError:
    """Return the error that ends a run: what is kept, and which setting to change."""
    advice = f"lower --learning-rate (now {settings.learning_rate:g})"
    if settings.clip == 0:
        advice += " or clip gradients (--clip 1)"
    kept = "; the last good checkpoint is kept" if has_checkpoint else ""
    return DivergedError(f"{error.problem}{kept}", error.step, remedy=advice)


def _restore(good: Checkpoint, now: Checkpoint) -> None:
    np.copyto(now.parameters.flat, good.parameters.flat)
    for name, slot in now.slots.items():
        np.copyto(slot, good.slots[name])
    for each in fields(Progress):
        if each.name not in _NOT_ROLLED_BACK:
            setattr(now.progress, each.name, getattr(good.progress, each.name))
    now.progress.since_seconds = now.progress.seconds


def _copy(point: Checkpoint) -> Checkpoint:
    slots = {name: slot.copy() for name, slot in point.slots.items()}
    arrays = point.parameters.copy(), slots, point.state.copy()
    return Checkpoint(*arrays, copy.copy(point.progress), point.text_sha256)
